/* SPDX-License-Identifier: MIT */
/* Which block of a passed Anthropic stream is open; without reading anything
 * else of it. */
#include <string.h>

#include "base/str.h"
#include "dialect/follow.h"
#include <patchbay/json.h>

#define BLOCKS_MAX 100000

/* Only these events do; in a text their names may stand as well. */
static bool concerns(pbay_str s)
{
    return s.n && (memmem(s.p, s.n, "content_block_st", 16) ||
                   memmem(s.p, s.n, "message_delta", 13));
}

static void block_begun(struct an_place *at, pbay_str data)
{
    pbay_str type = pbay_json_get(pbay_json_get(data, "content_block"), "type");
    int64_t index;

    if (pbay_json_i64(pbay_json_get(data, "index"), &index) < 0 || index < 0 ||
        index > BLOCKS_MAX) {
        at->lost = true;
        return;
    }
    at->blocks = (unsigned)index + 1;
    at->open = pbay_json_is(type, "text")       ? AN_TEXT
               : pbay_json_is(type, "thinking") ? AN_THINKING
                                                : AN_OTHER;
}

void an_follow(struct an_place *at, pbay_str raw)
{
    pbay_str data, type;

    if (at->begun && !concerns(raw))
        return;
    while ((data = follow_data(&raw)).n) {
        if (at->begun && !concerns(data))
            continue;
        if (pbay_json_check(data, NULL) < 0) {
            at->lost = true; /* in several lines, say */
            continue;
        }
        type = pbay_json_get(data, "type");
        if (pbay_json_is(type, "message_start"))
            at->begun = true;
        else if (pbay_json_is(type, "content_block_start"))
            block_begun(at, data);
        else if (pbay_json_is(type, "content_block_stop"))
            at->open = AN_NONE;
        else if (pbay_json_is(type, "message_delta"))
            at->lost = true; /* why it stopped has been said */
    }
}
