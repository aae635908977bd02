/* SPDX-License-Identifier: MIT */
/* Events to Responses, streamed or whole; the rules are in responses.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/opaque.h"
#include "dialect/openai.h"
#include "dialect/responses.h"
#include <patchbay/json.h>

#define ITEMS_MAX 512
/* Of a field of the request that stands in the answer again, three times in a
 * stream: what is larger is told as if it had not been said. */
#define ECHO_MAX LIM_MIB(1)

enum kind {
    TEXT,
    REFUSAL,
    REASONING,
    CALL
};

struct item {
    enum kind kind;
    bool done;
    uint32_t call;       /* CALL: the event's index */
    struct buf id, name; /* CALL: of the call */
    struct buf text;     /* arguments of a CALL */
    struct buf more;     /* TEXT: logprobs; REASONING: encrypted_content */
};

struct rs_render {
    struct dialog *x;
    char model[256];
    int64_t created;
    unsigned sequence;
    struct item *items;
    size_t n;
    long open;   /* the item that text goes to, -1: none */
    size_t kept; /* bytes of all items */
    bool stopped;
    uint32_t stop;
};

static void *render_new(struct dialog *x)
{
    struct rs_render *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->x = x;
    r->open = -1;
    r->created = clock_wall(x->d->manager->loop->clock) / 1000;
    snprintf(r->model, sizeof(r->model), "%.*s", STR_ARG(x->model));
    return r;
}

static void render_free(void *arg)
{
    struct rs_render *r = arg;

    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        buf_done(&r->items[i].id);
        buf_done(&r->items[i].name);
        buf_done(&r->items[i].text);
        buf_done(&r->items[i].more);
    }
    free(r->items);
    free(r);
}

/* --- pieces of JSON ------------------------------------------------------ */

static const char *prefix_of(const struct item *it)
{
    return it->kind == CALL ? "fc" : it->kind == REASONING ? "rs" : "msg";
}

/* "msg_<request>_<place>" */
static int put_item_id(const struct rs_render *r, const struct item *it,
                       struct buf *o)
{
    return buf_printf(o, "\"%s_%s_%zu\"", prefix_of(it), r->x->id + 4,
                      (size_t)(it - r->items));
}

static int put_part(const struct item *it, bool empty, struct buf *o)
{
    pbay_str text = empty ? STR("") : buf_str(&it->text);
    int rc;

    if (it->kind == REFUSAL) {
        rc = buf_addc(o, "{\"type\":\"refusal\",\"refusal\":");
        rc |= buf_json(o, text);
    } else if (it->kind == REASONING) {
        rc = buf_addc(o, "{\"type\":\"summary_text\",\"text\":");
        rc |= buf_json(o, text);
    } else {
        rc = buf_addc(o, "{\"type\":\"output_text\",\"text\":");
        rc |= buf_json(o, text);
        rc |= buf_addc(o, ",\"annotations\":[],\"logprobs\":[");
        rc |= empty ? 0 : buf_add(o, buf_str(&it->more));
        rc |= buf_addc(o, "]");
    }
    return rc | buf_addc(o, "}");
}

static int put_reasoning(const struct item *it, struct buf *o)
{
    int rc = buf_addc(o, ",\"type\":\"reasoning\",\"summary\":[");

    if (it->text.n)
        rc |= put_part(it, false, o);
    rc |= buf_addc(o, "]");
    if (it->more.n) {
        rc |= buf_addc(o, ",\"encrypted_content\":\"");
        rc |= buf_add(o, buf_str(&it->more));
        rc |= buf_addc(o, "\"");
    }
    return rc;
}

static int put_call(const struct item *it, const char *status, bool empty,
                    struct buf *o)
{
    int rc = buf_printf(
        o,
        ",\"type\":\"function_call\",\"status\":\"%s\",\"call_id\":", status);

    rc |= buf_json(o, buf_str(&it->id));
    rc |= buf_addc(o, ",\"name\":");
    rc |= buf_json(o, buf_str(&it->name));
    rc |= buf_addc(o, ",\"arguments\":");
    return rc | buf_json(o, empty ? STR("") : buf_str(&it->text));
}

/* empty: as it is announced, before anything of it has come. */
static int put_item(const struct rs_render *r, const struct item *it,
                    const char *status, bool empty, struct buf *o)
{
    int rc = buf_addc(o, "{\"id\":");

    rc |= put_item_id(r, it, o);
    if (it->kind == REASONING) {
        rc |= empty ? buf_addc(o, ",\"type\":\"reasoning\",\"summary\":[]")
                    : put_reasoning(it, o);
    } else if (it->kind == CALL) {
        rc |= put_call(it, status, empty, o);
    } else {
        rc |= buf_printf(o,
                         ",\"type\":\"message\",\"status\":\"%s\",\"role\":"
                         "\"assistant\",\"content\":[",
                         status);
        rc |= empty ? 0 : put_part(it, false, o);
        rc |= buf_addc(o, "]");
    }
    return rc | buf_addc(o, "}");
}

static int put_usage(const pbay_usage *u, struct buf *o)
{
    unsigned long long in = u->known & PBAY_U_INPUT ? u->input : 0;
    unsigned long long out = u->known & PBAY_U_OUTPUT ? u->output : 0;
    unsigned long long read = u->known & PBAY_U_CACHE_READ ? u->cache_read : 0;
    unsigned long long wrote =
        u->known & PBAY_U_CACHE_WRITE ? u->cache_write : 0;
    unsigned long long thought = u->known & PBAY_U_REASONING ? u->reasoning : 0;

    return buf_printf(
        o,
        ",\"usage\":{\"input_tokens\":%llu,\"input_tokens_details\":{\"cached_"
        "tokens\":"
        "%llu,\"cache_write_tokens\":%llu},\"output_tokens\":%llu,"
        "\"output_tokens_details\":{\"reasoning_tokens\":%llu},"
        "\"total_tokens\":%llu}",
        in, read, wrote, out, thought, in + out);
}

/* What the request said, or what stands in the answer where it said nothing. */
static int put_echo(const struct rs_render *r, struct buf *o)
{
    static const struct {
        const char *name, *otherwise;
    } echoes[] = {
        {"instructions", "null"},
        {"max_output_tokens", "null"},
        {"parallel_tool_calls", "true"},
        {"reasoning", "{\"effort\":null,\"summary\":null}"},
        {"service_tier", NULL},
        {"temperature", "null"},
        {"text", "{\"format\":{\"type\":\"text\"}}"},
        {"tool_choice", "\"auto\""},
        {"tools", "[]"},
        {"top_logprobs", NULL},
        {"top_p", "null"},
        {"user", NULL},
        {"safety_identifier", NULL},
        {"prompt_cache_key", NULL},
        {"metadata", "{}"},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(echoes) / sizeof(*echoes); i++) {
        pbay_str v =
            pbay_json_find(r->x->members, r->x->n_members, echoes[i].name);
        if (!v.p || pbay_json_type(v) == '0' || v.n > ECHO_MAX)
            v = echoes[i].otherwise ? str_c(echoes[i].otherwise) : STR_NONE;
        if (!v.p)
            continue;
        rc |= buf_printf(o, ",\"%s\":", echoes[i].name);
        rc |= buf_add(o, v);
    }
    return rc;
}

static int put_error(const struct err *e, struct buf *o)
{
    int rc = buf_printf(o, "{\"code\":\"%s\",\"message\":",
                        e->kind == PBAY_E_RATE ? "rate_limit_exceeded"
                                               : "server_error");

    rc |= buf_json(o, str_c(err_text(e)));
    return rc | buf_addc(o, "}");
}

/* Of an answer that was not completed; NULL: nothing was missing. */
static const char *missing(const struct rs_render *r)
{
    switch (r->stop) {
    case PBAY_STOP_LENGTH:
    case PBAY_STOP_CONTEXT:
    case PBAY_STOP_PAUSE: /* this API has no nearer word */
        return "max_output_tokens";
    case PBAY_STOP_FILTER:
        return "content_filter";
    default:
        return NULL;
    }
}

static int put_output(const struct rs_render *r, const char *status,
                      struct buf *o)
{
    int rc = buf_addc(o, ",\"output\":[");

    for (size_t i = 0; i < r->n; i++) {
        const struct item *it = &r->items[i];
        rc |= i ? buf_addc(o, ",") : 0;
        rc |= put_item(r, it, it->done ? "completed" : status, false, o);
    }
    return rc | buf_addc(o, "]");
}

/* e: status "failed"; usage: of a complete one. */
static int put_response(const struct rs_render *r, const char *status,
                        const struct err *e, const pbay_usage *usage,
                        struct buf *o)
{
    const char *why = strcmp(status, "incomplete") == 0 ? missing(r) : NULL;
    int rc = buf_printf(o,
                        "{\"id\":\"resp_%s\",\"object\":\"response\","
                        "\"created_at\":%lld,\"status\":\"%s\",\"model\":",
                        r->x->id + 4, (long long)r->created, status);

    rc |= buf_json(o, str_c(r->model));
    rc |= buf_addc(o, ",\"error\":");
    rc |= e ? put_error(e, o) : buf_addc(o, "null");
    rc |=
        why ? buf_printf(o, ",\"incomplete_details\":{\"reason\":\"%s\"}", why)
            : buf_addc(o, ",\"incomplete_details\":null");
    rc |= put_output(r, "incomplete", o);
    rc |= put_echo(r, o);
    rc |= buf_addc(o, ",\"background\":false,\"previous_response_id\":null,"
                      "\"store\":false,\"truncation\":\"disabled\"");
    rc |= usage && usage->known ? put_usage(usage, o) : 0;
    return rc | buf_addc(o, "}");
}

/* --- stream events ------------------------------------------------------- */

static int sse(struct rs_render *r, struct buf *o, const char *type)
{
    return buf_printf(o,
                      "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":"
                      "%u",
                      type, type, r->sequence++);
}

static int sse_end(struct buf *o)
{
    return buf_addc(o, "}\n\n");
}

static int sse_response(struct rs_render *r, struct buf *o, const char *type,
                        const char *status, const struct err *e,
                        const pbay_usage *usage)
{
    int rc = sse(r, o, type);

    rc |= buf_addc(o, ",\"response\":");
    rc |= put_response(r, status, e, usage, o);
    return rc | sse_end(o);
}

/* An event about an item: its id and place, and the part's. */
static int sse_item(struct rs_render *r, struct buf *o, const char *type,
                    const struct item *it)
{
    int rc = sse(r, o, type);

    rc |= buf_addc(o, ",\"item_id\":");
    rc |= put_item_id(r, it, o);
    rc |= buf_printf(o, ",\"output_index\":%zu", (size_t)(it - r->items));
    if (it->kind != CALL)
        rc |= buf_printf(o, ",\"%s\":0",
                         it->kind == REASONING ? "summary_index"
                                               : "content_index");
    return rc;
}

static int sse_whole(struct rs_render *r, struct buf *o, const char *type,
                     const struct item *it, const char *status, bool empty)
{
    int rc = sse(r, o, type);

    rc |= buf_printf(
        o, ",\"output_index\":%zu,\"item\":", (size_t)(it - r->items));
    rc |= put_item(r, it, status, empty, o);
    return rc | sse_end(o);
}

/* The names that an item's events have. */
static const struct {
    const char *part, *text, *field; /* part NULL: it has no parts */
} words[] = {
    [TEXT] = {"response.content_part", "response.output_text", "text"},
    [REFUSAL] = {"response.content_part", "response.refusal", "refusal"},
    [REASONING] = {"response.reasoning_summary_part",
                   "response.reasoning_summary_text", "text"},
    [CALL] = {NULL, "response.function_call_arguments", "arguments"},
};

static int sse_part(struct rs_render *r, struct buf *o, const struct item *it,
                    const char *what)
{
    char type[64];
    int rc;

    snprintf(type, sizeof(type), "%s.%s", words[it->kind].part, what);
    rc = sse_item(r, o, type, it);
    rc |= buf_addc(o, ",\"part\":");
    rc |= put_part(it, strcmp(what, "added") == 0, o);
    return rc | sse_end(o);
}

static int sse_delta(struct rs_render *r, struct buf *o, const struct item *it,
                     pbay_str text, pbay_str logprobs)
{
    char type[64];
    int rc;

    snprintf(type, sizeof(type), "%s.delta", words[it->kind].text);
    rc = sse_item(r, o, type, it);
    rc |= buf_addc(o, ",\"delta\":");
    rc |= buf_json(o, text);
    if (it->kind == TEXT) {
        rc |= buf_addc(o, ",\"logprobs\":");
        rc |= buf_add(o, logprobs.n ? logprobs : STR("[]"));
    }
    return rc | sse_end(o);
}

static int sse_done(struct rs_render *r, struct buf *o, const struct item *it)
{
    char type[64];
    int rc;

    snprintf(type, sizeof(type), "%s.done", words[it->kind].text);
    rc = sse_item(r, o, type, it);
    if (it->kind == CALL) {
        rc |= buf_addc(o, ",\"name\":");
        rc |= buf_json(o, buf_str(&it->name));
    }
    rc |= buf_printf(o, ",\"%s\":", words[it->kind].field);
    rc |= buf_json(o, buf_str(&it->text));
    if (it->kind == TEXT) {
        rc |= buf_addc(o, ",\"logprobs\":[");
        rc |= buf_add(o, buf_str(&it->more));
        rc |= buf_addc(o, "]");
    }
    return rc | sse_end(o);
}

/* --- items --------------------------------------------------------------- */

static struct item *add_item(struct rs_render *r, enum kind kind)
{
    struct item *v, *it;

    if (r->n == ITEMS_MAX)
        return NULL;
    v = realloc(r->items, (r->n + 1) * sizeof(*v));
    if (!v)
        return NULL;
    r->items = v;
    it = &v[r->n++];
    memset(it, 0, sizeof(*it));
    it->kind = kind;
    buf_init(&it->id, LIM_KIB(4));
    buf_init(&it->name, LIM_KIB(4));
    buf_init(&it->text, LIM_REPLY);
    buf_init(&it->more, LIM_REPLY);
    return it;
}

static int finish(struct rs_render *r, struct item *it, struct buf *o)
{
    const char *status = r->stopped && missing(r) ? "incomplete" : "completed";
    int rc = 0;

    if (it->done)
        return 0;
    it->done = strcmp(status, "completed") == 0;
    if (!r->x->stream)
        return 0;
    if (it->kind != REASONING || it->text.n) {
        rc |= sse_done(r, o, it);
        rc |= words[it->kind].part ? sse_part(r, o, it, "done") : 0;
    }
    return rc | sse_whole(r, o, "response.output_item.done", it, status, false);
}

static int close_open(struct rs_render *r, struct buf *o)
{
    long was = r->open;

    r->open = -1;
    return was < 0 ? 0 : finish(r, &r->items[was], o);
}

static int announce(struct rs_render *r, struct item *it, struct buf *o)
{
    return r->x->stream ? sse_whole(r, o, "response.output_item.added", it,
                                    "in_progress", true)
                        : 0;
}

/* The open item, if it is of that kind; else a new one. */
static struct item *open_item(struct rs_render *r, enum kind kind,
                              struct buf *o)
{
    struct item *it = r->open < 0 ? NULL : &r->items[r->open];

    if (it && it->kind == kind)
        return it;
    if (close_open(r, o) < 0 || !(it = add_item(r, kind)))
        return NULL;
    r->open = (long)r->n - 1;
    return announce(r, it, o) < 0 ? NULL : it;
}

/* Log-probabilities come as arrays, one a piece: keep the insides. */
static int keep_logprobs(struct item *it, pbay_str json)
{
    json = str_trim(json);
    if (it->kind != TEXT || json.n < 2 || json.p[0] != '[')
        return 0;
    json = str_trim(str_n(json.p + 1, json.n - 2));
    if (!json.n)
        return 0;
    return (it->more.n ? buf_addc(&it->more, ",") : 0) |
           buf_add(&it->more, json);
}

static int text_event(struct rs_render *r, const pbay_event *ev, enum kind kind,
                      struct buf *o)
{
    struct item *it;
    int rc = 0;

    if (!ev->text.n)
        return 0;
    it = open_item(r, kind, o);
    if (!it)
        return -1;
    if (r->x->stream && !it->text.n)
        rc |= sse_part(r, o, it, "added");
    rc |= buf_add(&it->text, ev->text) | keep_logprobs(it, ev->json);
    return r->x->stream ? rc | sse_delta(r, o, it, ev->text, ev->json) : rc;
}

static struct item *find_call(struct rs_render *r, uint32_t index)
{
    for (size_t i = r->n; i-- > 0;)
        if (r->items[i].kind == CALL && r->items[i].call == index)
            return &r->items[i];
    return NULL;
}

/* The first fragment of a call: it has the name, and an id or gets one. */
static struct item *new_call(struct rs_render *r, const pbay_event *ev,
                             struct buf *o)
{
    struct item *it;
    int rc;

    if (!ev->name.n || close_open(r, o) < 0 || !(it = add_item(r, CALL)))
        return NULL;
    it->call = ev->index;
    rc = buf_add(&it->name, ev->name);
    rc |= ev->id.n ? buf_add(&it->id, ev->id)
                   : buf_printf(&it->id, "call_%s_%u", r->x->id + 4, ev->index);
    return rc < 0 || announce(r, it, o) < 0 ? NULL : it;
}

static int call_event(struct rs_render *r, const pbay_event *ev, struct buf *o)
{
    struct item *it = find_call(r, ev->index);

    if (!it)
        it = new_call(r, ev, o);
    if (!it || buf_add(&it->text, ev->text) < 0)
        return -1;
    return r->x->stream && ev->text.n ? sse_delta(r, o, it, ev->text, STR_NONE)
                                      : 0;
}

/* It closes the reasoning that it seals, or is an item of its own. */
static int block_event(struct rs_render *r, const pbay_event *ev, struct buf *o)
{
    struct item *it;

    if (pbay_json_check(ev->json, NULL) < 0)
        return -1;
    it = open_item(r, REASONING, o);
    if (!it || opaque_wrap(ev->json, &it->more) < 0)
        return -1;
    return close_open(r, o);
}

/* --- the form ------------------------------------------------------------ */

static int begin(void *arg, pbay_str id, pbay_str model, struct buf *out)
{
    struct rs_render *r = arg;
    int rc;

    (void)id; /* of another API's answer */
    if (model.n)
        snprintf(r->model, sizeof(r->model), "%.*s", STR_ARG(model));
    if (!r->x->stream)
        return 0;
    rc = sse_response(r, out, "response.created", "in_progress", NULL, NULL);
    return rc | sse_response(r, out, "response.in_progress", "in_progress",
                             NULL, NULL);
}

static int event(void *arg, const pbay_event *ev, struct buf *out)
{
    struct rs_render *r = arg;
    size_t n = ev->text.n + ev->json.n + ev->id.n + ev->name.n;

    if (ev->choice != 0)
        return 0; /* this API has one answer, and asks for one */
    if (ev->type == PBAY_EV_STOP) {
        r->stopped = true;
        r->stop = ev->code;
        return 0;
    }
    if (ev->type < PBAY_EV_TEXT || ev->type > PBAY_EV_BLOCK)
        return 0;
    if (n > LIM_REPLY - r->kept)
        return -1;
    r->kept += n;
    switch (ev->type) {
    case PBAY_EV_TEXT:
        return text_event(r, ev, TEXT, out);
    case PBAY_EV_REFUSAL:
        return text_event(r, ev, REFUSAL, out);
    case PBAY_EV_REASONING:
        return text_event(r, ev, REASONING, out);
    case PBAY_EV_CALL:
        return call_event(r, ev, out);
    default:
        return block_event(r, ev, out);
    }
}

static int end(void *arg, const pbay_usage *usage, struct buf *out)
{
    struct rs_render *r = arg;
    const char *status = missing(r) ? "incomplete" : "completed";
    char type[32];
    int rc = close_open(r, out);

    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].kind == CALL)
            rc |= finish(r, &r->items[i], out);
    if (!r->x->stream)
        return rc | put_response(r, status, NULL, usage, out);
    snprintf(type, sizeof(type), "response.%s", status);
    return rc | sse_response(r, out, type, status, NULL, usage);
}

static int broken(struct dialog *x, const struct err *e, struct buf *out)
{
    struct rs_render *r = x->render;
    const struct err_class *ec = err_class(e->kind);
    int rc;

    rc = buf_printf(out,
                    "event: error\ndata: {\"type\":\"error\","
                    "\"sequence_number\":%u,\"code\":",
                    r ? r->sequence++ : rs_next(x));
    rc |= buf_json(out,
                   str_c(ec->openai_code ? ec->openai_code : "server_error"));
    rc |= buf_addc(out, ",\"message\":");
    rc |= buf_json(out, str_c(err_text(e)));
    rc |= buf_addc(out, ",\"param\":null");
    rc |= sse_end(out);
    return r ? rc | sse_response(r, out, "response.failed", "failed", e, NULL)
             : rc;
}

const struct chat_form rs_form = {
    .want = PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_TEXT) |
            PBAY_WANT(PBAY_EV_REASONING) | PBAY_WANT(PBAY_EV_REFUSAL) |
            PBAY_WANT(PBAY_EV_CALL) | PBAY_WANT(PBAY_EV_BLOCK) |
            PBAY_WANT(PBAY_EV_WARNING),
    .broken = broken,
    .passed = rs_passed,
    .error_json = oa_error_json,
    .render_new = render_new,
    .render_free = render_free,
    .begin = begin,
    .event = event,
    .end = end,
};
