/* SPDX-License-Identifier: MIT */
/* The data lines of events; see follow.h. */
#include "dialect/follow.h"

#include "base/str.h"

pbay_str follow_data(pbay_str *raw)
{
    while (raw->n) {
        size_t n = 0;
        pbay_str line;

        while (n < raw->n && raw->p[n] != '\n' && raw->p[n] != '\r')
            n++;
        line = str_n(raw->p, n);
        n += n < raw->n;
        *raw = str_n(raw->p + n, raw->n - n);
        if (!str_starts(line, "data:"))
            continue;
        line = str_trim(str_n(line.p + 5, line.n - 5));
        if (line.n)
            return line;
    }
    return STR_NONE;
}
