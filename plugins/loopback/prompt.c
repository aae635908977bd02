/* SPDX-License-Identifier: MIT */
/* The messages of a chat: who said what last, and how long it all is. */
#include "lb.h"

#include <string.h>

/* A message costs this much beside its text. */
#define MESSAGE_TOKENS 3
#define IMAGE_TOKENS   64

/* The text of a message's content: a string, or the text parts of a list, one
 * per line. */
static bool content_text(struct lb_run *r, pbay_str content, pbay_str *out,
                         unsigned *images)
{
    pbay_str part;
    *images = 0;
    *out = (pbay_str){"", 0};
    if (pbay_json_type(content) == 's') {
        *out = lb_text(r, content);
        return out->p != NULL;
    }
    if (pbay_json_type(content) != 'a')
        return true;
    char *all = lb_alloc(r, content.n);
    size_t n = 0;
    if (!all)
        return false;
    for (size_t pos = 0; pbay_json_next(content, &pos, NULL, &part);) {
        pbay_str type = pbay_json_get(part, "type");
        if (pbay_json_is(type, "image_url")) {
            ++*images;
            continue;
        }
        pbay_str text = pbay_json_get(part, "text");
        if (pbay_json_type(text) != 's')
            continue;
        if (n)
            all[n++] = '\n';
        int64_t got = pbay_json_unescape(text, all + n, content.n - n);
        if (got > 0)
            n += (size_t)got;
    }
    *out = (pbay_str){all, n};
    return true;
}

static bool read_message(struct lb_run *r, pbay_str message,
                         struct lb_prompt *p)
{
    pbay_str role = pbay_json_get(message, "role"), text;
    unsigned images;
    if (!content_text(r, pbay_json_get(message, "content"), &text, &images))
        return false;
    p->tokens += MESSAGE_TOKENS + images * IMAGE_TOKENS + lb_token_count(text);
    p->last = text;
    p->tool_result = pbay_json_is(role, "tool");
    p->assistant = (pbay_str){NULL, 0};
    if (pbay_json_is(role, "user")) {
        p->user = text;
        p->images = images;
    } else if (pbay_json_is(role, "assistant")) {
        p->assistant = text;
    }
    return true;
}

pbay_rc lb_prompt_read(struct lb_run *r, struct lb_prompt *p)
{
    pbay_str messages = lb_field(r, "messages"), message;
    *p = (struct lb_prompt){.user = {"", 0}, .last = {"", 0}};
    if (pbay_json_type(messages) != 'a')
        return lb_invalid(r, "messages", "messages must be a list");
    for (size_t pos = 0; pbay_json_next(messages, &pos, NULL, &message);)
        if (!read_message(r, message, p))
            return PBAY_NOMEM;
    if (!p->tokens)
        return lb_invalid(r, "messages", "messages is empty");
    p->hash = lb_hash(messages, 0);
    return PBAY_OK;
}
