/* SPDX-License-Identifier: MIT */
/* Who goes, who waits, who is refused.  See limits.h. */
#include "manager/limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/limits_int.h"

#define HEADS 1024

enum state {
    WAITING,
    GONE_AHEAD, /* it holds its places */
    REFUSED
};

struct ticket {
    struct loop_job job; /* first: run() gets it */
    struct ticket *next, **prev;
    struct loop *loop;
    void (*wake)(void *arg, const struct limit_refusal *no);
    void *arg;
    enum state state;
    bool posted;  /* the job is on its way */
    bool dropped; /* and nobody waits for it: it frees the ticket */
    bool again;
    uint64_t tokens;
    struct limit_refusal no;
    struct {
        struct meter *meter; /* NULL: no limit */
        struct cfg_limits caps;
        int64_t second; /* of its place */
    } of[LIMIT_KINDS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct meter *heads[HEADS];
static size_t n_meters, n_waiting;
static struct ticket *first, **last = &first;
static uint64_t turns;

/* --- meters -------------------------------------------------------------- */

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t mix(uint64_t h, pbay_str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return (h ^ 0xff) * 1099511628211u;
}

/* Names that clients choose must not fill the memory: those that have nothing
 * to count any more go. */
static void sweep(int64_t second)
{
    for (size_t i = 0; i < HEADS; i++)
        for (struct meter **p = &heads[i]; *p;) {
            struct meter *m = *p;
            if (!meter_idle(m, second)) {
                p = &m->next;
                continue;
            }
            *p = m->next;
            free(m);
            n_meters--;
        }
}

static struct meter *meter_new(int kind, pbay_str name, pbay_str part,
                               uint64_t hash, int64_t second)
{
    struct meter *m;
    char *text;

    if (n_meters >= LIM_METERS)
        sweep(second);
    if (n_meters >= LIM_METERS)
        return NULL;
    m = calloc(1, sizeof(*m) + name.n + part.n);
    if (!m)
        return NULL;
    text = (char *)(m + 1);
    if (name.n)
        memcpy(text, name.p, name.n);
    if (part.n)
        memcpy(text + name.n, part.p, part.n);
    m->name = str_n(text, name.n);
    m->part = str_n(text + name.n, part.n);
    m->kind = kind;
    m->hash = hash;
    m->second = second;
    m->next = heads[hash % HEADS];
    heads[hash % HEADS] = m;
    n_meters++;
    return m;
}

static struct meter *meter_of(int kind, pbay_str name, pbay_str part,
                              int64_t second)
{
    uint64_t hash =
        mix(mix(14695981039346656037u + (uint64_t)kind, name), part);

    for (struct meter *m = heads[hash % HEADS]; m; m = m->next)
        if (m->hash == hash && m->kind == kind && str_eq(m->name, name) &&
            str_eq(m->part, part))
            return m;
    return meter_new(kind, name, part, hash, second);
}

/* --- one ticket ---------------------------------------------------------- */

static unsigned requests_of(const struct ticket *t, int kind)
{
    return kind == LIMIT_KEY && t->again ? 0 : 1;
}

/* The worst of its limits; those that make it wait are marked, so that nobody
 * behind it in the queue overtakes it there. */
static enum fit fit_of(struct ticket *t, int64_t second)
{
    enum fit worst = FIT_YES;

    for (int k = 0; k < LIMIT_KINDS; k++) {
        struct meter *m = t->of[k].meter;
        struct limit_refusal no = {.kind = k};
        enum fit fit;

        if (!m)
            continue;
        meter_turn(m, second);
        fit = meter_fit(m, &t->of[k].caps, requests_of(t, k), t->tokens, &no);
        if (fit == FIT_NO && (worst != FIT_NO || no.retry_ms > t->no.retry_ms))
            t->no = no;
        if (fit == FIT_YES && m->turn == turns)
            fit = FIT_WAIT;
        if (fit > worst)
            worst = fit;
    }
    return worst;
}

static void block(struct ticket *t)
{
    for (int k = 0; k < LIMIT_KINDS; k++) {
        struct meter *m = t->of[k].meter;
        struct limit_refusal no;

        if (m && meter_fit(m, &t->of[k].caps, requests_of(t, k), t->tokens,
                           &no) != FIT_YES)
            m->turn = turns;
    }
}

static void take(struct ticket *t)
{
    for (int k = 0; k < LIMIT_KINDS; k++)
        if (t->of[k].meter) {
            meter_take(t->of[k].meter, requests_of(t, k),
                       meter_size(&t->of[k].caps, t->tokens));
            t->of[k].second = t->of[k].meter->second;
        }
    t->state = GONE_AHEAD;
}

static void give(struct ticket *t, int64_t tokens)
{
    for (int k = 0; k < LIMIT_KINDS; k++)
        if (t->of[k].meter) {
            uint64_t size = meter_size(&t->of[k].caps, t->tokens);
            meter_give(t->of[k].meter, t->of[k].second, size,
                       tokens < 0 ? size : (uint64_t)tokens);
        }
}

static void forget(struct ticket *t)
{
    for (int k = 0; k < LIMIT_KINDS; k++)
        if (t->of[k].meter)
            t->of[k].meter->refs--;
}

/* --- the queue ----------------------------------------------------------- */

static void enqueue(struct ticket *t)
{
    t->prev = last;
    *last = t;
    last = &t->next;
    n_waiting++;
}

static void dequeue(struct ticket *t)
{
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        last = t->prev;
    n_waiting--;
}

static void on_job(struct loop_job *job)
{
    struct ticket *t = (struct ticket *)job;
    bool dropped;

    pthread_mutex_lock(&lock);
    t->posted = false;
    dropped = t->dropped;
    pthread_mutex_unlock(&lock);
    if (dropped)
        free(t);
    else
        t->wake(t->arg, t->state == REFUSED ? &t->no : NULL);
}

/* Once along the queue; `entering` is told by its caller instead. */
static void walk(int64_t second, const struct ticket *entering)
{
    turns++;
    for (struct ticket *t = first, *next; t; t = next) {
        enum fit fit = fit_of(t, second);

        next = t->next;
        if (fit == FIT_WAIT) {
            block(t);
            continue;
        }
        dequeue(t);
        if (fit == FIT_YES)
            take(t);
        else
            t->state = REFUSED;
        if (t == entering)
            continue;
        t->posted = true;
        loop_post(t->loop, &t->job);
    }
}

/* --- from outside -------------------------------------------------------- */

static bool full(struct limit_refusal *no)
{
    *no = (struct limit_refusal){.what = LIMIT_FULL, .retry_ms = 1000};
    return false;
}

static bool find_meters(struct ticket *t, const struct limit_want *w,
                        int64_t second)
{
    for (int k = 0; k < LIMIT_KINDS; k++) {
        struct meter *m;

        if (!w->of[k].caps)
            continue;
        m = meter_of(k, w->of[k].name, w->of[k].part, second);
        if (!m)
            return false;
        m->refs++;
        t->of[k].meter = m;
        t->of[k].caps = *w->of[k].caps;
    }
    return true;
}

/* Is the ticket good for anything? */
static bool admit(struct ticket *t, const struct limit_want *w,
                  struct limit_refusal *no)
{
    int64_t second = w->now_ms / 1000;

    if (!find_meters(t, w, second))
        return full(no);
    enqueue(t);
    walk(second, t);
    if (t->state == REFUSED) {
        *no = t->no;
        return false;
    }
    if (t->state == WAITING && n_waiting > w->max_queue) {
        dequeue(t);
        return full(no);
    }
    return true;
}

struct ticket *limits_enter(const struct limit_want *w, struct loop *loop,
                            void (*wake)(void *arg,
                                         const struct limit_refusal *no),
                            void *arg, bool *waits, struct limit_refusal *no)
{
    struct ticket *t = calloc(1, sizeof(*t));

    if (!t) {
        full(no);
        return NULL;
    }
    t->job.run = on_job;
    t->loop = loop;
    t->wake = wake;
    t->arg = arg;
    t->again = w->again;
    t->tokens = w->tokens;
    pthread_mutex_lock(&lock);
    if (!admit(t, w, no)) {
        forget(t);
        pthread_mutex_unlock(&lock);
        free(t);
        return NULL;
    }
    /* From here on another loop may let it go ahead: what it says now counts,
     * for wake() comes on this loop, hence later. */
    *waits = t->state == WAITING;
    pthread_mutex_unlock(&lock);
    return t;
}

void limits_leave(struct ticket *t, int64_t tokens, int64_t now_ms)
{
    bool keep;

    pthread_mutex_lock(&lock);
    if (t->state == WAITING)
        dequeue(t);
    else if (t->state == GONE_AHEAD)
        give(t, t->posted ? 0 : tokens);
    forget(t);
    if (first)
        walk(now_ms / 1000, NULL);
    keep = t->posted;
    t->dropped = keep;
    pthread_mutex_unlock(&lock);
    if (!keep)
        free(t);
}

uint64_t limits_tokens_used(const char *provider, int64_t now_ms)
{
    struct meter *m;
    uint64_t n = 0;

    pthread_mutex_lock(&lock);
    m = meter_of(LIMIT_PROVIDER, str_c(provider), STR_NONE, now_ms / 1000);
    if (m) {
        meter_turn(m, now_ms / 1000);
        n = m->n_tokens;
    }
    pthread_mutex_unlock(&lock);
    return n;
}

size_t limits_waiting(void)
{
    size_t n;

    pthread_mutex_lock(&lock);
    n = n_waiting;
    pthread_mutex_unlock(&lock);
    return n;
}

void limits_free(void)
{
    for (size_t i = 0; i < HEADS; i++)
        while (heads[i]) {
            struct meter *m = heads[i];
            heads[i] = m->next;
            free(m);
        }
    n_meters = 0;
}
