/* SPDX-License-Identifier: MIT */
/* OpenAI's language: messages on their way up, in the words of servers that
 * take them a little otherwise: no role `developer`, ids of tool calls in a
 * form of their own, reasoning of earlier answers that must, or must not, come
 * back; and the blocks that only the host knows (blocks.c).  `annotations` with
 * another provider's words in them, which are for people, go without one.
 *
 * A client's own body is treated alike: what a server refuses it refuses from
 * everybody, and a conversation that another provider began may go on here.  A
 * message that is fine stays as it is, byte for byte. */
#include <string.h>

#include "oai.h"

#define ID_LENGTH 9 /* of Mistral's ids */

static const char blocks_name[] = "patchbay_blocks";
static const char note[] = "\"patchbay_citation\"";

static int is_name(pbay_str key, const char *name)
{
    return key.n == strlen(name) && memcmp(key.p, name, key.n) == 0;
}

/* ------------------------------------------------------- ids of tool calls */

static int fits(pbay_str id)
{
    if (id.n != ID_LENGTH)
        return 0;
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= '0' && id.p[i] <= '9') ||
              (id.p[i] >= 'A' && id.p[i] <= 'Z') ||
              (id.p[i] >= 'a' && id.p[i] <= 'z')))
            return 0;
    return 1;
}

/* The id itself if it fits, or another one that always is the same for the same
 * id: the call and its result, now and in the next request, still belong
 * together, and what the server has in its cache stays good. */
static void put_id(const struct openai *o, struct call *c, pbay_out *w,
                   pbay_str value)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    pbay_str id = pbay_text(o->host, c->call, value);
    char made[ID_LENGTH];
    uint64_t h = 14695981039346656037u;

    if (!id.p || fits(id)) {
        pbay_out_raw(w, value);
        return;
    }
    for (size_t i = 0; i < id.n; i++)
        h = (h ^ (unsigned char)id.p[i]) * 1099511628211u;
    for (size_t i = 0; i < sizeof made; i++, h /= sizeof digits - 1)
        made[i] = digits[h % (sizeof digits - 1)];
    pbay_out_string(w, (pbay_str){made, sizeof made});
}

static int id_fits(pbay_str value)
{
    return pbay_json_type(value) != 's' ||
           (value.n >= 2 && fits((pbay_str){value.p + 1, value.n - 2}));
}

static int ids_fit(pbay_str message)
{
    pbay_str calls = pbay_json_get(message, "tool_calls"), item;
    size_t pos = 0;

    if (!id_fits(pbay_json_get(message, "tool_call_id")))
        return 0;
    if (pbay_json_type(calls) != 'a')
        return 1;
    while (pbay_json_next(calls, &pos, NULL, &item))
        if (pbay_json_type(item) == 'o' && !id_fits(pbay_json_get(item, "id")))
            return 0;
    return 1;
}

/* ------------------------------------------------------------- the members */

static void put_name(pbay_out *w, int *any, pbay_str key)
{
    pbay_out_cstr(w, *any ? ",\"" : "\"");
    pbay_out_raw(w, key);
    pbay_out_cstr(w, "\":");
    *any = 1;
}

static void put_call(const struct openai *o, struct call *c, pbay_out *w,
                     pbay_str item)
{
    pbay_str key, value;
    size_t pos = 0;
    int any = 0;

    if (pbay_json_type(item) != 'o') {
        pbay_out_raw(w, item); /* the provider will say what is wrong */
        return;
    }
    pbay_out_cstr(w, "{");
    while (pbay_json_next(item, &pos, &key, &value)) {
        put_name(w, &any, key);
        if (is_name(key, "id") && pbay_json_type(value) == 's')
            put_id(o, c, w, value);
        else
            pbay_out_raw(w, value);
    }
    pbay_out_cstr(w, "}");
}

static void put_calls(const struct openai *o, struct call *c, pbay_out *w,
                      pbay_str calls)
{
    pbay_str item;
    size_t pos = 0;
    int any = 0;

    pbay_out_cstr(w, "[");
    while (pbay_json_next(calls, &pos, NULL, &item)) {
        if (any)
            pbay_out_cstr(w, ",");
        put_call(o, c, w, item);
        any = 1;
    }
    pbay_out_cstr(w, "]");
}

static void put_value(const struct openai *o, struct call *c, pbay_out *w,
                      pbay_str key, pbay_str value)
{
    char type = pbay_json_type(value);

    if (o->plain_roles && is_name(key, "role") &&
        pbay_json_is(value, "developer"))
        pbay_out_cstr(w, "\"system\"");
    else if (o->short_ids && type == 's' && is_name(key, "tool_call_id"))
        put_id(o, c, w, value);
    else if (o->short_ids && type == 'a' && is_name(key, "tool_calls"))
        put_calls(o, c, w, value);
    else
        pbay_out_raw(w, value);
}

/* --------------------------------------------------------------- reasoning */

static const char *const thought_names[] = {
    [ECHO_CONTENT] = "reasoning_content",
    [ECHO_REASONING] = "reasoning",
};

static int is_thought(pbay_str key, pbay_str value)
{
    char type = pbay_json_type(value);

    return (type == 's' || type == '0') &&
           (is_name(key, thought_names[ECHO_CONTENT]) ||
            is_name(key, thought_names[ECHO_REASONING]));
}

static int filled(pbay_str value)
{
    return pbay_json_type(value) == 's' && value.n > 2;
}

/* The reasoning of an assistant's message under the name that the server has
 * for it: what the client sent under either name, or thinking that its dialect
 * showed to it. */
static void put_thought(const struct openai *o, pbay_out *w, pbay_str message,
                        pbay_str blocks, int *any)
{
    const char *name = thought_names[o->echo];
    int other = o->echo == ECHO_CONTENT ? ECHO_REASONING : ECHO_CONTENT;
    pbay_str v = pbay_json_get(message, name), block;
    size_t pos = 0, at = w->n;
    int begun = *any, found;

    if (!filled(v))
        v = pbay_json_get(message, thought_names[other]);
    found = filled(v);
    put_name(w, any, (pbay_str){name, strlen(name)});
    pbay_out_cstr(w, "\"");
    if (found)
        pbay_out_raw(w, (pbay_str){v.p + 1, v.n - 2});
    while (!filled(v) && pbay_json_next(blocks, &pos, NULL, &block)) {
        pbay_str text = pbay_json_get(block, "thinking");
        if (!oai_is_shown(block) || !filled(text))
            continue;
        pbay_out_raw(w, (pbay_str){text.p + 1, text.n - 2});
        found = 1;
    }
    pbay_out_cstr(w, "\"");
    if (!found && o->echo != ECHO_CONTENT) { /* DeepSeek wants an empty one */
        w->n = at;
        *any = begun;
    }
}

/* Is the reasoning as the server wants it? */
static int thought_fits(const struct openai *o, pbay_str message)
{
    pbay_str content = pbay_json_get(message, thought_names[ECHO_CONTENT]);
    pbay_str plain = pbay_json_get(message, thought_names[ECHO_REASONING]);

    switch (o->echo) {
    case ECHO_NONE:
        return !content.n && !plain.n;
    case ECHO_CONTENT:
        return pbay_json_type(content) == 's' && !plain.n;
    case ECHO_REASONING:
        return !content.n;
    default:
        return 1;
    }
}

/* ---------------------------------------------------------------- messages */

static int has(pbay_str json, const char *what, size_t n)
{
    return json.n && memmem(json.p, json.n, what, n) != NULL;
}

/* Anything that only this host writes.  Both words begin alike, so that a long
 * conversation is looked through once. */
static int has_ours(pbay_str json)
{
    static const char both[] = "patchbay_";

    return has(json, both, sizeof both - 1) &&
           (has(json, blocks_name, sizeof blocks_name - 1) ||
            has(json, note, sizeof note - 1));
}

/* Annotations in a form that only this host writes. */
static int is_noted(pbay_str annotations)
{
    return has(annotations, note, sizeof note - 1);
}

static int is_assistant(pbay_str message)
{
    return pbay_json_is(pbay_json_get(message, "role"), "assistant");
}

static int is_fine(const struct openai *o, pbay_str message)
{
    if (pbay_json_type(message) != 'o')
        return 1; /* the provider will say what is wrong with it */
    if (pbay_json_get(message, blocks_name).n ||
        is_noted(pbay_json_get(message, "annotations")))
        return 0;
    if (o->plain_roles &&
        pbay_json_is(pbay_json_get(message, "role"), "developer"))
        return 0;
    if (o->short_ids && !ids_fit(message))
        return 0;
    return !o->echo || !is_assistant(message) || thought_fits(o, message);
}

/* How many blocks had to be left out. */
static unsigned rewrite(const struct openai *o, struct call *c, pbay_out *w,
                        pbay_str message)
{
    int echo = o->echo && is_assistant(message), any = 0, has_details = 0;
    pbay_str key, value, blocks = {NULL, 0};
    size_t pos = 0;
    unsigned left_out;

    pbay_out_cstr(w, "{");
    while (pbay_json_next(message, &pos, &key, &value)) {
        if (is_name(key, blocks_name)) {
            blocks = value;
            continue;
        }
        if (is_name(key, "annotations") && is_noted(value))
            continue;
        if (echo && is_thought(key, value))
            continue;
        has_details |= is_name(key, "reasoning_details");
        put_name(w, &any, key);
        put_value(o, c, w, key, value);
    }
    left_out = oai_put_blocks(o, w, blocks, has_details, &any);
    if (echo && o->echo != ECHO_NONE)
        put_thought(o, w, message, blocks, &any);
    pbay_out_cstr(w, "}");
    return left_out;
}

pbay_rc oai_edit_messages(struct openai *o, struct call *c,
                          const pbay_request *req, struct edits *e)
{
    static const pbay_str what =
        PBAY_LIT("left out: blocks that an answer of another provider gave");
    pbay_event ev = {.type = PBAY_EV_WARNING,
                     .name = {blocks_name, sizeof blocks_name - 1},
                     .text = what};
    pbay_str list = pbay_json_find(req->members, req->n_members, "messages");
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str message;
    size_t pos = 0;
    unsigned left_out = 0;
    int changed = 0;

    if (pbay_json_type(list) != 'a' ||
        (!o->plain_roles && !o->short_ids && !o->echo && !has_ours(list)))
        return PBAY_OK;
    pbay_out_cstr(&w, "[");
    while (pbay_json_next(list, &pos, NULL, &message)) {
        if (w.n > 1)
            pbay_out_cstr(&w, ",");
        if (is_fine(o, message)) {
            pbay_out_raw(&w, message);
            continue;
        }
        left_out += rewrite(o, c, &w, message);
        changed = 1;
    }
    pbay_out_cstr(&w, "]");
    if (w.failed)
        return PBAY_NOMEM;
    if (changed)
        oai_edit(e, OA("messages"), (pbay_str){w.p, w.n});
    return left_out ? oai_emit(o, c, &ev) : PBAY_OK;
}
