/* SPDX-License-Identifier: MIT */
/* Which block of a passed Anthropic stream is open: looked for only where the
 * stream may have to be gone on with, and without reading anything else. */
#include <string.h>

#include "base/str.h"
#include "dialect/anthropic_out.h"
#include <patchbay/json.h>

/* The data of the event whose name ends before `rest`. */
static pbay_str data_of(pbay_str rest)
{
    while (rest.n) {
        pbay_str line = str_cut(&rest, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (str_starts(line, "data:"))
            return str_trim(str_n(line.p + 5, line.n - 5));
        if (!line.n)
            break;
    }
    return STR_NONE;
}

static void begun(struct an_place *at, pbay_str data)
{
    pbay_str type = pbay_json_get(pbay_json_get(data, "content_block"), "type");
    int64_t index;

    if (pbay_json_i64(pbay_json_get(data, "index"), &index) < 0 || index < 0 ||
        index > 100000) {
        at->lost = true;
        return;
    }
    at->blocks = (unsigned)index + 1;
    at->open = pbay_json_is(type, "text")       ? AN_TEXT
               : pbay_json_is(type, "thinking") ? AN_THINKING
                                                : AN_OTHER;
}

/* What follows the next event whose name begins so; false: there is none. */
static bool next_named(pbay_str *raw, const char *name)
{
    pbay_str all = *raw;
    size_t n = strlen(name);
    const char *p;

    while (raw->n > n && (p = memmem(raw->p, raw->n, name, n)) != NULL) {
        *raw = str_n(p + n, raw->n - (size_t)(p + n - raw->p));
        /* An event's name begins a line; within a text there are no lines. */
        if (p == all.p || p[-1] == '\n')
            return true;
    }
    return false;
}

void an_follow(struct an_place *at, pbay_str raw)
{
    pbay_str rest = raw;

    /* Nothing can be put behind the reason why the answer stopped. */
    if (next_named(&rest, "event: message_delta"))
        at->lost = true;
    for (rest = raw; next_named(&rest, "event: content_block_st");) {
        if (str_starts(rest, "op"))
            at->open = AN_NONE;
        else if (str_starts(rest, "art"))
            begun(at, data_of((str_cut(&rest, '\n'), rest)));
    }
}
