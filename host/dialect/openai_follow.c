/* SPDX-License-Identifier: MIT */
/* What a passed chat in OpenAI's form has said of itself: its time, and whether
 * anything of the answer has come, by its first pieces; and whether it has said
 * why it stopped. */
#include <string.h>

#include "base/str.h"
#include "dialect/follow.h"
#include <patchbay/json.h>

#define LOOK_AT 16 /* pieces; one that says nothing until then never does */

/* Text has its quotes escaped, so that this is no part of any. */
static bool has_reason(pbay_str raw)
{
    static const char name[] = "\"finish_reason\"";
    const char *p, *end = raw.p + raw.n;

    while (raw.n && (p = memmem(raw.p, raw.n, name, sizeof(name) - 1))) {
        p += sizeof(name) - 1;
        while (p < end && (*p == ' ' || *p == ':'))
            p++;
        if (p < end && *p == '"')
            return true;
        raw = str_n(p, (size_t)(end - p));
    }
    return false;
}

void oa_follow(struct oa_place *at, pbay_str raw)
{
    pbay_str data, choices, choice;
    int64_t created;

    at->ended = at->ended || has_reason(raw);
    while (at->looked < LOOK_AT && (!at->begun || !at->created)) {
        data = follow_data(&raw);
        if (!data.n)
            return;
        at->looked++;
        if (pbay_json_check(data, NULL) < 0)
            continue;
        choices = pbay_json_get(data, "choices");
        size_t pos = 0;
        at->begun |= pbay_json_next(choices, &pos, NULL, &choice) > 0;
        /* Azure's first piece has none, and 0 for its time. */
        if (pbay_json_i64(pbay_json_get(data, "created"), &created) == 0 &&
            created > 0 && !at->created)
            at->created = created;
    }
}
