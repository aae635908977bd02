/* SPDX-License-Identifier: MIT */
/* The groups that limit what may be asked: of a provider, of each of its
 * models, by a client's key. */
#include "config/parts.h"

void read_limits(const struct section *s, const char *name,
                 struct cfg_limits *to)
{
    struct section sub = section_sub(s, name);

    section_check_names(&sub, NULL);
    to->requests = section_int(&sub, "requests_per_minute");
    to->tokens = section_int(&sub, "tokens_per_minute");
    to->concurrent = section_int(&sub, "concurrent");
}
