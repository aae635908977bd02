/* SPDX-License-Identifier: MIT */
/* Summaries and translations by chats. */
#include "manager/text_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "manager/router.h"
#include "manager/suit.h"
#include "manager/usage.h"
#include "text/split.h"
#include <patchbay/json.h>

#define ROUNDS 6 /* of summaries of summaries */
#define PIECE_MAX                                                            \
    4000             /* tokens of a piece to translate: longer ones come out \
                      * worse, and answers have limits of their own */
#define PIECE_MIN 50 /* tokens that have to fit beside the prompt */

struct part {
    struct buf answer;
    bool over;
};

struct text_job {
    struct manager *m;
    struct arena arena;
    struct call_request base;
    const struct text_task *task;
    const struct text_sink *sink;
    void *arg;
    uint64_t budget; /* tokens of a piece */
    size_t most;     /* pieces */
    unsigned parallel;

    enum text_step step;
    unsigned rounds;
    size_t first; /* pieces of the first one */
    struct pieces pieces;
    struct part *parts; /* the answers to the pieces */
    struct buf joined;  /* what this round works on, from the second on */
    size_t front;       /* piece whose answer is being told */
    size_t told;        /* bytes of it that were */
    bool shown;         /* any of them */
    struct buf output;
    bool lost;
    unsigned depth; /* how many callbacks are on the stack */
    bool gone;      /* freed as soon as there is none */
    struct chats *chats;
    int64_t started;

    /* of earlier rounds */
    size_t calls;
    pbay_usage used;
    unsigned attempts;
    struct call_report report;
};

/* --- how much fits ------------------------------------------------------- */

struct window {
    pbay_str model;
    uint64_t tokens, output;
};

static void look(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct window *w = arg;
    int64_t n;

    (void)provider;
    if (!str_eq(id, w->model))
        return;
    if (pbay_json_i64(pbay_json_get(json, "max_output"), &n) == 0 && n > 0)
        w->output = (uint64_t)n;
}

static void least(uint64_t *to, uint64_t n)
{
    if (n && (!*to || n < *to))
        *to = n;
}

/* The smallest of what is known of the targets. */
static void window_of(struct manager *m, const struct plan *p,
                      struct window *all)
{
    for (size_t i = 0; i < p->n; i++) {
        struct window w = {.model = p->targets[i].model};
        struct suit s;
        const struct manifest_model *known = manifest_model(
            p->targets[i].instance->cfg->manifest, p->targets[i].model);
        if (m->models)
            model_index_each(m->models, p->targets[i].instance->name, look, &w);
        suit_window(p->targets[i].instance, m->models, p->targets[i].model, &s);
        if (!w.output && known)
            w.output = known->max_output;
        least(&all->tokens, s.window);
        least(&all->output, w.output);
    }
}

/* A summary leaves room for itself, a translation for as much again as the
 * piece and half of that; a tenth is for the estimate's error. */
static int set_budget(struct text_job *j, const struct cfg_text *cfg,
                      struct err *e)
{
    struct ask q = {
        .op = PBAY_OP_CHAT, .model = j->base.model, .route = j->base.route};
    struct window w = {.tokens = 0};
    struct plan plan;
    uint64_t room, beside = text_task_overhead(j->task);

    memset(&plan, 0, sizeof(plan));
    if (plan_ask(j->m->current, j->m->models, &q, &j->arena, &plan, e) < 0)
        return -1;
    window_of(j->m, &plan, &w);
    if (!w.tokens)
        w.tokens = (uint64_t)cfg->window;
    room = w.tokens - w.tokens / 10;
    room = room > beside ? room - beside : 0;
    if (j->task->kind == TEXT_SUMMARY) {
        uint64_t answer = 2 * (uint64_t)j->task->words + 200;
        room = room > answer ? room - answer : 0;
    } else {
        room = room * 2 / 5;
        if (w.output && room > w.output * 3 / 5)
            room = w.output * 3 / 5;
        if (room > PIECE_MAX)
            room = PIECE_MAX;
    }
    if (room < PIECE_MIN) {
        err_set(e, PBAY_E_CONTEXT,
                "a window of %llu tokens is too small for this",
                (unsigned long long)w.tokens);
        return -1;
    }
    j->budget = room;
    if (j->task->chunk_tokens && j->task->chunk_tokens < room)
        j->budget = j->task->chunk_tokens;
    return 0;
}

/* --- entering and leaving: who frees ------------------------------------- */

static void drop_parts(struct text_job *j)
{
    for (size_t i = 0; j->parts && i < j->pieces.n; i++)
        buf_done(&j->parts[i].answer);
    free(j->parts);
    j->parts = NULL;
}

static void destroy(struct text_job *j)
{
    drop_parts(j);
    buf_done(&j->output);
    buf_done(&j->joined);
    arena_done(&j->arena);
    free(j);
}

static void enter(struct text_job *j)
{
    j->depth++;
}

static void leave(struct text_job *j)
{
    if (--j->depth == 0 && j->gone)
        destroy(j);
}

/* --- the result ---------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void tell(struct text_job *j, pbay_str s)
{
    if (!s.n || j->gone)
        return;
    if (buf_add(&j->output, s) < 0)
        j->lost = true;
    else if (j->sink->text)
        j->sink->text(j->arg, s);
}

/* What has come of the front piece, without white space at its ends. */
static void tell_front(struct text_job *j)
{
    pbay_str s = buf_str(&j->parts[j->front].answer);
    size_t end = s.n;

    while (!j->shown && j->told < s.n && is_space(s.p[j->told]))
        j->told++;
    while (end > j->told && is_space(s.p[end - 1]))
        end--;
    if (end <= j->told)
        return;
    if (!j->shown && !j->front && j->task->kind == TEXT_TRANSLATION)
        tell(j, j->pieces.lead);
    tell(j, str_n(s.p + j->told, end - j->told));
    j->told = end;
    j->shown = true;
}

/* Does what is being answered go out? */
static bool is_final(const struct text_job *j)
{
    return j->task->kind == TEXT_TRANSLATION || j->step != TEXT_PART;
}

/* The front piece, and those behind it as far as they are whole. */
static void advance(struct text_job *j)
{
    while (j->front < j->pieces.n && !j->gone) {
        tell_front(j);
        if (j->gone || !j->parts[j->front].over)
            return;
        if (j->task->kind == TEXT_TRANSLATION)
            tell(j, j->pieces.at[j->front].gap);
        j->front++;
        j->told = 0;
        j->shown = false;
    }
}

/* --- from the chats ------------------------------------------------------ */

static int next_round(struct text_job *j, struct err *e);

static int on_body(void *arg, size_t i, struct buf *out)
{
    struct text_job *j = arg;

    return text_task_chat(j->task, j->step, j->pieces.at[i].text, out);
}

static void on_text(void *arg, size_t i, pbay_str piece)
{
    struct text_job *j = arg;

    if (buf_add(&j->parts[i].answer, piece) < 0)
        j->lost = true;
    enter(j);
    if (is_final(j) && i == j->front)
        tell_front(j);
    leave(j);
}

static int on_done(void *arg, size_t i, pbay_str whole, struct err *e)
{
    struct text_job *j = arg;
    bool lost;

    (void)whole;
    enter(j);
    j->parts[i].over = true;
    if (is_final(j))
        advance(j);
    if (j->sink->progress && !j->gone)
        j->sink->progress(j->arg);
    if (j->lost)
        err_set(e, ERR_REPLY_TOO_LARGE, "the result is too large to be held");
    lost = j->lost;
    leave(j);
    return lost ? -1 : 0;
}

/* Keep the account of a round that is over. */
static void settle(struct text_job *j)
{
    const struct call_report *r = chats_report(j->chats);

    j->calls += chats_done(j->chats);
    if (r) {
        usage_add(&j->used, &r->usage);
        j->attempts += r->attempts;
        call_report_copy(&j->report, r, &j->arena);
    }
    chats_free(j->chats);
    j->chats = NULL;
}

static void on_end(void *arg, const struct err *e)
{
    struct text_job *j = arg;
    struct err own;
    bool over = e || is_final(j);

    enter(j);
    if (!over) {
        settle(j);
        over = next_round(j, &own) < 0;
        e = over ? &own : NULL;
    }
    if (over)
        j->sink->end(j->arg, e);
    leave(j);
}

static const struct chats_ops chat_ops = {on_body, on_text, on_done, on_end};

/* --- rounds -------------------------------------------------------------- */

static int cut(struct text_job *j, pbay_str text, struct err *e)
{
    int rc = text_split(text, j->budget, j->most, &j->arena, &j->pieces);

    if (rc == -E2BIG)
        err_set(e, ERR_BODY_TOO_LARGE,
                "the text comes to more than %zu pieces of %llu tokens, which "
                "is all that text.max_chunks allows",
                j->most, (unsigned long long)j->budget);
    else if (rc < 0)
        err_set(e, ERR_INTERNAL, "out of memory");
    return rc;
}

/* The text of a round, cut, and asked about. */
static int round_start(struct text_job *j, pbay_str text, struct err *e)
{
    int64_t gone = clock_now(j->m->loop->clock) - j->started;
    struct call_request base = j->base;

    if (cut(j, text, e) < 0)
        return -1;
    j->parts = calloc(j->pieces.n, sizeof(*j->parts));
    if (!j->parts) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < j->pieces.n; i++)
        buf_init(&j->parts[i].answer, LIM_REPLY);
    if (j->pieces.n > 1)
        j->step = TEXT_PART;
    else
        j->step = j->rounds ? TEXT_JOIN : TEXT_WHOLE;
    j->front = j->told = 0;
    j->shown = false;
    if (!j->rounds++)
        j->first = j->pieces.n;
    base.stream = is_final(j) && j->task->stream;
    if (base.deadline_ms)
        base.deadline_ms =
            base.deadline_ms > gone ? base.deadline_ms - gone : 1;
    j->chats =
        chats_start(j->m, &base, j->pieces.n, j->parallel, &chat_ops, j, e);
    return j->chats ? 0 : -1;
}

/* The summaries of the pieces are the next round's text. */
static int next_round(struct text_job *j, struct err *e)
{
    struct buf all;
    uint64_t before = 0, now;
    int rc = 0;

    buf_init(&all, LIM_REPLY);
    for (size_t i = 0; i < j->pieces.n; i++) {
        before += tokens_of(j->pieces.at[i].text);
        rc |= buf_addc(&all, i ? "\n\n" : "");
        rc |= buf_add(&all, text_visible(buf_str(&j->parts[i].answer)));
    }
    drop_parts(j);
    j->pieces.n = 0;
    buf_done(&j->joined);
    j->joined = all;
    err_clear(e);
    now = tokens_of(buf_str(&all));
    if (rc < 0) {
        err_set(e, ERR_REPLY_TOO_LARGE, "the summaries are too large");
    } else if (now > j->budget &&
               (j->rounds == ROUNDS || now > before * 3 / 4)) {
        err_set(e, PBAY_E_PROTOCOL,
                "%s: its summaries of the parts do not get shorter",
                j->report.provider);
    }
    return e->kind ? -1 : round_start(j, buf_str(&j->joined), e);
}

/* --- life ---------------------------------------------------------------- */

static void keep_base(struct text_job *j, const struct call_request *base)
{
    j->base = *base;
    j->base.model = arena_dup(&j->arena, j->task->model);
    j->base.route = arena_dup(&j->arena, base->route);
    j->base.id = arena_dup(&j->arena, base->id);
    j->base.key_name = arena_dup(&j->arena, base->key_name);
}

struct text_job *text_job_start(struct manager *m,
                                const struct call_request *base,
                                const struct text_task *task,
                                const struct text_sink *sink, void *arg,
                                struct err *e)
{
    struct text_job *j = calloc(1, sizeof(*j));
    const struct cfg_text *cfg;

    err_clear(e);
    if (!j || !m->current) {
        free(j);
        err_set(e, j ? ERR_UNAVAILABLE : ERR_INTERNAL, "%s",
                j ? "the host is shutting down" : "out of memory");
        return NULL;
    }
    cfg = &m->current->cfg->text;
    j->m = m;
    j->task = task;
    j->sink = sink;
    j->arg = arg;
    j->most = (size_t)cfg->max_chunks;
    j->parallel = (unsigned)cfg->parallel;
    j->started = clock_now(m->loop->clock);
    arena_init(&j->arena, LIM_MIB(64));
    buf_init(&j->output, LIM_REPLY);
    buf_init(&j->joined, LIM_REPLY);
    keep_base(j, base);
    if (set_budget(j, cfg, e) == 0 && round_start(j, task->text, e) == 0)
        return j;
    text_job_free(j);
    return NULL;
}

void text_job_free(struct text_job *j)
{
    if (!j)
        return;
    chats_free(j->chats);
    j->chats = NULL;
    j->gone = true;
    if (!j->depth)
        destroy(j);
}

void text_job_pause(struct text_job *j, bool on)
{
    if (j->chats)
        chats_pause(j->chats, on);
}

const struct call_report *text_job_report(struct text_job *j)
{
    const struct call_report *r = j->chats ? chats_report(j->chats) : NULL;

    if (!r && !j->calls)
        return NULL;
    if (r)
        j->report = *r;
    else
        j->report.usage = (pbay_usage){.size = sizeof(pbay_usage)};
    usage_add(&j->report.usage, &j->used);
    j->report.attempts = (r ? r->attempts : 0) + j->attempts;
    j->report.total_ms = clock_now(j->m->loop->clock) - j->started;
    return &j->report;
}

void text_job_state(const struct text_job *j, struct text_state *out)
{
    *out = (struct text_state){.first = j->first,
                               .pieces = j->pieces.n,
                               .done = j->chats ? chats_done(j->chats) : 0,
                               .rounds = j->rounds,
                               .calls = j->calls +
                                        (j->chats ? chats_done(j->chats) : 0),
                               .output = buf_str(&j->output)};
}
