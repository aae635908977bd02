/* SPDX-License-Identifier: MIT */
/* claude.so: a message, whole or as the events of a stream.  Both are read as
 * blocks: a text, a tool call, a thought, or something that is only to be
 * brought back. */
#include <string.h>

#include "claude.h"

#define BLOCKS_MAX 1024u

/* A string with something in it. */
static int filled(pbay_str value)
{
    return pbay_json_type(value) == 's' && value.n > 2;
}

static pbay_rc text(struct claude *o, struct call *c, uint32_t type,
                    pbay_str value)
{
    pbay_event ev = {.type = type};

    if (!filled(value) || !cl_wants(c, type))
        return PBAY_OK;
    return cl_emit_text(o, c, &ev, value);
}

static pbay_rc begin(struct claude *o, struct call *c, pbay_str message)
{
    pbay_event ev = {.type = PBAY_EV_BEGIN};

    if (c->begun)
        return PBAY_OK;
    c->begun = 1;
    ev.id = pbay_text(o->host, c->call, pbay_json_get(message, "id"));
    ev.name = pbay_text(o->host, c->call, pbay_json_get(message, "model"));
    return cl_emit(o, c, &ev);
}

/* ------------------------------------------------------------------- blocks */

static int kind_of(pbay_str type)
{
    if (pbay_json_is(type, "text"))
        return BLOCK_TEXT;
    if (pbay_json_is(type, "thinking"))
        return BLOCK_THINKING;
    return pbay_json_is(type, "tool_use") ? BLOCK_TOOL : BLOCK_OTHER;
}

/* An opaque block, to be brought back unchanged. */
static pbay_rc opaque(struct claude *o, struct call *c, pbay_str json)
{
    pbay_event ev = {.type = PBAY_EV_BLOCK, .json = json};

    if (!cl_wants(c, PBAY_EV_BLOCK))
        return PBAY_OK;
    ev.index = c->n_blocks_told++;
    ev.name = pbay_text(o->host, c->call, pbay_json_get(json, "type"));
    return cl_emit(o, c, &ev);
}

/* The first fragment of a call: who is called. */
static pbay_rc call_begin(struct claude *o, struct call *c, uint32_t index,
                          pbay_str block)
{
    pbay_event ev = {.type = PBAY_EV_CALL, .index = index};

    if (!cl_wants(c, PBAY_EV_CALL))
        return PBAY_OK;
    if (!filled(pbay_json_get(block, "id")) ||
        !filled(pbay_json_get(block, "name")))
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the reply calls a tool without id or name");
    ev.id = pbay_text(o->host, c->call, pbay_json_get(block, "id"));
    ev.name = pbay_text(o->host, c->call, pbay_json_get(block, "name"));
    return ev.id.n && ev.name.n ? cl_emit(o, c, &ev) : PBAY_NOMEM;
}

/* A whole input, as the text it is. */
static pbay_rc call_input(struct claude *o, struct call *c, uint32_t index,
                          pbay_str input)
{
    pbay_event ev = {.type = PBAY_EV_CALL, .index = index};

    if (!cl_wants(c, PBAY_EV_CALL))
        return PBAY_OK;
    ev.text = pbay_json_type(input) == 'o' ? input : CL("{}");
    return cl_emit(o, c, &ev);
}

/* ------------------------------------------------------------------- stops */

static const struct {
    const char *word;
    uint32_t code;
} stops[] = {
    {"end_turn", PBAY_STOP_END},
    {"stop_sequence", PBAY_STOP_END},
    {"max_tokens", PBAY_STOP_LENGTH},
    {"tool_use", PBAY_STOP_TOOL},
    {"pause_turn", PBAY_STOP_PAUSE},
    {"refusal", PBAY_STOP_FILTER},
    {"model_context_window_exceeded", PBAY_STOP_CONTEXT},
};

/* From a message, or from the delta at the end of a stream.  Why something was
 * refused is told as a refusal. */
static pbay_rc stop_reason(struct claude *o, struct call *c, pbay_str from)
{
    pbay_str word = pbay_json_get(from, "stop_reason");
    pbay_str details = pbay_json_get(from, "stop_details"), why;

    if (!filled(word))
        return PBAY_OK;
    c->stop = PBAY_STOP_END;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        if (pbay_json_is(word, stops[i].word))
            c->stop = stops[i].code;
    c->stop_name = pbay_text(o->host, c->call, word);
    c->stop_text =
        pbay_text(o->host, c->call, pbay_json_get(from, "stop_sequence"));
    if (c->stop != PBAY_STOP_FILTER)
        return PBAY_OK;
    why = pbay_json_get(details, "explanation");
    return text(o, c, PBAY_EV_REFUSAL,
                filled(why) ? why : pbay_json_get(details, "category"));
}

static pbay_rc stop(struct claude *o, struct call *c)
{
    pbay_event ev = {.type = PBAY_EV_STOP,
                     .code = c->stop,
                     .name = c->stop_name,
                     .text = c->stop_text};

    if (!c->stop)
        ev.code = c->n_calls ? PBAY_STOP_TOOL : PBAY_STOP_END;
    c->ended = 1;
    return cl_emit(o, c, &ev);
}

/* ------------------------------------------------------------------- whole */

static pbay_rc whole_block(struct claude *o, struct call *c, pbay_str block)
{
    pbay_str cites;
    uint64_t from = c->chars;
    pbay_rc rc;

    if (c->n_blocks++ == BLOCKS_MAX)
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the reply has more blocks than can be");
    switch (kind_of(pbay_json_get(block, "type"))) {
    case BLOCK_TEXT:
        rc = text(o, c, PBAY_EV_TEXT, pbay_json_get(block, "text"));
        cites = pbay_json_get(block, "citations");
        if (rc != PBAY_OK || pbay_json_type(cites) != 'a')
            return rc;
        return cl_citations(o, c, from, cites);
    case BLOCK_THINKING:
        rc = text(o, c, PBAY_EV_REASONING, pbay_json_get(block, "thinking"));
        return rc == PBAY_OK ? opaque(o, c, block) : rc;
    case BLOCK_TOOL:
        rc = call_begin(o, c, c->n_calls, block);
        if (rc == PBAY_OK)
            rc = call_input(o, c, c->n_calls++, pbay_json_get(block, "input"));
        return rc;
    default:
        return opaque(o, c, block);
    }
}

pbay_rc cl_message(struct claude *o, struct call *c, pbay_str data)
{
    pbay_str content = pbay_json_get(data, "content"), block;
    size_t pos = 0;
    pbay_rc rc;

    if (pbay_json_type(content) != 'a')
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the reply is no message: it has no content");
    rc = begin(o, c, data);
    if (rc == PBAY_OK)
        rc = cl_content(o, c);
    while (rc == PBAY_OK && pbay_json_next(content, &pos, NULL, &block))
        rc = whole_block(o, c, block);
    if (rc == PBAY_OK)
        rc = stop_reason(o, c, data);
    if (rc == PBAY_OK)
        rc = cl_usage(o, c, pbay_json_get(data, "usage"));
    return rc == PBAY_OK ? stop(o, c) : rc;
}

/* ----------------------------------------------------------- blocks by parts
 */

static struct block *block_at(struct call *c, int64_t index)
{
    struct block *b = c->blocks;

    while (b && b->index != index)
        b = b->next;
    return b;
}

static void block_close(struct call *c, const struct block *b)
{
    struct block **at = &c->blocks;

    while (*at && *at != b)
        at = &(*at)->next;
    if (*at)
        *at = b->next;
}

static void room_for(struct claude *o, struct call *c, struct block *b,
                     pbay_out *w)
{
    b->grow_with[0] = o;
    b->grow_with[1] = c;
    w->grow = cl_grow;
    w->arg = b->grow_with;
}

/* The inside of a JSON string, escapes and all: joined they make the string
 * that the whole would have been. */
static pbay_rc append(pbay_out *w, pbay_str value)
{
    if (filled(value))
        pbay_out_raw(w, (pbay_str){value.p + 1, value.n - 2});
    return w->failed ? PBAY_NOMEM : PBAY_OK;
}

static pbay_rc block_start(struct claude *o, struct call *c, int64_t index,
                           pbay_str start)
{
    struct block *b;

    if (c->n_blocks++ >= BLOCKS_MAX || block_at(c, index))
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the reply has more blocks than can be, or one twice");
    b = o->host->alloc(c->call, sizeof *b);
    if (!b)
        return PBAY_NOMEM;
    b->index = index;
    b->kind = kind_of(pbay_json_get(start, "type"));
    room_for(o, c, b, &b->thinking);
    room_for(o, c, b, &b->signature);
    room_for(o, c, b, &b->input);
    room_for(o, c, b, &b->cites);
    b->from = c->chars;
    b->next = c->blocks;
    c->blocks = b;
    if (b->kind == BLOCK_TEXT)
        return text(o, c, PBAY_EV_TEXT, pbay_json_get(start, "text"));
    if (!cl_wants(c, PBAY_EV_BLOCK) && b->kind != BLOCK_TOOL)
        return text(o, c, PBAY_EV_REASONING, pbay_json_get(start, "thinking"));
    b->start = cl_copy(o, c, start);
    if (!b->start.n)
        return PBAY_NOMEM;
    if (b->kind == BLOCK_TOOL) {
        b->call = c->n_calls++;
        return call_begin(o, c, b->call, start);
    }
    append(&b->signature, pbay_json_get(start, "signature"));
    append(&b->thinking, pbay_json_get(start, "thinking"));
    return text(o, c, PBAY_EV_REASONING, pbay_json_get(start, "thinking"));
}

static pbay_rc input_delta(struct claude *o, struct call *c, struct block *b,
                           pbay_str piece)
{
    pbay_event ev = {.type = PBAY_EV_CALL, .index = b->call};
    char buf[1024];
    size_t pos = 0, n;

    if (!filled(piece))
        return PBAY_OK;
    b->has_input = 1;
    if (b->kind == BLOCK_TOOL)
        return cl_wants(c, PBAY_EV_CALL) ? cl_emit_text(o, c, &ev, piece)
                                         : PBAY_OK;
    if (!cl_wants(c, PBAY_EV_BLOCK))
        return PBAY_OK;
    while ((n = pbay_json_unescape_part(piece, &pos, buf, sizeof buf)) > 0)
        pbay_out_raw(&b->input, (pbay_str){buf, n});
    return b->input.failed ? PBAY_NOMEM : PBAY_OK;
}

/* Kept until the block's text is complete. */
static pbay_rc cite(const struct call *c, struct block *b, pbay_str citation)
{
    if (b->kind != BLOCK_TEXT || !cl_wants(c, PBAY_EV_TEXT) ||
        pbay_json_type(citation) != 'o')
        return PBAY_OK;
    pbay_out_cstr(&b->cites, b->cites.n ? "," : "[");
    pbay_out_raw(&b->cites, citation);
    return b->cites.failed ? PBAY_NOMEM : PBAY_OK;
}

static pbay_rc block_delta(struct claude *o, struct call *c, struct block *b,
                           pbay_str delta)
{
    pbay_str type = pbay_json_get(delta, "type"), v;
    pbay_rc rc = PBAY_OK;

    if (pbay_json_is(type, "text_delta"))
        return text(o, c, PBAY_EV_TEXT, pbay_json_get(delta, "text"));
    if (pbay_json_is(type, "input_json_delta"))
        return input_delta(o, c, b, pbay_json_get(delta, "partial_json"));
    if (pbay_json_is(type, "thinking_delta")) {
        v = pbay_json_get(delta, "thinking");
        if (cl_wants(c, PBAY_EV_BLOCK))
            rc = append(&b->thinking, v);
        return rc == PBAY_OK ? text(o, c, PBAY_EV_REASONING, v) : rc;
    }
    if (pbay_json_is(type, "signature_delta") && cl_wants(c, PBAY_EV_BLOCK))
        return append(&b->signature, pbay_json_get(delta, "signature"));
    if (pbay_json_is(type, "citations_delta"))
        return cite(c, b, pbay_json_get(delta, "citation"));
    return PBAY_OK; /* what is newer than this */
}

/* A thought is made whole from its pieces. */
static pbay_rc thought(struct claude *o, struct call *c, struct block *b)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = cl_grow, .arg = with};

    if (!cl_wants(c, PBAY_EV_BLOCK))
        return PBAY_OK;
    pbay_out_cstr(&w, "{\"type\":\"thinking\",\"thinking\":\"");
    pbay_out_raw(&w, (pbay_str){b->thinking.p, b->thinking.n});
    pbay_out_cstr(&w, "\",\"signature\":\"");
    pbay_out_raw(&w, (pbay_str){b->signature.p, b->signature.n});
    pbay_out_cstr(&w, "\"}");
    if (w.failed || b->thinking.failed || b->signature.failed)
        return PBAY_NOMEM;
    return opaque(o, c, (pbay_str){w.p, w.n});
}

/* Any other block, with the input that came after its start. */
static pbay_rc other(struct claude *o, struct call *c, struct block *b)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = cl_grow, .arg = with};
    pbay_str input = {b->input.p, b->input.n}, key, value;
    size_t pos = 0;
    int n = 0;

    if (!cl_wants(c, PBAY_EV_BLOCK))
        return PBAY_OK;
    if (!b->has_input || pbay_json_check(input, NULL) < 0)
        return opaque(o, c, b->start);
    pbay_out_cstr(&w, "{");
    while (pbay_json_next(b->start, &pos, &key, &value)) {
        pbay_out_cstr(&w, n++ ? ",\"" : "\"");
        pbay_out_raw(&w, key);
        pbay_out_cstr(&w, "\":");
        pbay_out_raw(&w, cl_is(key, "input") ? input : value);
    }
    pbay_out_cstr(&w, "}");
    return w.failed ? PBAY_NOMEM : opaque(o, c, (pbay_str){w.p, w.n});
}

static pbay_rc block_stop(struct claude *o, struct call *c, struct block *b)
{
    block_close(c, b);
    switch (b->kind) {
    case BLOCK_TEXT:
        if (!b->cites.n)
            return PBAY_OK;
        pbay_out_cstr(&b->cites, "]");
        return b->cites.failed
                   ? PBAY_NOMEM
                   : cl_citations(o, c, b->from,
                                  (pbay_str){b->cites.p, b->cites.n});
    case BLOCK_THINKING:
        return thought(o, c, b);
    case BLOCK_TOOL:
        if (b->has_input)
            return PBAY_OK;
        return call_input(o, c, b->call, pbay_json_get(b->start, "input"));
    default:
        return other(o, c, b);
    }
}

/* ------------------------------------------------------------------- events */

/* Does it carry something of the answer?  A start of a text does not. */
static int is_content(pbay_str type, pbay_str data)
{
    pbay_str start;

    if (pbay_json_is(type, "content_block_start")) {
        start = pbay_json_get(data, "content_block");
        return !pbay_json_is(pbay_json_get(start, "type"), "text") ||
               filled(pbay_json_get(start, "text"));
    }
    return pbay_json_is(type, "content_block_delta") ||
           pbay_json_is(type, "message_delta");
}

static pbay_rc block_event(struct claude *o, struct call *c, pbay_str type,
                           pbay_str data)
{
    int64_t index;
    struct block *b;

    if (pbay_json_i64(pbay_json_get(data, "index"), &index) < 0)
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "a block of the reply has no index");
    if (pbay_json_is(type, "content_block_start"))
        return block_start(o, c, index, pbay_json_get(data, "content_block"));
    b = block_at(c, index);
    if (!b)
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "a part of the reply belongs to no block");
    if (pbay_json_is(type, "content_block_stop"))
        return block_stop(o, c, b);
    return block_delta(o, c, b, pbay_json_get(data, "delta"));
}

static pbay_rc message_event(struct claude *o, struct call *c, pbay_str type,
                             pbay_str data)
{
    pbay_str message = pbay_json_get(data, "message");
    pbay_rc rc;

    if (pbay_json_is(type, "message_start")) {
        rc = begin(o, c, message);
        return rc == PBAY_OK ? cl_usage(o, c, pbay_json_get(message, "usage"))
                             : rc;
    }
    if (pbay_json_is(type, "message_delta")) {
        rc = stop_reason(o, c, pbay_json_get(data, "delta"));
        return rc == PBAY_OK ? cl_usage(o, c, pbay_json_get(data, "usage"))
                             : rc;
    }
    if (!c->begun || c->blocks)
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "the reply ended in the middle of an answer");
    rc = stop(o, c);
    return rc == PBAY_OK ? PBAY_END : rc;
}

/* Events that are not known here are passed over, as the API's versioning asks
 * of its clients. */
pbay_rc cl_event(struct claude *o, struct call *c, pbay_str data)
{
    static const char *const blocks[] = {
        "content_block_start", "content_block_delta", "content_block_stop"};
    static const char *const messages[] = {"message_start", "message_delta",
                                           "message_stop"};
    pbay_str type = pbay_json_get(data, "type");

    if (!c->content && is_content(type, data)) {
        pbay_rc rc = cl_content(o, c);
        if (rc != PBAY_OK)
            return rc;
    }
    for (int i = 0; i < 3; i++) {
        if (pbay_json_is(type, blocks[i]))
            return block_event(o, c, type, data);
        if (pbay_json_is(type, messages[i]))
            return message_event(o, c, type, data);
    }
    return PBAY_OK;
}
