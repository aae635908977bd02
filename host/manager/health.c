/* SPDX-License-Identifier: MIT */
/* Circuit breakers and cooldowns; the rules are in health.h. */
#include "manager/health.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define BUCKETS 1024

struct state {
    struct state *next; /* of the bucket */
    struct state *older, *newer;
    unsigned in_a_row;
    uint32_t window;  /* a bit each of the last attempts, 1: failed */
    unsigned seen;    /* how many of them there are */
    int64_t open_for; /* how long it opened last; 0: it is closed */
    int64_t opened_until, cool_until;
    unsigned opened, cooled; /* how often, resets included */
    bool probing;
    const char *last;
    struct health_log log;
    size_t provider_n; /* name is provider, NUL, model, NUL */
    char name[];
};

/* What is known of a provider beside its failures. */
struct held {
    char *provider;
    enum health_hold hold;
    struct health_check checks[HEALTH_CHECKS]; /* a ring */
    size_t n_checks;                           /* ever */
};

struct health {
    pthread_mutex_t lock;
    struct held *held; /* of providers that are checked or held back */
    size_t n_held;
    struct state *buckets[BUCKETS];
    struct state *oldest, *newest;
    size_t n;
};

struct health *health_new(void)
{
    struct health *h = calloc(1, sizeof(*h));

    if (h)
        pthread_mutex_init(&h->lock, NULL);
    return h;
}

void health_free(struct health *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_held; i++)
        free(h->held[i].provider);
    free(h->held);
    while (h->oldest) {
        struct state *s = h->oldest;
        h->oldest = s->newer;
        free(s);
    }
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* --- the table ------------------------------------------------------------ */

static struct state **bucket(struct health *h, const char *provider,
                             pbay_str model)
{
    uint32_t x = 2166136261u;

    for (; *provider; provider++)
        x = (x ^ (unsigned char)*provider) * 16777619u;
    x = (x ^ '/') * 16777619u;
    for (size_t i = 0; i < model.n; i++)
        x = (x ^ (unsigned char)model.p[i]) * 16777619u;
    return &h->buckets[x % BUCKETS];
}

static pbay_str model_of(const struct state *s)
{
    return str_c(s->name + s->provider_n + 1);
}

static void unlink_age(struct health *h, struct state *s)
{
    *(s->older ? &s->older->newer : &h->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &h->newest) = s->older;
}

static void link_newest(struct health *h, struct state *s)
{
    s->older = h->newest;
    s->newer = NULL;
    *(h->newest ? &h->newest->newer : &h->oldest) = s;
    h->newest = s;
}

static struct state *find(struct health *h, const char *provider,
                          pbay_str model)
{
    struct state *s = *bucket(h, provider, model);

    while (s && (strcmp(s->name, provider) != 0 || !str_eq(model_of(s), model)))
        s = s->next;
    return s;
}

static void drop_oldest(struct health *h)
{
    struct state *s = h->oldest, **at = bucket(h, s->name, model_of(s));

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    unlink_age(h, s);
    h->n--;
    free(s);
}

/* NULL: out of memory. */
static struct state *get(struct health *h, const char *provider, pbay_str model)
{
    struct state *s = find(h, provider, model), **at;
    size_t n = strlen(provider);

    if (s) {
        unlink_age(h, s);
        link_newest(h, s);
        return s;
    }
    s = calloc(1, sizeof(*s) + n + model.n + 2);
    if (!s)
        return NULL;
    memcpy(s->name, provider, n);
    s->provider_n = n;
    if (model.n)
        memcpy(s->name + n + 1, model.p, model.n);
    s->last = "";
    at = bucket(h, provider, model);
    s->next = *at;
    *at = s;
    link_newest(h, s);
    if (++h->n > HEALTH_TARGETS)
        drop_oldest(h);
    return s;
}

/* --- one state ------------------------------------------------------------ */

static enum health_say say(const struct state *s, int64_t now, int64_t *until)
{
    if (!s)
        return HEALTH_GO;
    if (s->cool_until > now) {
        *until = s->cool_until;
        return HEALTH_COOLING;
    }
    if (s->open_for && (s->opened_until > now || s->probing)) {
        *until = s->opened_until;
        return HEALTH_OPEN;
    }
    return HEALTH_GO;
}

static unsigned ones(uint32_t x)
{
    unsigned n = 0;

    for (; x; x &= x - 1)
        n++;
    return n;
}

static void remember(struct state *s, bool failed)
{
    s->window = (s->window << 1 | failed) & ((1u << HEALTH_WINDOW) - 1);
    if (s->seen < HEALTH_WINDOW)
        s->seen++;
}

static void open_it(struct state *s, int64_t now, const char *why)
{
    s->open_for = s->open_for ? s->open_for * 2 : HEALTH_OPEN_MS;
    if (s->open_for > HEALTH_OPEN_MAX_MS)
        s->open_for = HEALTH_OPEN_MAX_MS;
    s->opened_until = now + s->open_for;
    s->opened++;
    s->probing = false;
    health_log_add(&s->log, now, "open", why, s->open_for);
}

/* Was it under way before the breaker opened? */
static bool outdated(const struct state *s, const struct health_stand *t)
{
    return t->opened != s->opened;
}

static void release(struct state *s, const struct health_stand *t)
{
    if (s && t->probes && !outdated(s, t))
        s->probing = false;
}

static void went_well(struct state *s, int64_t now,
                      const struct health_stand *t)
{
    bool cooled, closed;

    if (!s)
        return;
    release(s, t);
    cooled = t->cooled == s->cooled && s->cool_until > now;
    closed = s->open_for && !outdated(s, t);
    if (cooled)
        s->cool_until = 0;
    if (cooled || closed)
        health_log_add(&s->log, now, "closed", "", 0);
    if (outdated(s, t))
        return;
    remember(s, false);
    s->in_a_row = 0;
    if (closed) { /* a fresh start: the window is of its bad time */
        s->open_for = s->opened_until = 0;
        s->probing = false;
        s->window = s->seen = 0;
    }
}

static void went_wrong(struct state *s, int64_t now, const struct err *e,
                       const struct health_stand *t)
{
    const struct err_class *c = err_class(e->kind);
    int64_t cool = e->retry_after_ms < HEALTH_COOL_MAX_MS ? e->retry_after_ms
                                                          : HEALTH_COOL_MAX_MS;

    release(s, t);
    s->last = c->name;
    if (cool >= 0) { /* the newest reply counts, also when it says sooner */
        s->cool_until = now + cool;
        s->cooled++;
    }
    if (cool > 0)
        health_log_add(&s->log, now, "cooling", c->name, cool);
    if (!c->health || outdated(s, t))
        return;
    remember(s, true);
    s->in_a_row++;
    if (s->open_for ? s->opened_until <= now
                    : s->in_a_row >= HEALTH_FAILURES ||
                          (s->seen == HEALTH_WINDOW &&
                           ones(s->window) * 2 >= HEALTH_WINDOW))
        open_it(s, now, c->name);
}

/* --- attempts ------------------------------------------------------------- */

/* --- by an operator ------------------------------------------------------- */

static struct held *held(struct health *h, const char *provider)
{
    for (size_t i = 0; i < h->n_held; i++)
        if (strcmp(h->held[i].provider, provider) == 0)
            return &h->held[i];
    return NULL;
}

static int hold_new(struct health *h, const char *provider,
                    enum health_hold hold)
{
    struct held *v = realloc(h->held, (h->n_held + 1) * sizeof(*v));
    char *name = strdup(provider);

    if (v)
        h->held = v;
    if (!v || !name) {
        free(name);
        return -1;
    }
    v[h->n_held++] = (struct held){.provider = name, .hold = hold};
    return 0;
}

int health_hold(struct health *h, const char *provider, enum health_hold hold)
{
    struct held *x;
    int rc = 0;

    pthread_mutex_lock(&h->lock);
    x = held(h, provider);
    if (x)
        x->hold = hold;
    else if (hold != HOLD_NONE)
        rc = hold_new(h, provider, hold);
    pthread_mutex_unlock(&h->lock);
    return rc;
}

enum health_hold health_held(struct health *h, const char *provider)
{
    enum health_hold hold = HOLD_NONE;
    struct held *x;

    pthread_mutex_lock(&h->lock);
    x = held(h, provider);
    if (x)
        hold = x->hold;
    pthread_mutex_unlock(&h->lock);
    return hold;
}

void health_checked(struct health *h, const char *provider,
                    const struct health_check *check)
{
    struct held *x;

    pthread_mutex_lock(&h->lock);
    if (!held(h, provider))
        hold_new(h, provider, HOLD_NONE);
    x = held(h, provider);
    if (x)
        x->checks[x->n_checks++ % HEALTH_CHECKS] = *check;
    pthread_mutex_unlock(&h->lock);
}

size_t health_checks(struct health *h, const char *provider,
                     struct health_check out[HEALTH_CHECKS])
{
    struct held *x;
    size_t n = 0;

    pthread_mutex_lock(&h->lock);
    x = held(h, provider);
    for (; x && n < HEALTH_CHECKS && n < x->n_checks; n++)
        out[n] = x->checks[(x->n_checks - 1 - n) % HEALTH_CHECKS];
    pthread_mutex_unlock(&h->lock);
    return n;
}

/* --- looking -------------------------------------------------------------- */

enum health_say health_look(struct health *h, const char *provider,
                            pbay_str model, int64_t now, int64_t *until)
{
    enum health_say of_provider, of_model;
    int64_t a = 0, b = 0;

    struct held *x;
    bool out;

    pthread_mutex_lock(&h->lock);
    x = held(h, provider);
    out = x && x->hold != HOLD_NONE;
    of_provider = say(find(h, provider, STR_NONE), now, &a);
    of_model = model.n ? say(find(h, provider, model), now, &b) : HEALTH_GO;
    pthread_mutex_unlock(&h->lock);
    *until = a > b ? a : b;
    if (out)
        return HEALTH_HELD;
    if (of_provider == HEALTH_GO)
        return of_model;
    return of_model == HEALTH_OPEN ? HEALTH_OPEN : of_provider;
}

static bool claim(struct state *s, int64_t now, struct health_stand *t)
{
    memset(t, 0, sizeof(*t));
    if (!s)
        return true;
    t->opened = s->opened;
    t->cooled = s->cooled;
    if (!s->open_for || s->opened_until > now)
        return true;
    if (s->probing)
        return false;
    s->probing = t->probes = true;
    health_log_add(&s->log, now, "half_open", "", 0);
    return true;
}

bool health_begin(struct health *h, const char *provider, pbay_str model,
                  int64_t now, struct health_ticket *t)
{
    bool first;

    pthread_mutex_lock(&h->lock);
    first = claim(find(h, provider, STR_NONE), now, &t->provider);
    first &= claim(model.n ? find(h, provider, model) : NULL, now, &t->model);
    pthread_mutex_unlock(&h->lock);
    return first;
}

static void failed(struct health *h, const char *provider, pbay_str model,
                   int64_t now, const struct err *e,
                   const struct health_ticket *t)
{
    bool wide = e->scope == PBAY_SCOPE_KEY || e->scope == PBAY_SCOPE_PROVIDER ||
                !model.n;
    struct state *s;

    /* First, since another one may have to go for a new one. */
    if (model.n)
        release(find(h, provider, model), &t->model);
    release(find(h, provider, STR_NONE), &t->provider);
    if (e->scope == PBAY_SCOPE_REQUEST && e->retry_after_ms < 0 &&
        !err_class(e->kind)->health)
        return; /* says nothing of the target, which did answer */
    s = get(h, provider, wide ? STR_NONE : model);
    if (s)
        went_wrong(s, now, e, wide ? &t->provider : &t->model);
}

void health_end(struct health *h, const char *provider, pbay_str model,
                int64_t now, const struct err *e, const struct health_ticket *t)
{
    if (e && (e->kind == ERR_LIMIT || e->kind == ERR_KEY_LIMIT)) {
        /* It was never asked. */
        health_dismiss(h, provider, model, t);
        return;
    }
    pthread_mutex_lock(&h->lock);
    if (e) {
        failed(h, provider, model, now, e, t);
    } else {
        went_well(find(h, provider, STR_NONE), now, &t->provider);
        if (model.n)
            went_well(find(h, provider, model), now, &t->model);
    }
    pthread_mutex_unlock(&h->lock);
}

void health_dismiss(struct health *h, const char *provider, pbay_str model,
                    const struct health_ticket *t)
{
    pthread_mutex_lock(&h->lock);
    release(find(h, provider, STR_NONE), &t->provider);
    if (model.n)
        release(find(h, provider, model), &t->model);
    pthread_mutex_unlock(&h->lock);
}

void health_reset(struct health *h, const char *provider, int64_t now)
{
    pthread_mutex_lock(&h->lock);
    for (struct state *s = h->oldest; s; s = s->newer)
        if (strcmp(s->name, provider) == 0) {
            s->in_a_row = s->seen = 0;
            s->window = 0;
            s->open_for = s->opened_until = s->cool_until = 0;
            s->opened++;
            s->cooled++;
            s->probing = false;
            s->last = "";
            health_log_add(&s->log, now, "reset", "", 0);
        }
    pthread_mutex_unlock(&h->lock);
}

void health_each(struct health *h, int64_t now,
                 void (*fn)(void *arg, const struct health_state *s), void *arg)
{
    pthread_mutex_lock(&h->lock);
    for (struct state *s = h->oldest; s; s = s->newer) {
        int64_t until = now;
        enum health_say w = say(s, now, &until);
        struct health_state out = {.provider = s->name,
                                   .model = s->name + s->provider_n + 1,
                                   .say = w == HEALTH_COOLING ? "cooling"
                                          : !s->open_for      ? "closed"
                                          : w == HEALTH_OPEN  ? "open"
                                                              : "half_open",
                                   .in_a_row = s->in_a_row,
                                   .failed = ones(s->window),
                                   .of = s->seen,
                                   .for_ms = until > now ? until - now : 0,
                                   .last = s->last};
        out.n_changes = health_log_read(&s->log, out.changes);
        fn(arg, &out);
    }
    pthread_mutex_unlock(&h->lock);
}
