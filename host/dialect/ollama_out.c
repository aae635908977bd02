/* SPDX-License-Identifier: MIT */
/* Ollama's answers out of events; see ollama_out.h for the rules. */
#include "dialect/ollama_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/str.h"
#include <patchbay/json.h>

#define CALLS_MAX 128

struct call_text {
    struct buf id, name, args;
    bool told;
};

struct ol_render {
    bool generate, stream;
    char model[512];
    struct clock *clock;
    int64_t started, first;            /* first: of the content; 0: none yet */
    struct buf text, thinking, blocks; /* whole: all of it */
    struct buf told;                   /* whole: the calls */
    struct buf logprobs;               /* whole */
    struct call_text *calls;
    size_t n_calls, kept; /* kept: bytes of all calls' arguments */
    uint32_t stop;
};

static void set_model(struct ol_render *r, pbay_str model)
{
    if (!model.n)
        return;
    model = str_head(model, sizeof(r->model) - 1);
    memcpy(r->model, model.p, model.n);
    r->model[model.n] = '\0';
}

struct ol_render *ol_render_new(bool generate, bool stream, pbay_str model,
                                struct clock *clock, int64_t started_ms)
{
    struct ol_render *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->generate = generate;
    r->stream = stream;
    r->clock = clock;
    r->started = started_ms;
    set_model(r, model);
    buf_init(&r->text, LIM_REPLY);
    buf_init(&r->thinking, LIM_REPLY);
    buf_init(&r->blocks, LIM_REPLY);
    buf_init(&r->told, LIM_REPLY);
    buf_init(&r->logprobs, LIM_REPLY);
    return r;
}

void ol_render_free(struct ol_render *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_calls; i++) {
        buf_done(&r->calls[i].id);
        buf_done(&r->calls[i].name);
        buf_done(&r->calls[i].args);
    }
    free(r->calls);
    buf_done(&r->text);
    buf_done(&r->thinking);
    buf_done(&r->blocks);
    buf_done(&r->told);
    buf_done(&r->logprobs);
    free(r);
}

int ol_put_time(struct buf *b, int64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    char text[32] = "1970-01-01T00:00:00";
    struct tm tm;

    if (gmtime_r(&t, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    return buf_printf(b, "\"%s.%03d000000Z\"", text, (int)(wall_ms % 1000));
}

int ol_render_begin(struct ol_render *r, pbay_str model)
{
    set_model(r, model);
    return 0;
}

/* JSON, on one line: outside of strings a line feed is but white space. */
static int put_json(struct buf *o, pbay_str json)
{
    int rc = 0;

    while (json.n && rc == 0) {
        const char *feed = memchr(json.p, '\n', json.n);
        size_t n = feed ? (size_t)(feed - json.p) : json.n;
        rc = buf_add(o, str_n(json.p, n)) | (feed ? buf_addc(o, " ") : 0);
        n += feed != NULL;
        json = str_n(json.p + n, json.n - n);
    }
    return rc;
}

/* --- lines --------------------------------------------------------------- */

static int line_open(struct ol_render *r, struct buf *o)
{
    int rc = buf_addc(o, "{\"model\":");

    rc |= buf_json(o, str_c(r->model));
    rc |= buf_addc(o, ",\"created_at\":");
    return rc | ol_put_time(o, clock_wall(r->clock));
}

struct piece {
    pbay_str text, thinking, calls, blocks, logprobs; /* calls ..: JSON */
};

static int put_list(struct buf *o, const char *name, pbay_str items)
{
    if (!items.n)
        return 0;
    return buf_printf(o, ",\"%s\":[", name) | put_json(o, items) |
           buf_addc(o, "]");
}

/* The answer's part of a line; logprobs stand beside the message. */
static int put_piece(struct ol_render *r, struct buf *o, const struct piece *p)
{
    int rc;

    if (r->generate) {
        rc = buf_addc(o, ",\"response\":") | buf_json(o, p->text);
    } else {
        rc = buf_addc(o, ",\"message\":{\"role\":\"assistant\",\"content\":");
        rc |= buf_json(o, p->text);
    }
    if (p->thinking.n) {
        rc |= buf_addc(o, ",\"thinking\":");
        rc |= buf_json(o, p->thinking);
    }
    rc |= put_list(o, "tool_calls", p->calls);
    rc |= put_list(o, "patchbay_blocks", p->blocks);
    if (!r->generate)
        rc |= buf_addc(o, "}");
    return rc | put_list(o, "logprobs", p->logprobs);
}

static int line(struct ol_render *r, struct buf *o, const struct piece *p)
{
    int rc = line_open(r, o);

    rc |= put_piece(r, o, p);
    return rc | buf_addc(o, ",\"done\":false}\n");
}

/* --- tool calls ---------------------------------------------------------- */

static struct call_text *call_at(struct ol_render *r, uint32_t i)
{
    struct call_text *v;

    if (i >= CALLS_MAX)
        return NULL;
    if (i < r->n_calls)
        return &r->calls[i];
    v = realloc(r->calls, (i + 1) * sizeof(*v));
    if (!v)
        return NULL;
    for (size_t j = r->n_calls; j <= i; j++) {
        memset(&v[j], 0, sizeof(v[j]));
        buf_init(&v[j].id, LIM_KIB(4));
        buf_init(&v[j].name, LIM_KIB(4));
        buf_init(&v[j].args, LIM_REPLY);
    }
    r->calls = v;
    r->n_calls = i + 1;
    return &r->calls[i];
}

static int take_call(struct ol_render *r, const pbay_event *ev)
{
    struct call_text *c = call_at(r, ev->index);

    if (!c || c->told)
        return -1;
    if (ev->id.n && !c->id.n && buf_add(&c->id, ev->id) < 0)
        return -1;
    if (ev->name.n && !c->name.n && buf_add(&c->name, ev->name) < 0)
        return -1;
    r->kept += ev->text.n;
    if (r->kept > LIM_REPLY)
        return -1;
    return buf_add(&c->args, ev->text) < 0 ? -1 : 0;
}

/* As an object of tool_calls.  Arguments that are no object, or a call without
 * a name, cannot be shown: below 0. */
static int put_call(struct buf *o, struct call_text *c, size_t i)
{
    pbay_str args = str_trim(buf_str(&c->args));
    int rc;

    if (!args.n)
        args = STR("{}");
    if (!c->name.n || pbay_json_check(args, NULL) < 0 ||
        pbay_json_type(args) != 'o')
        return -1;
    rc = buf_addc(o, "{\"id\":") | buf_json(o, buf_str(&c->id));
    rc |= buf_printf(o, ",\"function\":{\"index\":%zu,\"name\":", i);
    rc |= buf_json(o, buf_str(&c->name));
    rc |= buf_addc(o, ",\"arguments\":");
    rc |= buf_add(o, args);
    return rc | buf_addc(o, "}}");
}

/* All calls.  Not before the answer stops: the pieces of several may come
 * interleaved, so that only then each of them is complete. */
static int tell_calls(struct ol_render *r, struct buf *o)
{
    struct buf b;
    int rc = 0;

    for (size_t i = 0; i < r->n_calls && rc == 0; i++) {
        struct call_text *c = &r->calls[i];
        if (c->told || !(c->id.n | c->name.n | c->args.n)) /* a gap */
            continue;
        c->told = true;
        buf_init(&b, LIM_REPLY);
        rc = put_call(&b, c, i);
        if (rc == 0 && r->stream)
            rc = line(r, o, &(struct piece){.calls = buf_str(&b)});
        else if (rc == 0)
            rc = (r->told.n ? buf_addc(&r->told, ",") : 0) |
                 buf_add(&r->told, buf_str(&b));
        buf_done(&b);
    }
    return rc;
}

/* --- events -------------------------------------------------------------- */

/* The items of an array, without its brackets. */
static pbay_str inside(pbay_str array)
{
    array = str_trim(array);
    return array.n > 2 ? str_n(array.p + 1, array.n - 2) : STR_NONE;
}

static int keep(struct buf *b, pbay_str s, const char *sep)
{
    if (!s.n)
        return 0;
    return (b->n ? buf_addc(b, sep) : 0) | buf_add(b, s);
}

static int on_text(struct ol_render *r, const pbay_event *ev, struct buf *out)
{
    struct piece p = {.text = ev->text, .logprobs = inside(ev->json)};

    if (r->stream)
        return line(r, out, &p);
    return keep(&r->text, p.text, "") | keep(&r->logprobs, p.logprobs, ",");
}

int ol_render_event(struct ol_render *r, const pbay_event *ev, struct buf *out)
{
    if (ev->choice) /* n is not to be had here */
        return 0;
    if (!r->first && ev->type != PBAY_EV_USAGE)
        r->first = clock_now(r->clock);
    switch (ev->type) {
    case PBAY_EV_TEXT:
    case PBAY_EV_REFUSAL:
        return on_text(r, ev, out);
    case PBAY_EV_REASONING:
        if (r->stream)
            return line(r, out, &(struct piece){.thinking = ev->text});
        return keep(&r->thinking, ev->text, "");
    case PBAY_EV_CALL:
        return take_call(r, ev);
    case PBAY_EV_BLOCK:
        if (r->stream)
            return line(r, out, &(struct piece){.blocks = ev->json});
        return keep(&r->blocks, ev->json, ",");
    case PBAY_EV_STOP:
        r->stop = ev->code;
        return tell_calls(r, out);
    default:
        return 0;
    }
}

static const char *reason(uint32_t stop)
{
    switch (stop) {
    case PBAY_STOP_LENGTH:
    case PBAY_STOP_CONTEXT:
        return "length";
    case PBAY_STOP_FILTER:
        return "content_filter";
    case PBAY_STOP_PAUSE:
        return "pause";
    default:
        return "stop";
    }
}

static int put_counters(struct ol_render *r, const pbay_usage *u, struct buf *o)
{
    int64_t now = clock_now(r->clock);
    int64_t first = r->first ? r->first : now;
    int rc;

    rc = buf_printf(o,
                    ",\"done\":true,\"done_reason\":\"%s\","
                    "\"total_duration\":%lld,\"prompt_eval_duration\":%lld,"
                    "\"eval_duration\":%lld",
                    reason(r->stop), (long long)(now - r->started) * 1000000,
                    (long long)(first - r->started) * 1000000,
                    (long long)(now - first) * 1000000);
    if (u->known & PBAY_U_INPUT)
        rc |= buf_printf(o, ",\"prompt_eval_count\":%llu",
                         (unsigned long long)u->input);
    if (u->known & PBAY_U_OUTPUT)
        rc |= buf_printf(o, ",\"eval_count\":%llu",
                         (unsigned long long)u->output);
    return rc;
}

int ol_render_end(struct ol_render *r, const pbay_usage *usage, struct buf *out)
{
    struct piece all = {.text = buf_str(&r->text),
                        .thinking = buf_str(&r->thinking),
                        .calls = buf_str(&r->told),
                        .blocks = buf_str(&r->blocks),
                        .logprobs = buf_str(&r->logprobs)};
    int rc = line_open(r, out);

    rc |= put_piece(r, out, &all);
    rc |= put_counters(r, usage, out);
    return rc | buf_addc(out, r->stream ? "}\n" : "}");
}

size_t ol_error_json(const struct err *e, char *dst, size_t room)
{
    struct buf b;
    size_t n = 0;

    buf_init(&b, room);
    if ((buf_addc(&b, "{\"error\":") | buf_json(&b, str_c(err_text(e))) |
         buf_addc(&b, "}")) == 0) {
        n = b.n;
        memcpy(dst, buf_str(&b).p, n);
    }
    buf_done(&b);
    return n;
}
