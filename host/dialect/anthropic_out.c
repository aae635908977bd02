/* SPDX-License-Identifier: MIT */
/* Anthropic messages out of events; see anthropic_out.h for the rules. */
#include "dialect/anthropic_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/opaque.h"
#include <patchbay/json.h>

#define TOOLS_MAX 128

enum open {
    NONE,
    TEXT,
    THINKING,
    TOOL
};

struct tool {
    struct buf id, name, args;
    bool begun, sent; /* its block is (or was) open / is complete */
};

struct an_render {
    bool stream;
    char id[128], model[256];
    enum open open;
    uint32_t open_tool;
    unsigned blocks;    /* how many have been begun */
    struct buf content; /* whole: the blocks so far */
    struct buf text;    /* whole: of the open block */
    struct tool *tools;
    size_t n_tools, kept; /* kept: bytes of arguments of all of them */
    bool stopped;
    uint32_t stop;
    struct buf stop_sequence;
};

static void copy(char *dst, size_t room, pbay_str s)
{
    size_t n = s.n < room ? s.n : room - 1;

    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
}

struct an_render *an_render_new(bool stream, pbay_str id, pbay_str model)
{
    struct an_render *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->stream = stream;
    snprintf(r->id, sizeof(r->id), "msg_%.*s", STR_ARG(id));
    copy(r->model, sizeof(r->model), model);
    buf_init(&r->content, LIM_REPLY);
    buf_init(&r->text, LIM_REPLY);
    buf_init(&r->stop_sequence, LIM_KIB(16));
    return r;
}

void an_render_free(struct an_render *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_tools; i++) {
        buf_done(&r->tools[i].id);
        buf_done(&r->tools[i].name);
        buf_done(&r->tools[i].args);
    }
    free(r->tools);
    buf_done(&r->content);
    buf_done(&r->text);
    buf_done(&r->stop_sequence);
    free(r);
}

static struct tool *tool_at(struct an_render *r, uint32_t i)
{
    struct tool *v;

    if (i >= TOOLS_MAX)
        return NULL;
    if (i >= r->n_tools) {
        v = realloc(r->tools, (i + 1) * sizeof(*v));
        if (!v)
            return NULL;
        for (size_t j = r->n_tools; j <= i; j++) {
            memset(&v[j], 0, sizeof(v[j]));
            buf_init(&v[j].id, LIM_KIB(4));
            buf_init(&v[j].name, LIM_KIB(4));
            buf_init(&v[j].args, LIM_REPLY);
        }
        r->tools = v;
        r->n_tools = i + 1;
    }
    return &r->tools[i];
}

/* --- stream events ------------------------------------------------------- */

static int sse(struct buf *o, const char *name)
{
    return buf_printf(o, "event: %s\ndata: {\"type\":\"%s\"", name, name);
}

static int sse_end(struct buf *o)
{
    return buf_addc(o, "}\n\n");
}

static int delta(struct an_render *r, struct buf *o, const char *type,
                 const char *field, pbay_str text)
{
    int rc = sse(o, "content_block_delta");

    rc |= buf_printf(o, ",\"index\":%u,\"delta\":{\"type\":\"%s\",\"%s\":",
                     r->blocks - 1, type, field);
    rc |= buf_json(o, text);
    rc |= buf_addc(o, "}");
    return rc | sse_end(o);
}

static int block_start(struct an_render *r, struct buf *o, pbay_str block)
{
    int rc = sse(o, "content_block_start");

    rc |= buf_printf(o, ",\"index\":%u,\"content_block\":", r->blocks++);
    rc |= buf_add(o, block);
    return rc | sse_end(o);
}

static int block_stop(struct an_render *r, struct buf *o)
{
    int rc = sse(o, "content_block_stop");

    rc |= buf_printf(o, ",\"index\":%u", r->blocks - 1);
    return rc | sse_end(o);
}

/* --- blocks -------------------------------------------------------------- */

/* A block's JSON into the whole message. */
static int keep_block(struct an_render *r, pbay_str block)
{
    int rc = r->content.n ? buf_addc(&r->content, ",") : 0;

    return rc | buf_add(&r->content, block);
}

static int tool_block(struct tool *t, pbay_str input, struct buf *b)
{
    int rc = buf_addc(b, "{\"type\":\"tool_use\",\"id\":");

    rc |= buf_json(b, buf_str(&t->id));
    rc |= buf_addc(b, ",\"name\":");
    rc |= buf_json(b, buf_str(&t->name));
    rc |= buf_addc(b, ",\"input\":");
    rc |= buf_add(b, input);
    return rc | buf_addc(b, "}");
}

/* Whole: the open text or thinking becomes a block. */
static int keep_open(struct an_render *r)
{
    struct buf b;
    int rc;

    buf_init(&b, LIM_REPLY);
    rc = buf_addc(&b, r->open == TEXT ? "{\"type\":\"text\",\"text\":"
                                      : "{\"type\":\"thinking\",\"thinking\":");
    rc |= buf_json(&b, buf_str(&r->text));
    rc |= buf_addc(&b, r->open == TEXT ? "}" : ",\"signature\":\"\"}");
    rc |= keep_block(r, buf_str(&b));
    buf_done(&b);
    buf_reset(&r->text, 0);
    return rc;
}

static int close_open(struct an_render *r, struct buf *o)
{
    int rc = 0;

    if (r->open == NONE)
        return 0;
    if (r->stream)
        rc = block_stop(r, o);
    else if (r->open != TOOL)
        rc = keep_open(r);
    if (r->open == TOOL)
        r->tools[r->open_tool].sent = r->stream;
    r->open = NONE;
    return rc;
}

/* Arguments as the object that Anthropic wants; {NULL,0} if they are none. */
static pbay_str input_of(const struct tool *t)
{
    pbay_str args = buf_str(&t->args);

    if (!t->args.n)
        return STR("{}");
    if (pbay_json_check(args, NULL) < 0 || pbay_json_type(args) != 'o')
        return STR_NONE;
    return args;
}

/* One that was kept, as a whole block. */
static int flush_tool(struct an_render *r, struct tool *t, struct buf *o)
{
    pbay_str input = input_of(t);
    struct buf b;
    int rc;

    t->sent = true;
    if (!input.p)
        return -1;
    buf_init(&b, LIM_REPLY);
    rc = tool_block(t, r->stream ? STR("{}") : input, &b);
    if (r->stream) {
        rc |= block_start(r, o, buf_str(&b));
        if (t->args.n)
            rc |= delta(r, o, "input_json_delta", "partial_json", input);
        rc |= block_stop(r, o);
    } else {
        rc |= keep_block(r, buf_str(&b));
    }
    buf_done(&b);
    return rc;
}

/* Tools whose fragments were kept while another block was open. */
static int flush_tools(struct an_render *r, struct buf *o)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->n_tools; i++)
        if (!r->tools[i].sent && r->tools[i].name.n)
            rc = flush_tool(r, &r->tools[i], o);
    return rc;
}

static int text_event(struct an_render *r, const pbay_event *ev, enum open kind,
                      struct buf *o)
{
    int rc = 0;

    if (r->open != kind) {
        rc |= close_open(r, o) | flush_tools(r, o);
        if (r->stream)
            rc |= block_start(r, o,
                              kind == TEXT
                                  ? STR("{\"type\":\"text\",\"text\":\"\"}")
                                  : STR("{\"type\":\"thinking\",\"thinking\":"
                                        "\"\",\"signature\":\"\"}"));
        r->open = kind;
    }
    if (!r->stream)
        return rc | buf_add(&r->text, ev->text);
    return rc |
           (kind == TEXT ? delta(r, o, "text_delta", "text", ev->text)
                         : delta(r, o, "thinking_delta", "thinking", ev->text));
}

static int call_event(struct an_render *r, const pbay_event *ev, struct buf *o)
{
    struct tool *t = tool_at(r, ev->index);
    struct buf b;
    int rc = 0;

    if (!t || t->sent)
        return -1; /* its block is closed: the rest can't be shown */
    if (ev->id.n && !t->id.n)
        rc |= buf_add(&t->id, ev->id);
    if (ev->name.n && !t->name.n)
        rc |= buf_add(&t->name, ev->name);
    if (r->stream && r->open != TOOL && !t->begun && t->name.n) {
        rc |= close_open(r, o);
        buf_init(&b, LIM_KIB(16));
        rc |= tool_block(t, STR("{}"), &b);
        rc |= block_start(r, o, buf_str(&b));
        buf_done(&b);
        r->open = TOOL;
        r->open_tool = ev->index;
        t->begun = true;
    }
    if (r->stream && r->open == TOOL && r->open_tool == ev->index)
        return ev->text.n ? rc | delta(r, o, "input_json_delta", "partial_json",
                                       ev->text)
                          : rc;
    r->kept += ev->text.n;
    return r->kept > LIM_REPLY ? -1 : rc | buf_add(&t->args, ev->text);
}

/* --- opaque blocks ------------------------------------------------------- */

static int wrap_opaque(pbay_str json, struct buf *b)
{
    if (buf_addc(b, "{\"type\":\"redacted_thinking\",\"data\":\"") < 0 ||
        opaque_wrap(json, b) < 0)
        return -1;
    return buf_addc(b, "\"}");
}

/* The signature of the thinking that is open closes it. */
static int sign_open(struct an_render *r, pbay_str signature, struct buf *o)
{
    struct buf b;
    int rc;

    if (r->stream) {
        rc = sse(o, "content_block_delta");
        rc |= buf_printf(o,
                         ",\"index\":%u,\"delta\":{\"type\":"
                         "\"signature_delta\",\"signature\":",
                         r->blocks - 1);
        rc |= buf_add(o, signature);
        rc |= buf_addc(o, "}");
        rc |= sse_end(o);
        return rc | close_open(r, o);
    }
    buf_init(&b, LIM_REPLY);
    rc = buf_addc(&b, "{\"type\":\"thinking\",\"thinking\":");
    rc |= buf_json(&b, buf_str(&r->text));
    rc |= buf_addc(&b, ",\"signature\":");
    rc |= buf_add(&b, signature);
    rc |= buf_addc(&b, "}");
    rc |= keep_block(r, buf_str(&b));
    buf_done(&b);
    buf_reset(&r->text, 0);
    r->open = NONE;
    return rc;
}

static int opaque_event(struct an_render *r, const pbay_event *ev,
                        struct buf *o)
{
    pbay_str type = pbay_json_get(ev->json, "type");
    pbay_str signature = pbay_json_get(ev->json, "signature");
    struct buf b;
    int rc;

    if (pbay_json_check(ev->json, NULL) < 0)
        return -1;
    if (pbay_json_is(type, "thinking") && pbay_json_type(signature) == 's' &&
        r->open == THINKING)
        return sign_open(r, signature, o);
    rc = close_open(r, o) | flush_tools(r, o);
    buf_init(&b, LIM_REPLY);
    if (pbay_json_is(type, "redacted_thinking") ||
        pbay_json_is(type, "thinking"))
        rc |= buf_add(&b, ev->json);
    else
        rc |= wrap_opaque(ev->json, &b);
    if (r->stream)
        rc |= block_start(r, o, buf_str(&b)) | block_stop(r, o);
    else
        rc |= keep_block(r, buf_str(&b));
    buf_done(&b);
    return rc;
}

/* --- the whole ----------------------------------------------------------- */

int an_render_begin(struct an_render *r, pbay_str id, pbay_str model,
                    struct buf *out)
{
    int rc;

    if (id.n)
        copy(r->id, sizeof(r->id), id);
    if (model.n)
        copy(r->model, sizeof(r->model), model);
    if (!r->stream)
        return 0;
    rc = sse(out, "message_start");
    rc |= buf_addc(out, ",\"message\":{\"id\":");
    rc |= buf_json(out, str_c(r->id));
    rc |= buf_addc(out, ",\"type\":\"message\",\"role\":\"assistant\","
                        "\"model\":");
    rc |= buf_json(out, str_c(r->model));
    rc |= buf_addc(out, ",\"content\":[],\"stop_reason\":null,"
                        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,"
                        "\"output_tokens\":0}}");
    return rc | sse_end(out);
}

int an_render_resume(struct an_render *r, const struct an_place *at)
{
    if (at->lost || at->open == AN_OTHER || !r->stream)
        return -1;
    r->blocks = at->blocks;
    r->open = at->open == AN_TEXT       ? TEXT
              : at->open == AN_THINKING ? THINKING
                                        : NONE;
    return 0;
}

int an_render_event(struct an_render *r, const pbay_event *ev, struct buf *out)
{
    if (ev->choice != 0)
        return 0; /* this API has one answer, and asks for one */
    switch (ev->type) {
    case PBAY_EV_TEXT:
    case PBAY_EV_REFUSAL:
        return ev->text.n ? text_event(r, ev, TEXT, out) : 0;
    case PBAY_EV_REASONING:
        return ev->text.n ? text_event(r, ev, THINKING, out) : 0;
    case PBAY_EV_CALL:
        return call_event(r, ev, out);
    case PBAY_EV_BLOCK:
        return opaque_event(r, ev, out);
    case PBAY_EV_STOP:
        r->stopped = true;
        r->stop = ev->code;
        return ev->text.n ? buf_add(&r->stop_sequence, ev->text) : 0;
    default:
        return 0;
    }
}

static const char *stop_reason(const struct an_render *r)
{
    switch (r->stop) {
    case PBAY_STOP_LENGTH:
        return "max_tokens";
    case PBAY_STOP_TOOL:
        return "tool_use";
    case PBAY_STOP_FILTER:
        return "refusal";
    case PBAY_STOP_PAUSE:
        return "pause_turn";
    case PBAY_STOP_CONTEXT:
        return "model_context_window_exceeded";
    default:
        return r->stop_sequence.n ? "stop_sequence" : "end_turn";
    }
}

static int put_stop(struct an_render *r, struct buf *o)
{
    int rc = buf_printf(
        o, "\"stop_reason\":\"%s\",\"stop_sequence\":", stop_reason(r));

    return rc | (r->stop_sequence.n ? buf_json(o, buf_str(&r->stop_sequence))
                                    : buf_addc(o, "null"));
}

/* Anthropic's input_tokens leave out what was cached. */
static int put_usage(const pbay_usage *u, struct buf *o)
{
    uint64_t read = u->known & PBAY_U_CACHE_READ ? u->cache_read : 0;
    uint64_t wrote = u->known & PBAY_U_CACHE_WRITE ? u->cache_write : 0;
    uint64_t input = u->known & PBAY_U_INPUT ? u->input : 0;
    uint64_t output = u->known & PBAY_U_OUTPUT ? u->output : 0;
    int rc;

    input = input > read + wrote ? input - read - wrote : 0;
    rc =
        buf_printf(o, "\"usage\":{\"input_tokens\":%llu,\"output_tokens\":%llu",
                   (unsigned long long)input, (unsigned long long)output);
    if (u->known & PBAY_U_CACHE_READ)
        rc |= buf_printf(o, ",\"cache_read_input_tokens\":%llu",
                         (unsigned long long)read);
    if (u->known & PBAY_U_CACHE_WRITE)
        rc |= buf_printf(o, ",\"cache_creation_input_tokens\":%llu",
                         (unsigned long long)wrote);
    return rc | buf_addc(o, "}");
}

static int stream_end(struct an_render *r, const pbay_usage *usage,
                      struct buf *o)
{
    int rc = sse(o, "message_delta");

    rc |= buf_addc(o, ",\"delta\":{");
    rc |= put_stop(r, o);
    rc |= buf_addc(o, "},");
    rc |= put_usage(usage, o);
    rc |= sse_end(o);
    rc |= sse(o, "message_stop");
    return rc | sse_end(o);
}

static int whole_end(struct an_render *r, const pbay_usage *usage,
                     struct buf *o)
{
    int rc = buf_addc(o, "{\"id\":");

    rc |= buf_json(o, str_c(r->id));
    rc |=
        buf_addc(o, ",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    rc |= buf_json(o, str_c(r->model));
    rc |= buf_addc(o, ",\"content\":[");
    rc |= buf_add(o, buf_str(&r->content));
    rc |= buf_addc(o, "],");
    rc |= put_stop(r, o);
    rc |= buf_addc(o, ",");
    rc |= put_usage(usage, o);
    return rc | buf_addc(o, "}");
}

int an_render_end(struct an_render *r, const pbay_usage *usage, struct buf *out)
{
    int rc = close_open(r, out) | flush_tools(r, out);

    if (rc < 0)
        return rc;
    return r->stream ? stream_end(r, usage, out) : whole_end(r, usage, out);
}

size_t an_error_json(const struct err *e, const char *request_id, char *dst,
                     size_t room)
{
    struct buf b;
    size_t n;

    buf_init(&b, LIM_KIB(16));
    buf_addc(&b, "{\"type\":\"error\",\"error\":{\"type\":");
    buf_json(&b, str_c(err_class(e->kind)->anthropic_type));
    buf_addc(&b, ",\"message\":");
    buf_json(&b, str_c(err_text(e)));
    buf_addc(&b, "},\"request_id\":");
    buf_json(&b, str_c(request_id));
    buf_addc(&b, "}");
    n = b.n <= room ? b.n : 0;
    if (n)
        memcpy(dst, buf_str(&b).p, n);
    buf_done(&b);
    return n;
}
