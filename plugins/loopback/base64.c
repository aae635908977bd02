/* SPDX-License-Identifier: MIT */
/* Base64 with padding (RFC 4648, section 4). */
#include "lb.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pbay_str lb_base64(struct lb_run *r, const unsigned char *p, size_t n)
{
    size_t size = (n + 2) / 3 * 4, at = 0;
    char *out = lb_alloc(r, size + 1);
    if (!out)
        return (pbay_str){NULL, 0};
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16;
        if (left > 1)
            v |= (uint32_t)p[i + 1] << 8;
        if (left > 2)
            v |= p[i + 2];
        out[at++] = digits[v >> 18];
        out[at++] = digits[v >> 12 & 63];
        out[at++] = left > 1 ? digits[v >> 6 & 63] : '=';
        out[at++] = left > 2 ? digits[v & 63] : '=';
    }
    return (pbay_str){out, at};
}
