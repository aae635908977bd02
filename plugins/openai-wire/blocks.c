/* SPDX-License-Identifier: MIT */
/* OpenAI's language: blocks of earlier answers that come back.  A canonical
 * assistant message carries them in `patchbay_blocks`, a name that no provider
 * knows: where reasoning_details are understood, those blocks that are some
 * become that again; what another provider made is left out, with a warning.
 * So also in a client's own body: a conversation that another provider began may
 * go on here. */
#include <string.h>

#include "oai.h"

static const char name[] = "patchbay_blocks";

/* A detail of a reasoning, as it came: {"type":"reasoning.*",..}. */
static int is_detail(pbay_str block)
{
    static const char kind[] = "\"reasoning.";
    pbay_str type = pbay_json_get(block, "type");

    return type.n > sizeof kind - 1 &&
           memcmp(type.p, kind, sizeof kind - 1) == 0;
}

/* Thinking that a dialect only showed: nobody signed it, nobody needs it. */
static int is_shown(pbay_str block)
{
    pbay_str signature = pbay_json_get(block, "signature");

    return pbay_json_is(pbay_json_get(block, "type"), "thinking") &&
           (pbay_json_type(signature) != 's' || signature.n == 2);
}

/* The blocks that can be sent, as one member; how many could not. */
static unsigned put_details(pbay_out *w, pbay_str blocks, int *any)
{
    pbay_str block;
    size_t pos = 0;
    unsigned left_out = 0;
    int inside = 0;

    while (pbay_json_next(blocks, &pos, NULL, &block)) {
        if (!is_detail(block)) {
            left_out += !is_shown(block);
            continue;
        }
        if (inside)
            pbay_out_cstr(w, ",");
        else
            pbay_out_cstr(w, *any ? ",\"reasoning_details\":["
                                  : "\"reasoning_details\":[");
        pbay_out_raw(w, block);
        inside = *any = 1;
    }
    if (inside)
        pbay_out_cstr(w, "]");
    return left_out;
}

/* The message without the member, and what it said in the provider's words. */
static unsigned rewrite(const struct openai *o, pbay_out *w, pbay_str message)
{
    pbay_str key, value, blocks = {NULL, 0};
    size_t pos = 0;
    unsigned left_out = 0;
    int any = 0, has_details = 0;

    pbay_out_cstr(w, "{");
    while (pbay_json_next(message, &pos, &key, &value)) {
        if (key.n == sizeof name - 1 && memcmp(key.p, name, key.n) == 0) {
            blocks = value;
            continue;
        }
        has_details |= key.n == 17 && !memcmp(key.p, "reasoning_details", 17);
        pbay_out_cstr(w, any ? ",\"" : "\"");
        pbay_out_raw(w, key);
        pbay_out_cstr(w, "\":");
        pbay_out_raw(w, value);
        any = 1;
    }
    if (o->details && !has_details) {
        left_out = put_details(w, blocks, &any);
    } else if (!o->details) {
        pos = 0;
        while (pbay_json_next(blocks, &pos, NULL, &value))
            left_out += !is_shown(value);
    }
    pbay_out_cstr(w, "}");
    return left_out;
}

pbay_rc oai_edit_blocks(struct openai *o, struct call *c,
                        const pbay_request *req, struct edits *e)
{
    static const pbay_str what =
        PBAY_LIT("left out: blocks that an answer of another provider gave");
    pbay_event ev = {
        .type = PBAY_EV_WARNING, .name = {name, sizeof name - 1}, .text = what};
    pbay_str list = pbay_json_find(req->members, req->n_members, "messages");
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str message;
    size_t pos = 0;
    unsigned left_out = 0;

    if (pbay_json_type(list) != 'a' ||
        !memmem(list.p, list.n, name, sizeof name - 1))
        return PBAY_OK;
    pbay_out_cstr(&w, "[");
    while (pbay_json_next(list, &pos, NULL, &message)) {
        if (w.n > 1)
            pbay_out_cstr(&w, ",");
        if (pbay_json_type(message) == 'o' && pbay_json_get(message, name).n)
            left_out += rewrite(o, &w, message);
        else
            pbay_out_raw(&w, message);
    }
    pbay_out_cstr(&w, "]");
    if (w.failed)
        return PBAY_NOMEM;
    oai_edit(e, OA("messages"), (pbay_str){w.p, w.n});
    return left_out ? oai_emit(o, c, &ev) : PBAY_OK;
}
