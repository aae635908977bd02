/* SPDX-License-Identifier: MIT */
/* Amounts of money for people. */
#include "config.h"

#include "cli/money.h"

#include <stdio.h>
#include <string.h>

const char *money_text(int64_t nano, const char *currency, char dst[64])
{
    uint64_t v = nano < 0 ? -(uint64_t)nano : (uint64_t)nano;
    char part[16];
    size_t n = 9;

    /* Not by floating point, and no zeros that say nothing but two. */
    snprintf(part, sizeof(part), "%09llu",
             (unsigned long long)(v % 1000000000));
    while (n > 2 && part[n - 1] == '0')
        n--;
    part[n] = '\0';
    snprintf(dst, 64, "%s%llu.%s %.8s", nano < 0 ? "-" : "",
             (unsigned long long)(v / 1000000000), part, currency);
    return dst;
}

const char *money_of(struct json_object *cost, char dst[64])
{
    if (!cost)
        return strcpy(dst, "unknown");
    return money_text(js_int(cost, "nano", 0), js_cstr(cost, "currency", "?"),
                      dst);
}
