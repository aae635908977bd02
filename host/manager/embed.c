/* SPDX-License-Identifier: MIT */
/* Splitting embeddings, and putting them together again. */
#include "manager/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "manager/call_plan.h"
#include "manager/router.h"
#include <patchbay/json.h>

#define HELD_MAX  (LIM_REPLY * 2) /* bytes of all vectors together */
#define PARTS_MAX 4096

/* A vector that waits for the others; its bytes follow. */
struct held {
    uint32_t code;
    size_t n;
    char bytes[];
};

struct part {
    struct embed_split *split;
    size_t first, n; /* inputs */
    pbay_str list;   /* their JSON, with commas between */
    struct buf body;
    pbay_kv *members;
    size_t n_members;
    struct call *call;
    char id[64];
    struct held **vectors; /* by their places */
    size_t got;
    struct call_report report; /* with texts in the split's arena */
};

struct embed_split {
    struct manager *m;
    struct embed_split **slot; /* the owner's: NULL when it is over */
    struct call_request r;     /* its texts but the body in the arena */
    const struct call_sink *sink;
    void *arg;
    struct arena arena;
    struct part *parts;
    size_t n, next, running, done, at_once, held;
    bool failed;
    struct err error;
    int64_t started;
    struct timer timer;
    char *provider; /* who answered the first */
    pbay_str model;
};

/* --- how much is too much ------------------------------------------------ */

struct bounds {
    int64_t inputs, tokens; /* 0: none */
    int64_t at_once;
};

static int64_t tighter(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* Of all targets: nobody knows yet which of them answers. */
static int find_bounds(struct manager *m, const struct call_request *r,
                       struct bounds *out)
{
    struct ask q = {.op = r->op,
                    .model = r->model,
                    .route = r->route,
                    .fallbacks = r->fallbacks,
                    .n_fallbacks = r->n_fallbacks,
                    .models = call_models(r),
                    .no_choice = r->no_choice,
                    .turn = m->turn};
    struct plan *plan = malloc(sizeof(*plan));
    struct arena a;
    struct err e;
    int rc;

    *out = (struct bounds){.inputs = 0};
    if (!plan)
        return -1;
    arena_init(&a, LIM_MIB(1));
    *plan = (struct plan){.n = 0};
    rc = r->instance ? -1 : plan_ask(m->current, m->models, &q, &a, plan, &e);
    for (size_t i = 0; rc == 0 && i < plan->n; i++) {
        const struct cfg_embeddings *c =
            &plan->targets[i].instance->cfg->embeddings;
        out->inputs = tighter(out->inputs, c->max_inputs);
        out->tokens = tighter(out->tokens, c->max_tokens);
        out->at_once = tighter(out->at_once, c->concurrent);
    }
    arena_done(&a);
    free(plan);
    return rc;
}

/* A text by estimate, a list of tokens by its length. */
static int64_t tokens_in(pbay_str v, const struct bounds *b)
{
    size_t pos = 0;
    int64_t n = 0;
    pbay_str one;

    if (!b->tokens)
        return 0;
    if (pbay_json_type(v) == 's')
        return (int64_t)tokens_of(v);
    while (pbay_json_next(v, &pos, NULL, &one) > 0)
        n++;
    return n;
}

/* Is it a list of texts, or one of lists of tokens?  One text and one list of
 * tokens are one input. */
static bool is_many(pbay_str input)
{
    size_t pos = 0;
    pbay_str v;

    return pbay_json_type(input) == 'a' &&
           pbay_json_next(input, &pos, NULL, &v) > 0 &&
           (pbay_json_type(v) == 's' || pbay_json_type(v) == 'a');
}

/* --- cutting ------------------------------------------------------------- */

static bool add_part(struct embed_split *s, size_t first)
{
    struct part *v = realloc(s->parts, (s->n + 1) * sizeof(*v));

    if (!v)
        return false;
    s->parts = v;
    v[s->n] = (struct part){.first = first};
    s->n++;
    return true;
}

/* As many inputs in each part as fit; one that is too large by itself is for
 * the provider to refuse. */
static bool cut(struct embed_split *s, pbay_str input, const struct bounds *b,
                struct err *e)
{
    size_t pos = 0, i = 0;
    int64_t tokens = 0;
    pbay_str v;

    while (pbay_json_next(input, &pos, NULL, &v) > 0) {
        struct part *p = s->n ? &s->parts[s->n - 1] : NULL;
        int64_t more = tokens_in(v, b);
        if (!p || (b->inputs && (int64_t)p->n >= b->inputs) ||
            (b->tokens && p->n && tokens + more > b->tokens)) {
            if (s->n == PARTS_MAX)
                err_set(e, ERR_BODY_TOO_LARGE,
                        "the inputs come to more than %d parts, by the bounds "
                        "of the model's provider; send fewer at once",
                        PARTS_MAX);
            if (s->n == PARTS_MAX || !add_part(s, i))
                return false;
            p = &s->parts[s->n - 1];
            p->list = str_n(v.p, 0);
            tokens = 0;
        }
        tokens += more;
        p->n++;
        p->list.n = (size_t)(v.p + v.n - p->list.p);
        i++;
    }
    return true;
}

/* The body of a part: the client's, with its inputs. */
static int make_body(struct embed_split *s, struct part *p)
{
    pbay_str input = pbay_json_find(s->r.members, s->r.n_members, "input");
    pbay_kv found[LIM_MEMBERS];
    int rc;

    buf_init(&p->body, LIM_HTTP_BODY * 2);
    rc = buf_addc(&p->body, "{\"input\":[") | buf_add(&p->body, p->list) |
         buf_addc(&p->body, "]");
    for (size_t i = 0; i < s->r.n_members && !rc; i++)
        if (s->r.members[i].v.p != input.p) /* however its name is written */
            rc =
                buf_printf(&p->body, ",\"%.*s\":", STR_ARG(s->r.members[i].k)) |
                buf_add(&p->body, s->r.members[i].v);
    rc |= buf_addc(&p->body, "}");
    if (rc || pbay_json_members(buf_str(&p->body), found, LIM_MEMBERS,
                                &p->n_members, NULL) < 0)
        return -1;
    p->members = calloc(p->n_members + 1, sizeof(*p->members));
    if (!p->members)
        return -1;
    memcpy(p->members, found, p->n_members * sizeof(*p->members));
    return 0;
}

/* --- life ---------------------------------------------------------------- */

static void split_free(struct embed_split *s)
{
    timer_stop(&s->timer);
    for (size_t i = 0; i < s->n; i++) {
        struct part *p = &s->parts[i];
        struct call *call = p->call;
        p->call = NULL;
        if (call)
            call_cancel(call);
        for (size_t k = 0; p->vectors && k < p->n; k++)
            free(p->vectors[k]);
        free(p->vectors);
        buf_done(&p->body);
        free(p->members);
    }
    free(s->parts);
    arena_done(&s->arena);
    free(s);
}

void embed_cancel(struct embed_split *s)
{
    if (s)
        split_free(s);
}

static void go_on(void *arg);

static void later(struct embed_split *s)
{
    timer_set(&s->timer, s->m->loop->clock, 0, go_on, s);
}

static void fail(struct embed_split *s, const struct part *p,
                 const struct err *e)
{
    char text[sizeof(e->message)];

    if (s->failed)
        return;
    s->failed = true;
    s->error = *e;
    snprintf(text, sizeof(text), "%s",
             e->message[0] ? e->message : err_text(e));
    snprintf(s->error.message, sizeof(s->error.message),
             "inputs %zu to %zu: %.*s", p->first, p->first + p->n - 1,
             (int)sizeof(text) - 64, text);
}

/* --- the sink of a part -------------------------------------------------- */

static void on_begin(void *arg, const struct call_head *h,
                     const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static void on_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: these calls ask for events */
}

static void on_event(void *arg, const pbay_event *ev)
{
    struct part *p = arg;
    struct held *h;
    struct err e;

    if (ev->type != PBAY_EV_VECTOR || p->split->failed)
        return;
    if (ev->choice >= p->n || p->vectors[ev->choice]) {
        err_clear(&e);
        err_set(&e, PBAY_E_PROTOCOL,
                ev->choice < p->n ? "two vectors came for input %u of %zu"
                                  : "a vector came for input %u of %zu",
                (unsigned)ev->choice, p->n);
        fail(p->split, p, &e);
        return;
    }
    h = p->split->held + ev->text.n > HELD_MAX
            ? NULL
            : malloc(sizeof(*h) + ev->text.n);
    if (!h) {
        err_clear(&e);
        err_set(&e, ERR_REPLY_TOO_LARGE,
                "the vectors are more than this host can hold");
        fail(p->split, p, &e);
        return;
    }
    *h = (struct held){.code = ev->code, .n = ev->text.n};
    memcpy(h->bytes, ev->text.p, ev->text.n);
    p->split->held += ev->text.n;
    p->vectors[ev->choice] = h;
    p->got++;
}

static void on_end(void *arg, const struct err *e, const struct call_report *r)
{
    struct part *p = arg;
    struct embed_split *s = p->split;
    struct err own;

    p->call = NULL;
    s->running--;
    s->done++;
    err_clear(&own);
    if (!call_report_copy(&p->report, r, &s->arena)) {
        p->report = (struct call_report){.provider = "", .reason = ""};
        err_set(&own, ERR_INTERNAL, "out of memory");
        e = e ? e : &own;
    }
    if (!e && p->got != p->n) {
        err_set(&own, PBAY_E_PROTOCOL, "%zu vectors came for %zu inputs",
                p->got, p->n);
        e = &own;
    }
    if (e)
        fail(s, p, e);
    later(s);
}

static const struct call_sink part_sink = {on_begin, on_bytes, on_event,
                                           on_end};

/* --- the whole ----------------------------------------------------------- */

/* What is left of the deadline of the whole: none, 0, or -1 and *e. */
static int64_t left(const struct embed_split *s, struct err *e)
{
    int64_t gone = clock_now(s->m->loop->clock) - s->started;

    if (!s->r.deadline_ms || s->r.deadline_ms > gone)
        return s->r.deadline_ms ? s->r.deadline_ms - gone : 0;
    err_set(e, ERR_DEADLINE, "the deadline of the request is over");
    return -1;
}

static void start_part(struct embed_split *s, struct part *p)
{
    struct call_request r = s->r;
    struct err e;

    p->split = s;
    p->vectors = calloc(p->n, sizeof(struct held *));
    s->running++;
    err_clear(&e);
    if (!p->vectors || make_body(s, p) < 0) {
        err_set(&e, ERR_INTERNAL, "out of memory");
    } else if ((r.deadline_ms = left(s, &e)) >= 0) {
        snprintf(p->id, sizeof(p->id), "%.*s_%zu",
                 STR_ARG(str_head(s->r.id, 40)), (size_t)(p - s->parts) + 1);
        r.id = str_c(p->id);
        r.body = buf_str(&p->body);
        r.members = p->members;
        r.n_members = p->n_members;
        r.stream = false;
        r.no_pass = true;
        r.dialect = STR("canonical/1");
        r.want = PBAY_WANT(PBAY_EV_VECTOR) | PBAY_WANT(PBAY_EV_BEGIN);
        if (s->provider) { /* as the first one */
            r.instance = s->provider;
            r.model = s->model;
            r.route = STR_NONE;
            r.debug = NULL; /* the way is the first one's */
            r.n_fallbacks = 0;
        }
        p->call = call_start(s->m, &r, &part_sink, p, &e);
        if (p->call)
            return;
    }
    s->running--;
    s->done++;
    p->report = (struct call_report){.provider = "", .reason = ""};
    fail(s, p, &e);
}

/* Known is what every part knows. */
static void add_report(struct call_report *to, const struct call_report *r,
                       bool first)
{
    pbay_usage *u = &to->usage;

    if (first) {
        *to = *r;
        return;
    }
    to->attempts += r->attempts;
    u->known &= r->usage.known;
    u->input += r->usage.input;
    u->output += r->usage.output;
    u->cache_read += r->usage.cache_read;
    u->cache_write += r->usage.cache_write;
    u->reasoning += r->usage.reasoning;
    u->flags |= r->usage.flags;
    if (strcmp(u->currency, r->usage.currency))
        u->known &= ~(uint32_t)PBAY_U_COST;
    else
        u->cost_nano += r->usage.cost_nano;
}

static void give(struct embed_split *s, const struct call_report *r)
{
    struct call_head head = {.status = 200, .model = r->model_answered};

    s->sink->begin(s->arg, &head, r);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->parts[i].n; k++) {
            const struct held *h = s->parts[i].vectors[k];
            pbay_event ev = {.size = sizeof(ev),
                             .type = PBAY_EV_VECTOR,
                             .code = h->code,
                             .choice = (uint32_t)(s->parts[i].first + k),
                             .text = str_n(h->bytes, h->n)};
            s->sink->event(s->arg, &ev);
        }
}

static void finish(struct embed_split *s)
{
    struct call_report r = {.provider = "", .reason = "", .first_ms = -1};
    bool first = true;

    for (size_t i = 0; i < s->next; i++)
        if (s->parts[i].report.provider && s->parts[i].report.provider[0]) {
            add_report(&r, &s->parts[i].report, first);
            first = false;
        }
    r.id = s->r.id;
    r.total_ms = clock_now(s->m->loop->clock) - s->started;
    if (!s->failed)
        give(s, &r);
    *s->slot = NULL;
    s->sink->end(s->arg, s->failed ? &s->error : NULL, &r);
    split_free(s);
}

static void go_on(void *arg)
{
    struct embed_split *s = arg;

    if (s->done && !s->provider && !s->failed) {
        s->provider = (char *)(uintptr_t)s->parts[0].report.provider;
        s->model = s->parts[0].report.model;
    }
    while (!s->failed && s->next < s->n &&
           s->running < (s->provider ? s->at_once : 1))
        start_part(s, &s->parts[s->next++]);
    for (size_t i = 0; s->failed && i < s->next; i++) {
        struct call *call = s->parts[i].call;
        s->parts[i].call = NULL;
        if (call) { /* nobody wants it any more */
            call_cancel(call);
            s->running--;
            s->done++;
        }
    }
    if (!s->running && (s->failed || s->done == s->n))
        finish(s);
}

static bool keep_text(struct arena *a, pbay_str *s)
{
    *s = s->n ? arena_dup(a, *s) : STR_NONE;
    return !s->n || s->p;
}

/* What the owner may let go when embed_start() has returned. */
static bool keep_request(struct embed_split *s, const struct call_request *r)
{
    struct arena *a = &s->arena;
    pbay_str *names = arena_alloc(a, r->n_fallbacks * sizeof(*names));
    bool ok = names != NULL;

    s->r = *r;
    s->r.fallbacks = names;
    for (size_t i = 0; i < r->n_fallbacks && ok; i++) {
        names[i] = r->fallbacks[i];
        ok = keep_text(a, &names[i]);
    }
    return ok && keep_text(a, &s->r.id) && keep_text(a, &s->r.model) &&
           keep_text(a, &s->r.key_name) && keep_text(a, &s->r.route);
}

int embed_start(struct manager *m, const struct call_request *r,
                const struct call_sink *sink, void *arg,
                struct embed_split **out, struct err *e)
{
    struct embed_split *s;
    struct bounds b;
    pbay_str input;

    *out = NULL;
    err_clear(e);
    if (r->op != PBAY_OP_EMBED || r->translate || !m->current)
        return 0;
    input = pbay_json_find(r->members, r->n_members, "input");
    if (!is_many(input) || find_bounds(m, r, &b) < 0 ||
        (!b.inputs && !b.tokens))
        return 0;
    s = calloc(1, sizeof(*s));
    if (s) {
        arena_init(&s->arena, LIM_MIB(4));
        if (keep_request(s, r) && cut(s, input, &b, e)) {
            if (s->n < 2) {
                split_free(s);
                return 0;
            }
        } else {
            split_free(s);
            s = NULL;
        }
    }
    if (!s) {
        if (!e->kind)
            err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    s->m = m;
    s->slot = out;
    s->sink = sink;
    s->arg = arg;
    s->at_once = b.at_once > 0 ? (size_t)b.at_once : 1;
    s->started = clock_now(m->loop->clock);
    later(s);
    *out = s;
    return 1;
}
