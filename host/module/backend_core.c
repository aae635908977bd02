/* SPDX-License-Identifier: MIT */
/* Which process starts, serves, waits, yields or ends: a state machine on a
 * time that is given to it.
 *
 *   REST -> QUEUED -> STARTING -> READY -> STOPPING -> REST
 *
 * A process that ends by itself is started again after a pause that doubles
 * with each failure: at once (after it) if it had been ready, since it was
 * wanted; else only when somebody asks. */
#include "module/backend_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* So many crashes in a row and it waits until somebody asks. */
#define CRASHES 5
/* A crash after this long is no row any more. */
#define STEADY_MS 60000
/* A call does not wait for a restart that is further away. */
#define PATIENCE_MS 5000
#define MOVES       3

void be_core_init(struct be_core *c)
{
    *c = (struct be_core){.caps = {.max_processes = 1,
                                   .max_waiting = 256,
                                   .stop_ms = LIM_BACKEND_STOP_MS}};
}

void be_core_done(struct be_core *c)
{
    while (c->all) {
        struct backend *b = c->all;
        c->all = b->next;
        be_free(b);
    }
    c->n = 0;
}

void be_place_unref(struct be_place *p)
{
    if (!p || --p->refs)
        return;
    secret_free(p->at.key);
    free(p);
}

/* --- those who wait ------------------------------------------------------ */

static void enqueue(struct be_core *c, struct backend *b, struct backend_use *u)
{
    u->prev = b->last;
    *b->last = u;
    b->last = &u->next;
    b->waiting++;
    c->waiting++;
}

static void dequeue(struct be_core *c, struct backend *b, struct backend_use *u)
{
    *u->prev = u->next;
    if (u->next)
        u->next->prev = u->prev;
    else
        b->last = u->prev;
    u->next = NULL;
    b->waiting--;
    c->waiting--;
}

static void tell(struct backend_use *u)
{
    u->posted = true;
    loop_post(u->loop, &u->job);
}

static bool has_room(const struct backend *b)
{
    return b->state == BE_READY && !b->yields &&
           (!b->parallel || b->held < b->parallel);
}

static void hold(struct backend *b, struct backend_use *u)
{
    u->state = USE_HELD;
    u->place = b->place;
    u->place->refs++;
    b->held++;
}

void be_grant(struct be_core *c, struct backend *b)
{
    while (b->first && has_room(b)) {
        struct backend_use *u = b->first;
        dequeue(c, b, u);
        hold(b, u);
        tell(u);
    }
}

/* Why nobody gets it now. */
static void say_failed(const struct backend *b, int64_t now, struct err *e)
{
    int64_t pause = b->retry_at > now ? b->retry_at - now : 0;

    /* No Retry-After: that is for providers who mean everybody, and would hide
     * the reason from those who ask meanwhile. */
    err_set(
        e, PBAY_E_UPSTREAM,
        b->start_failed ? "%s: %s could not be started (again in %lld ms): %s"
                        : "%s: %s has ended (again in %lld ms): %s",
        b->provider, b->name, (long long)pause, b->why ? b->why : "it ended");
    e->scope = PBAY_SCOPE_MODEL;
}

static void refuse_all(struct be_core *c, struct backend *b,
                       const struct err *why)
{
    while (b->first) {
        struct backend_use *u = b->first;
        dequeue(c, b, u);
        u->state = USE_REFUSED;
        u->err = malloc(sizeof(*u->err));
        if (u->err)
            *u->err = *why;
        tell(u);
    }
}

/* --- time ---------------------------------------------------------------- */

static void sooner(int64_t *due, int64_t at)
{
    if (at < *due)
        *due = at;
}

static void tick_one(struct be_core *c, struct backend *b, int64_t now)
{
    bool wanted = b->waiting || b->again;

    switch (b->state) {
    case BE_REST:
        if (wanted && now >= b->retry_at && !c->ending)
            be_set_state(b, BE_QUEUED, now);
        break;
    case BE_QUEUED:
        if (!wanted)
            be_set_state(b, BE_REST, now);
        break;
    case BE_STARTING:
        if (now - b->since >= b->ready_ms) {
            b->late = true;
            be_stop(b, true, now);
        }
        break;
    case BE_READY:
        if (!b->held && !b->waiting &&
            (b->retired || (b->idle_ms && now - b->used >= b->idle_ms)))
            be_stop(b, false, now);
        break;
    case BE_STOPPING:
        break;
    }
}

/* While one is in use its end is only looked for: who gives a place back does
 * not have to wake anybody for that. */
static void due_of(const struct backend *b, int64_t now, int64_t *due)
{
    switch (b->state) {
    case BE_REST:
        if (b->waiting || b->again)
            sooner(due, b->retry_at);
        else if (b->failures)
            sooner(due, b->retry_at + STEADY_MS);
        break;
    case BE_QUEUED:
        sooner(due, b->since + LIM_BACKEND_TURN_MS);
        break;
    case BE_STARTING:
        sooner(due, b->since + b->ready_ms);
        break;
    case BE_READY:
        if (b->idle_ms)
            sooner(due, (b->held || b->waiting ? now : b->used) + b->idle_ms);
        break;
    case BE_STOPPING:
        break;
    }
}

/* What failed is remembered a while. */
static bool over(const struct backend *b, int64_t now)
{
    return b->state == BE_REST && !b->waiting && !b->held && !b->again &&
           (b->retired || !b->failures || now >= b->retry_at + STEADY_MS);
}

int64_t be_tick(struct be_core *c, int64_t now)
{
    int64_t due = INT64_MAX;

    for (struct backend **at = &c->all; *at;) {
        struct backend *b = *at;
        tick_one(c, b, now);
        if (!over(b, now)) {
            at = &b->next;
            continue;
        }
        *at = b->next;
        c->n--;
        be_free(b);
    }
    be_schedule(c, now);
    for (struct backend *b = c->all; b; b = b->next)
        due_of(b, now, &due);
    /* One that has just been overdue is dealt with above; a turn that is over
     * while nobody can yield is looked at again when something changes. */
    return due > now ? due : due == INT64_MAX ? due : now + 1000;
}

/* --- what becomes of processes ------------------------------------------- */

void be_ready(struct be_core *c, struct backend *b, struct be_place *place,
              int64_t now)
{
    if (b->state != BE_STARTING) { /* it is to end already */
        be_place_unref(place);
        return;
    }
    b->place = place;
    b->again = b->start_failed = b->doubted = false;
    b->moves = 0;
    b->used = now;
    be_set_state(b, BE_READY, now);
    be_grant(c, b);
}

static void note_failure(struct backend *b, const struct be_end *end,
                         int64_t now)
{
    int64_t pause = LIM_BACKEND_PAUSE_MS;
    char *why = NULL;

    for (unsigned i = 0; i < b->failures && pause < LIM_BACKEND_PAUSE_MAX_MS;
         i++)
        pause *= 2;
    if (pause > LIM_BACKEND_PAUSE_MAX_MS)
        pause = LIM_BACKEND_PAUSE_MAX_MS;
    b->failures++;
    b->retry_at = now + pause;
    if (b->late) {
        if (asprintf(&why, "it was not ready within %lld ms%s%s",
                     (long long)b->ready_ms,
                     *end->tail ? "; its last lines: " : "", end->tail) < 0)
            why = NULL;
    } else if (!b->start_failed) {
        /* What it said while it served is for the log: it may be about others'
         * requests. */
        why = strdup(end->how);
    } else if (asprintf(&why, "%s%s%s", end->how,
                        *end->tail ? "; its last lines: " : "",
                        end->tail) < 0) {
        why = NULL;
    }
    free(b->why);
    b->why = why;
    log_line(LOG_ERROR, "backend",
             b->start_failed ? "a process could not be started"
                             : "a process has ended by itself",
             log_cstr("provider", b->provider), log_cstr("name", b->name),
             log_int("failures", b->failures), log_int("pause_ms", pause),
             log_cstr("reason", why),
             log_cstr("said", b->start_failed ? "" : end->tail), LOG_END);
}

/* It never got ready. */
static void start_failed(struct be_core *c, struct backend *b,
                         const struct be_end *end, int64_t now)
{
    struct err e;

    be_set_state(b, BE_REST, now);
    if (end->no_port && b->moves < MOVES) {
        log_line(LOG_INFO, "backend",
                 "somebody else took the port; trying another one",
                 log_cstr("provider", b->provider), log_cstr("name", b->name),
                 LOG_END);
        b->moves++;
        b->again = true;
        b->retry_at = now;
        return;
    }
    b->moves = 0;
    b->again = false;
    b->start_failed = true;
    note_failure(b, end, now);
    err_clear(&e);
    say_failed(b, now, &e);
    refuse_all(c, b, &e);
}

/* Somebody used it, and will want it again. */
static void crashed(struct be_core *c, struct backend *b,
                    const struct be_end *end, int64_t ready_since, int64_t now)
{
    struct err e;

    if (now - ready_since >= STEADY_MS)
        b->failures = 0;
    be_set_state(b, BE_REST, now);
    be_place_unref(b->place);
    b->place = NULL;
    b->start_failed = false;
    note_failure(b, end, now);
    b->again =
        b->failures <= CRASHES && !b->retired &&
        (b->held || b->waiting || !b->idle_ms || now - b->used < b->idle_ms);
    if (b->retry_at - now <= PATIENCE_MS)
        return;
    err_clear(&e);
    say_failed(b, now, &e);
    refuse_all(c, b, &e);
}

void be_exited(struct be_core *c, struct backend *b, const struct be_end *end,
               int64_t now)
{
    enum backend_state was = b->state;

    b->pid = b->port = 0;
    b->line[0] = '\0';
    if ((was == BE_STARTING && !b->doubted) ||
        (was == BE_STOPPING && b->late)) {
        start_failed(c, b, end, now);
    } else if (was == BE_READY || was == BE_STARTING) {
        crashed(c, b, end, b->since, now);
    } else { /* as it was told */
        b->failures = 0;
        b->retry_at = now;
        be_set_state(b, BE_REST, now);
    }
    b->late = b->at_once = b->yields = b->doubted = false;
}

void be_doubt(struct backend_use *u, int64_t now)
{
    struct backend *b = u->of;

    /* Somebody else may have found out first. */
    if (u->state != USE_HELD || b->state != BE_READY || u->place != b->place)
        return;
    if (now - b->since >= STEADY_MS)
        b->failures = 0;
    b->doubted = true;
    be_place_unref(b->place);
    b->place = NULL;
    be_set_state(b, BE_STARTING, now);
}

/* --- asking -------------------------------------------------------------- */

static struct backend *find(const struct be_core *c, const struct backend *like)
{
    for (struct backend *b = c->all; b; b = b->next)
        if (!b->retired && strcmp(b->provider, like->provider) == 0 &&
            strcmp(b->key, like->key) == 0)
            return b;
    return NULL;
}

static bool was_asked(const struct backend *b, const struct backend_ask *ask)
{
    for (unsigned i = 0; i < b->n_asked; i++)
        if (b->asked[i].serial == ask->serial && b->asked[i].op == ask->op &&
            str_is(ask->model, b->asked[i].model))
            return true;
    return false;
}

/* The oldest answer makes place. */
static void remember(struct backend *b, const struct backend_ask *ask)
{
    char *model;

    if (!ask->model.n || was_asked(b, ask) || !(model = str_dup(ask->model)))
        return;
    if (b->n_asked == BE_ASKED) {
        free(b->asked[0].model);
        memmove(b->asked, b->asked + 1, (BE_ASKED - 1) * sizeof(*b->asked));
        b->n_asked--;
    }
    b->asked[b->n_asked++] = (struct be_asked){ask->serial, ask->op, model};
}

static struct backend_use *use_new(struct backend *b,
                                   const struct backend_ask *ask)
{
    struct backend_use *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->of = b;
    u->loop = ask->loop;
    u->wake = ask->wake;
    u->arg = ask->arg;
    return u;
}

struct backend_use *be_again(struct be_core *c, const struct backend_ask *ask,
                             int64_t now)
{
    for (struct backend *b = c->all; ask->model.n && b; b = b->next) {
        struct backend_use *u;

        if (b->retired || !has_room(b) || b->waiting ||
            strcmp(b->provider, ask->provider) != 0 || !was_asked(b, ask))
            continue;
        u = use_new(b, ask);
        if (!u)
            return NULL;
        b->used = now;
        hold(b, u);
        return u;
    }
    return NULL;
}

/* The backend that is described, an old one of that key retired. */
static struct backend *take(struct be_core *c, struct backend *wanted,
                            struct err *e)
{
    struct backend *b = find(c, wanted);

    if (b && be_same(b, wanted)) {
        b->ready_ms = wanted->ready_ms;
        b->idle_ms = wanted->idle_ms;
        b->memory = wanted->memory;
        b->parallel = wanted->parallel;
        be_free(wanted);
        return b;
    }
    if (c->n >= LIM_BACKENDS) {
        err_set(e, ERR_LIMIT, "%s: more than %d processes are described",
                wanted->provider, LIM_BACKENDS);
        be_free(wanted);
        return NULL;
    }
    if (b)
        b->retired = true;
    struct backend **at = &c->all;
    while (*at)
        at = &(*at)->next;
    *at = wanted;
    c->n++;
    return wanted;
}

static int refused(const struct be_core *c, const struct backend *b,
                   int64_t now, struct err *e)
{
    if (c->caps.max_memory && b->memory > c->caps.max_memory) {
        err_set(e, PBAY_E_INVALID,
                "%s: %s needs %llu MiB of memory, and backends.max_memory is "
                "%llu MiB",
                b->provider, b->name, (unsigned long long)(b->memory >> 20),
                (unsigned long long)(c->caps.max_memory >> 20));
        e->scope = PBAY_SCOPE_MODEL;
        return -1;
    }
    if (b->state == BE_REST && b->retry_at > now &&
        (b->start_failed || b->retry_at - now > PATIENCE_MS)) {
        say_failed(b, now, e);
        return -1;
    }
    if (!has_room(b) && c->waiting >= c->caps.max_waiting) {
        err_set(e, ERR_LIMIT,
                "%s: as many requests wait for a process as "
                "backends.max_waiting allows",
                b->provider);
        e->retry_after_ms = 1000;
        return -1;
    }
    return 0;
}

struct backend_use *be_enter(struct be_core *c, const struct backend_ask *ask,
                             const pbay_backend_spec *spec, int64_t now,
                             bool *waits, struct err *e)
{
    struct backend *b;
    struct backend_use *u;

    err_clear(e);
    if (c->ending) {
        err_set(e, ERR_UNAVAILABLE, "the host is shutting down");
        return NULL;
    }
    b = be_described(ask, spec, e);
    if (b)
        b = take(c, b, e);
    if (!b || refused(c, b, now, e) < 0)
        return NULL;
    u = use_new(b, ask);
    if (!u) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return NULL;
    }
    b->used = now;
    remember(b, ask);
    *waits = !has_room(b) || b->waiting;
    if (!*waits) {
        hold(b, u);
        return u;
    }
    enqueue(c, b, u);
    if (b->state == BE_REST && now >= b->retry_at)
        be_set_state(b, BE_QUEUED, now);
    return u;
}

bool be_leave(struct be_core *c, struct backend_use *u, int64_t now)
{
    struct backend *b = u->of;

    if (u->state == USE_WAITS) {
        dequeue(c, b, u);
    } else if (u->state == USE_HELD) {
        b->held--;
        b->used = now;
        be_place_unref(u->place);
        be_grant(c, b);
    }
    u->place = NULL;
    u->dropped = u->posted;
    return !u->posted;
}

/* --- from above ---------------------------------------------------------- */

void be_configure(struct be_core *c, const struct backend_caps *caps,
                  const char *const *providers, size_t n)
{
    c->caps = *caps;
    for (struct backend *b = c->all; b; b = b->next) {
        bool there = false;
        for (size_t i = 0; i < n; i++)
            there = there || strcmp(b->provider, providers[i]) == 0;
        b->retired = b->retired || !there;
    }
    be_forgive(c, NULL);
}

void be_forgive(struct be_core *c, const char *provider)
{
    for (struct backend *b = c->all; b; b = b->next)
        if (b->state == BE_REST &&
            (!provider || strcmp(b->provider, provider) == 0)) {
            b->failures = 0;
            b->retry_at = 0;
            b->start_failed = false;
        }
}

void be_end_all(struct be_core *c, int64_t now)
{
    struct err e;

    err_clear(&e);
    err_set(&e, ERR_UNAVAILABLE, "the host is shutting down");
    c->ending = true;
    for (struct backend *b = c->all; b; b = b->next) {
        b->again = false;
        b->retired = true;
        refuse_all(c, b, &e);
        if (b->state == BE_READY || b->state == BE_STARTING)
            be_stop(b, false, now);
    }
}

bool be_any(const struct be_core *c)
{
    for (const struct backend *b = c->all; b; b = b->next)
        if (be_occupies(b))
            return true;
    return false;
}

void be_each(const struct be_core *c, const char *provider, int64_t now,
             void (*fn)(void *arg, const struct backend_row *r), void *arg)
{
    static const char *const names[] = {"failed", "waiting", "starting",
                                        "ready", "stopping"};

    for (const struct backend *b = c->all; b; b = b->next) {
        if (provider && strcmp(provider, b->provider) != 0)
            continue;
        struct backend_row r = {
            .provider = b->provider,
            .name = b->name,
            .state = b->state == BE_REST && !b->failures ? "stopped"
                                                         : names[b->state],
            .pid = b->pid,
            .port = b->port,
            .uses = b->held,
            .waiting = b->waiting,
            .starts = b->starts,
            .failures = b->failures,
            .memory = b->memory,
            .for_ms = now - b->since,
            .expires_ms = b->state == BE_READY && !b->held && b->idle_ms
                              ? b->used + b->idle_ms - now
                              : -1,
            .retry_ms = b->state == BE_REST && b->retry_at > now
                            ? b->retry_at - now
                            : 0,
            .line = b->line,
            .why = b->why,
        };
        fn(arg, &r);
    }
}
