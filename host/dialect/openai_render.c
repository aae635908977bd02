/* SPDX-License-Identifier: MIT */
/* Events to OpenAI chat completions, streamed as chunks or whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/follow.h"
#include "dialect/openai.h"
#include <patchbay/json.h>

#define CHOICES_MAX 128
#define TOOLS_MAX   128

struct tool {
    struct buf id, name, args;
};

struct choice {
    bool role_sent, stopped;
    uint32_t stop;
    struct buf text, reasoning, refusal, logprobs;
    struct buf blocks; /* JSON, with commas between */
    struct buf notes;  /* likewise: annotations */
    struct tool *tools;
    size_t n_tools;
};

struct oa_render {
    struct dialog *x;
    char id[128], model[256];
    int64_t created;
    struct choice *choices;
    size_t n;
    size_t kept; /* bytes of a whole answer, all choices together */
};

static const char *finish_word(uint32_t stop)
{
    switch (stop) {
    case PBAY_STOP_LENGTH:
    case PBAY_STOP_CONTEXT:
        return "length";
    case PBAY_STOP_TOOL:
        return "tool_calls";
    case PBAY_STOP_FILTER:
        return "content_filter";
    default:
        return "stop";
    }
}

static void copy(char *dst, size_t room, pbay_str s)
{
    size_t n = s.n < room ? s.n : room - 1;

    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
}

static void *render_new(struct dialog *x)
{
    struct oa_render *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->x = x;
    r->created = clock_wall(x->d->manager->loop->clock) / 1000;
    snprintf(r->id, sizeof(r->id), "chatcmpl-%s", x->id + 4);
    copy(r->model, sizeof(r->model), x->model);
    return r;
}

static void choice_done(struct choice *c)
{
    buf_done(&c->text);
    buf_done(&c->reasoning);
    buf_done(&c->refusal);
    buf_done(&c->logprobs);
    buf_done(&c->blocks);
    buf_done(&c->notes);
    for (size_t i = 0; i < c->n_tools; i++) {
        buf_done(&c->tools[i].id);
        buf_done(&c->tools[i].name);
        buf_done(&c->tools[i].args);
    }
    free(c->tools);
}

static void render_free(void *arg)
{
    struct oa_render *r = arg;

    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        choice_done(&r->choices[i]);
    free(r->choices);
    free(r);
}

static int render_begin(void *arg, pbay_str id, pbay_str model, struct buf *out)
{
    struct oa_render *r = arg;

    (void)out; /* the role goes with the first delta */
    if (id.n)
        copy(r->id, sizeof(r->id), id);
    if (model.n)
        copy(r->model, sizeof(r->model), model);
    return 0;
}

static struct choice *choice_at(struct oa_render *r, uint32_t i)
{
    struct choice *v;

    if (i >= CHOICES_MAX)
        return NULL;
    if (i >= r->n) {
        v = realloc(r->choices, (i + 1) * sizeof(*v));
        if (!v)
            return NULL;
        memset(v + r->n, 0, (i + 1 - r->n) * sizeof(*v));
        for (size_t j = r->n; j <= i; j++) {
            buf_init(&v[j].text, LIM_REPLY);
            buf_init(&v[j].reasoning, LIM_REPLY);
            buf_init(&v[j].refusal, LIM_REPLY);
            buf_init(&v[j].logprobs, LIM_REPLY);
            buf_init(&v[j].blocks, LIM_REPLY);
            buf_init(&v[j].notes, LIM_REPLY);
        }
        r->choices = v;
        r->n = i + 1;
    }
    return &r->choices[i];
}

static void passed(struct dialog *x, pbay_str raw)
{
    if (!x->resume)
        return;
    if (!x->place)
        x->place = arena_alloc(&x->req->arena, sizeof(struct oa_place));
    if (x->place)
        oa_follow(x->place, raw);
}

/* Each piece has the same id, model and time. */
static int render_resume(struct dialog *x, void *arg, pbay_str id,
                         pbay_str model, struct buf *out)
{
    const struct oa_place *at = x->place;
    struct oa_render *r = arg;
    struct choice *c = choice_at(r, 0);

    if (!c || (at && at->ended) || id.n >= sizeof(r->id) || model.n >= sizeof(r->model))
        return -1;
    c->role_sent = at && at->begun;
    if (at && at->created)
        r->created = at->created;
    return render_begin(r, id, model, out);
}

static struct tool *tool_at(struct choice *c, uint32_t i)
{
    struct tool *v;

    if (i >= TOOLS_MAX)
        return NULL;
    if (i >= c->n_tools) {
        v = realloc(c->tools, (i + 1) * sizeof(*v));
        if (!v)
            return NULL;
        for (size_t j = c->n_tools; j <= i; j++) {
            memset(&v[j], 0, sizeof(v[j]));
            buf_init(&v[j].id, LIM_KIB(4));
            buf_init(&v[j].name, LIM_KIB(4));
            buf_init(&v[j].args, LIM_REPLY);
        }
        c->tools = v;
        c->n_tools = i + 1;
    }
    return &c->tools[i];
}

/* --- chunks -------------------------------------------------------------- */

static int chunk_open(struct oa_render *r, struct buf *o)
{
    int rc = buf_addc(o, "data: {\"id\":");

    rc |= buf_json(o, str_c(r->id));
    rc |= buf_printf(o,
                     ",\"object\":\"chat.completion.chunk\",\"created\":%lld,"
                     "\"model\":",
                     (long long)r->created);
    rc |= buf_json(o, str_c(r->model));
    return rc;
}

static int delta_open(struct oa_render *r, struct choice *c, uint32_t index,
                      struct buf *o)
{
    int rc = chunk_open(r, o);

    rc |= buf_printf(o, ",\"choices\":[{\"index\":%u,\"delta\":{", index);
    if (!c->role_sent)
        rc |= buf_addc(o, "\"role\":\"assistant\"");
    return rc;
}

static int delta_close(struct oa_render *r, struct choice *c, pbay_str logprobs,
                       const char *finish, struct buf *o)
{
    int rc = buf_addc(o, "}");

    c->role_sent = true;
    if (logprobs.n) {
        rc |= buf_addc(o, ",\"logprobs\":{\"content\":");
        rc |= buf_add(o, logprobs);
        rc |= buf_addc(o, ",\"refusal\":null}");
    } else {
        rc |= buf_addc(o, ",\"logprobs\":null");
    }
    if (finish)
        rc |= buf_printf(o, ",\"finish_reason\":\"%s\"}]", finish);
    else
        rc |= buf_addc(o, ",\"finish_reason\":null}]");
    if (r->x->include_usage)
        rc |= buf_addc(o, ",\"usage\":null");
    return rc | buf_addc(o, "}\n\n");
}

static int text_chunk(struct oa_render *r, struct choice *c,
                      const pbay_event *ev, const char *field, struct buf *o)
{
    int rc = delta_open(r, c, ev->choice, o);

    rc |= buf_printf(o, "%s\"%s\":", c->role_sent ? "" : ",", field);
    rc |= buf_json(o, ev->text);
    return rc | delta_close(r, c, ev->json, NULL, o);
}

static int call_chunk(struct oa_render *r, struct choice *c,
                      const pbay_event *ev, struct buf *o)
{
    int rc = delta_open(r, c, ev->choice, o);

    rc |= buf_printf(o, "%s\"tool_calls\":[{\"index\":%u",
                     c->role_sent ? "" : ",\"content\":null,", ev->index);
    if (ev->id.n) {
        rc |= buf_addc(o, ",\"id\":");
        rc |= buf_json(o, ev->id);
        rc |= buf_addc(o, ",\"type\":\"function\"");
    }
    rc |= buf_addc(o, ",\"function\":{");
    if (ev->name.n) {
        rc |= buf_addc(o, "\"name\":");
        rc |= buf_json(o, ev->name);
        rc |= buf_addc(o, ",");
    }
    rc |= buf_addc(o, "\"arguments\":");
    rc |= buf_json(o, ev->text);
    rc |= buf_addc(o, "}}]");
    return rc | delta_close(r, c, STR_NONE, NULL, o);
}

/* JSON of an event, in a list of its own: a block that a later request has to
 * bring back, in a member of our own; an annotation. */
static int json_chunk(struct oa_render *r, struct choice *c,
                      const pbay_event *ev, const char *field, struct buf *o)
{
    int rc = delta_open(r, c, ev->choice, o);

    rc |= buf_printf(o, "%s\"%s\":[", c->role_sent ? "" : ",", field);
    rc |= buf_add(o, ev->json);
    rc |= buf_addc(o, "]");
    return rc | delta_close(r, c, STR_NONE, NULL, o);
}

static int stream_event(struct oa_render *r, struct choice *c,
                        const pbay_event *ev, struct buf *o)
{
    int rc;

    switch (ev->type) {
    case PBAY_EV_TEXT:
        return text_chunk(r, c, ev, "content", o);
    case PBAY_EV_REASONING:
        return text_chunk(r, c, ev, "reasoning_content", o);
    case PBAY_EV_REFUSAL:
        return text_chunk(r, c, ev, "refusal", o);
    case PBAY_EV_CALL:
        return call_chunk(r, c, ev, o);
    case PBAY_EV_BLOCK:
        return json_chunk(r, c, ev, "patchbay_blocks", o);
    case PBAY_EV_ANNOTATION:
        return json_chunk(r, c, ev, "annotations", o);
    case PBAY_EV_STOP:
        c->stopped = true;
        rc = delta_open(r, c, ev->choice, o);
        return rc | delta_close(r, c, STR_NONE, finish_word(ev->code), o);
    default:
        return 0;
    }
}

/* --- whole --------------------------------------------------------------- */

/* Log-probabilities come as arrays, one a piece: keep the insides. */
static int keep_logprobs(struct choice *c, pbay_str json)
{
    json = str_trim(json);
    if (json.n < 2 || json.p[0] != '[')
        return 0;
    json = str_trim(str_n(json.p + 1, json.n - 2));
    if (!json.n)
        return 0;
    if (c->logprobs.n && buf_addc(&c->logprobs, ",") < 0)
        return -1;
    return buf_add(&c->logprobs, json);
}

static int keep_json(struct buf *list, pbay_str json)
{
    return (list->n ? buf_addc(list, ",") : 0) | buf_add(list, json);
}

static int keep_event(struct choice *c, const pbay_event *ev)
{
    struct tool *t;

    switch (ev->type) {
    case PBAY_EV_TEXT:
        return buf_add(&c->text, ev->text) | keep_logprobs(c, ev->json);
    case PBAY_EV_REASONING:
        return buf_add(&c->reasoning, ev->text);
    case PBAY_EV_REFUSAL:
        return buf_add(&c->refusal, ev->text);
    case PBAY_EV_CALL:
        t = tool_at(c, ev->index);
        if (!t)
            return -1;
        if (ev->id.n && !t->id.n && buf_add(&t->id, ev->id) < 0)
            return -1;
        if (ev->name.n && !t->name.n && buf_add(&t->name, ev->name) < 0)
            return -1;
        return buf_add(&t->args, ev->text);
    case PBAY_EV_BLOCK:
        return keep_json(&c->blocks, ev->json);
    case PBAY_EV_ANNOTATION:
        return keep_json(&c->notes, ev->json);
    case PBAY_EV_STOP:
        c->stopped = true;
        c->stop = ev->code;
        return 0;
    default:
        return 0;
    }
}

static int render_event(void *arg, const pbay_event *ev, struct buf *out)
{
    struct oa_render *r = arg;
    struct choice *c;

    if ((ev->type < PBAY_EV_TEXT || ev->type > PBAY_EV_STOP ||
         ev->type == PBAY_EV_USAGE) &&
        ev->type != PBAY_EV_ANNOTATION)
        return 0;
    if ((ev->type == PBAY_EV_BLOCK || ev->type == PBAY_EV_ANNOTATION) &&
        pbay_json_check(ev->json, NULL) < 0)
        return -1;
    c = choice_at(r, ev->choice);
    if (!c)
        return -1;
    if (!r->x->stream) {
        size_t n = ev->text.n + ev->json.n + ev->id.n + ev->name.n;
        if (n > LIM_REPLY - r->kept)
            return -1;
        r->kept += n;
    }
    return r->x->stream ? stream_event(r, c, ev, out) : keep_event(c, ev);
}

static int put_usage(const pbay_usage *u, struct buf *o)
{
    unsigned long long in = u->known & PBAY_U_INPUT ? u->input : 0;
    unsigned long long outp = u->known & PBAY_U_OUTPUT ? u->output : 0;
    int rc = buf_printf(o,
                        "{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,"
                        "\"total_tokens\":%llu",
                        in, outp, in + outp);

    if (u->known & PBAY_U_CACHE_READ)
        rc |=
            buf_printf(o, ",\"prompt_tokens_details\":{\"cached_tokens\":%llu}",
                       (unsigned long long)u->cache_read);
    if (u->known & PBAY_U_REASONING)
        rc |= buf_printf(
            o, ",\"completion_tokens_details\":{\"reasoning_tokens\":%llu}",
            (unsigned long long)u->reasoning);
    return rc | buf_addc(o, "}");
}

static int put_tools(const struct choice *c, struct buf *o)
{
    int rc = buf_addc(o, ",\"tool_calls\":[");

    for (size_t i = 0; i < c->n_tools; i++) {
        rc |= buf_addc(o, i ? ",{\"id\":" : "{\"id\":");
        rc |= buf_json(o, buf_str(&c->tools[i].id));
        rc |= buf_addc(o, ",\"type\":\"function\",\"function\":{\"name\":");
        rc |= buf_json(o, buf_str(&c->tools[i].name));
        rc |= buf_addc(o, ",\"arguments\":");
        rc |= buf_json(o, buf_str(&c->tools[i].args));
        rc |= buf_addc(o, "}}");
    }
    return rc | buf_addc(o, "]");
}

static int put_choice(const struct choice *c, size_t i, struct buf *o)
{
    int rc = buf_printf(o,
                        "%s{\"index\":%zu,\"message\":{\"role\":"
                        "\"assistant\",\"content\":",
                        i ? "," : "", i);

    if (c->text.n || (!c->n_tools && !c->refusal.n))
        rc |= buf_json(o, buf_str(&c->text));
    else
        rc |= buf_addc(o, "null");
    rc |= buf_addc(o, ",\"refusal\":");
    if (c->refusal.n)
        rc |= buf_json(o, buf_str(&c->refusal));
    else
        rc |= buf_addc(o, "null");
    if (c->reasoning.n) {
        rc |= buf_addc(o, ",\"reasoning_content\":");
        rc |= buf_json(o, buf_str(&c->reasoning));
    }
    if (c->n_tools)
        rc |= put_tools(c, o);
    if (c->blocks.n) {
        rc |= buf_addc(o, ",\"patchbay_blocks\":[");
        rc |= buf_add(o, buf_str(&c->blocks));
        rc |= buf_addc(o, "]");
    }
    if (c->notes.n) {
        rc |= buf_addc(o, ",\"annotations\":[");
        rc |= buf_add(o, buf_str(&c->notes));
        rc |= buf_addc(o, "]");
    }
    rc |= buf_addc(o, "},\"logprobs\":");
    if (c->logprobs.n) {
        rc |= buf_addc(o, "{\"content\":[");
        rc |= buf_add(o, buf_str(&c->logprobs));
        rc |= buf_addc(o, "],\"refusal\":null}");
    } else {
        rc |= buf_addc(o, "null");
    }
    return rc |
           buf_printf(o, ",\"finish_reason\":\"%s\"}", finish_word(c->stop));
}

static int whole_end(struct oa_render *r, const pbay_usage *usage,
                     struct buf *o)
{
    int rc = buf_addc(o, "{\"id\":");

    rc |= buf_json(o, str_c(r->id));
    rc |= buf_printf(o,
                     ",\"object\":\"chat.completion\",\"created\":%lld,"
                     "\"model\":",
                     (long long)r->created);
    rc |= buf_json(o, str_c(r->model));
    rc |= buf_addc(o, ",\"choices\":[");
    for (size_t i = 0; i < r->n; i++)
        rc |= put_choice(&r->choices[i], i, o);
    rc |= buf_addc(o, "]");
    if (usage->known) {
        rc |= buf_addc(o, ",\"usage\":");
        rc |= put_usage(usage, o);
    }
    return rc | buf_addc(o, "}");
}

static int render_end(void *arg, const pbay_usage *usage, struct buf *o)
{
    struct oa_render *r = arg;
    int rc = 0;

    if (!r->x->stream)
        return whole_end(r, usage, o);
    if (r->x->include_usage && usage->known) {
        rc |= chunk_open(r, o);
        rc |= buf_addc(o, ",\"choices\":[],\"usage\":");
        rc |= put_usage(usage, o);
        rc |= buf_addc(o, "}\n\n");
    }
    return rc | buf_addc(o, "data: [DONE]\n\n");
}

/* --- errors -------------------------------------------------------------- */

/* The provider's own word, where clients of this API may know it: no number, and
 * of a prompt that does not fit the one word that they look for. */
static const char *code_of(const struct err *e)
{
    const struct err_class *ec = err_class(e->kind);
    bool word = strspn(e->code, "0123456789") < strlen(e->code);

    return word && ec->pass_body && e->kind != PBAY_E_CONTEXT ? e->code
                                                              : ec->openai_code;
}

size_t oa_error_json(const struct dialog *x, const struct err *e, char *dst,
                     size_t room)
{
    const struct err_class *ec = err_class(e->kind);
    const char *code = code_of(e);
    struct buf b;
    size_t n;

    (void)x;
    buf_init(&b, LIM_KIB(16));
    buf_addc(&b, "{\"error\":{\"message\":");
    buf_json(&b, str_c(err_text(e)));
    buf_addc(&b, ",\"type\":");
    buf_json(&b, str_c(ec->openai_type));
    buf_addc(&b, ",\"param\":");
    if (e->param[0])
        buf_json(&b, str_c(e->param));
    else
        buf_addc(&b, "null");
    buf_addc(&b, ",\"code\":");
    if (code)
        buf_json(&b, str_c(code));
    else
        buf_addc(&b, "null");
    buf_addc(&b, "}}");
    n = b.n < room ? b.n : 0;
    if (n)
        memcpy(dst, buf_str(&b).p, n);
    buf_done(&b);
    return n;
}

const struct chat_form oa_form = {
    .want = PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_TEXT) |
            PBAY_WANT(PBAY_EV_REASONING) | PBAY_WANT(PBAY_EV_REFUSAL) |
            PBAY_WANT(PBAY_EV_CALL) | PBAY_WANT(PBAY_EV_BLOCK) |
            PBAY_WANT(PBAY_EV_ANNOTATION) | PBAY_WANT(PBAY_EV_WARNING),
    .error_json = oa_error_json,
    .render_new = render_new,
    .render_free = render_free,
    .begin = render_begin,
    .event = render_event,
    .end = render_end,
    .rescue = true,
    .passed = passed,
    .resume = render_resume,
};
