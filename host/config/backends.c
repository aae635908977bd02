/* SPDX-License-Identifier: MIT */
/* The section `backends`: bounds on the processes that are run for
 * providers. */
#include "config/parts.h"

void read_backends(struct load *l, const struct doc *d,
                   const config_setting_t *root)
{
    struct section s = section_main(l, d, root, "backends", l->backends);
    struct cfg_backends *b = &l->c->backends;

    b->max_processes = (unsigned)section_int(&s, "max_processes");
    b->max_memory = (uint64_t)section_int(&s, "max_memory");
    b->max_waiting = (size_t)section_int(&s, "max_waiting");
    b->wait_ms = section_int(&s, "max_wait");
    b->stop_ms = section_int(&s, "stop_time");
}
