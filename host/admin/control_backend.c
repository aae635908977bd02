/* SPDX-License-Identifier: MIT */
/* The processes that run for providers: what a configuration says about them,
 * and what the verb "status" does. */
#include <string.h>

#include "admin/control_int.h"
#include "base/str.h"
#include "module/backend.h"

void host_bound_backends(struct host *h, const struct snapshot *s)
{
    const struct cfg_backends *c = &s->cfg->backends;
    struct backend_caps caps = {c->max_processes, c->max_memory, c->max_waiting,
                                c->stop_ms};
    const char *names[LIM_PROVIDERS];
    size_t n = 0;

    for (size_t i = 0; i < s->n && n < LIM_PROVIDERS; i++)
        if (s->instances[i]->backend)
            names[n++] = s->instances[i]->name;
    backends_configure(h->backends, &caps, names, n);
}

static void put_text(struct buf *b, const char *name, const char *v)
{
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, str_c(v ? v : ""));
}

static void put_one(void *arg, const struct backend_row *r)
{
    struct buf *b = arg;

    buf_addc(b, buf_str(b).p[b->n - 1] == '[' ? "{\"provider\":"
                                              : ",{\"provider\":");
    buf_json(b, str_c(r->provider));
    put_text(b, "name", r->name);
    put_text(b, "state", r->state);
    buf_printf(b,
               ",\"pid\":%d,\"port\":%d,\"calls\":%u,\"waiting\":%u,"
               "\"starts\":%u,\"failures\":%u,\"memory\":%llu,"
               "\"for_ms\":%lld,\"expires_ms\":%lld,\"retry_ms\":%lld",
               r->pid, r->port, r->uses, r->waiting, r->starts, r->failures,
               (unsigned long long)r->memory, (long long)r->for_ms,
               (long long)r->expires_ms, (long long)r->retry_ms);
    put_text(b, "line", r->line);
    put_text(b, "reason", r->why);
    buf_addc(b, "}");
}

void ctl_put_backends(struct buf *b, struct host *h)
{
    buf_addc(b, "\"backends\":[");
    backends_each(h->backends, NULL, put_one, b);
    buf_addc(b, "],");
}
