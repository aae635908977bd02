/* SPDX-License-Identifier: MIT */
/* What is left of providers' rate limits; the rules are in allowance.h. */
#include "manager/allowance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include <patchbay/json.h>
#include <patchbay/request.h>

/* Larger figures say no more than this does. */
#define MOST INT64_C(1000000000000000)

enum {
    REQUESTS,
    TOKENS,
    INPUT,
    OUTPUT,
    KINDS
};
static const char *const names[KINDS] = {"requests", "tokens", "input_tokens",
                                         "output_tokens"};

struct kind {
    int64_t limit, left; /* limit -1: not known */
    int64_t at, full_ms; /* said then: all is back after so long */
    int64_t until;       /* it holds until then; 0: nothing is known */
    uint64_t began;      /* of requests: it counts so many */
};

struct slot {
    uint32_t hash;
    char *model;
    uint64_t used;  /* when, by `tick` */
    uint64_t begun; /* attempts */
    struct kind kinds[KINDS];
};

struct allowances {
    pthread_mutex_t lock;
    uint64_t tick;
    _Atomic size_t n; /* 0 also says that there is nothing to look for */
    struct slot *slots;
};

struct allowances *allowances_new(void)
{
    struct allowances *a = calloc(1, sizeof(*a));

    if (a)
        pthread_mutex_init(&a->lock, NULL);
    return a;
}

static void drop_all(struct allowances *a)
{
    for (size_t i = 0; i < atomic_load(&a->n); i++)
        free(a->slots[i].model);
    atomic_store(&a->n, 0);
}

void allowances_free(struct allowances *a)
{
    if (!a)
        return;
    drop_all(a);
    free(a->slots);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void allowance_forget(struct allowances *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    drop_all(a);
    pthread_mutex_unlock(&a->lock);
}

/* --- the table ------------------------------------------------------------ */

static uint32_t hash_of(pbay_str model)
{
    uint32_t x = 2166136261u;

    for (size_t i = 0; i < model.n; i++)
        x = (x ^ (unsigned char)model.p[i]) * 16777619u;
    return x;
}

static bool empty(struct allowances *a)
{
    return !a || !atomic_load_explicit(&a->n, memory_order_relaxed);
}

static struct slot *find(struct allowances *a, pbay_str model)
{
    uint32_t h = hash_of(model);
    size_t n = atomic_load_explicit(&a->n, memory_order_relaxed);

    for (size_t i = 0; i < n; i++)
        if (a->slots[i].hash == h && str_is(model, a->slots[i].model))
            return &a->slots[i];
    return NULL;
}

/* NULL: out of memory. */
static struct slot *get(struct allowances *a, pbay_str model)
{
    struct slot *s = find(a, model);
    size_t n = atomic_load(&a->n);
    char *name;

    if (s)
        return s;
    if (!a->slots)
        a->slots = calloc(ALLOWANCE_MODELS, sizeof(*a->slots));
    name = a->slots ? malloc(model.n + 1) : NULL;
    if (!name)
        return NULL;
    if (model.n)
        memcpy(name, model.p, model.n);
    name[model.n] = '\0';
    if (n < ALLOWANCE_MODELS) {
        s = &a->slots[n];
        atomic_store(&a->n, n + 1);
    } else {
        s = a->slots;
        for (size_t i = 1; i < n; i++)
            if (a->slots[i].used < s->used)
                s = &a->slots[i];
        free(s->model);
    }
    *s = (struct slot){.hash = hash_of(model), .model = name};
    return s;
}

/* A copy of what is known of a model; false: nothing. */
static bool copy(struct allowances *a, pbay_str model, struct slot *out)
{
    struct slot *s;

    if (empty(a))
        return false;
    pthread_mutex_lock(&a->lock);
    s = find(a, model);
    if (s)
        *out = *s;
    pthread_mutex_unlock(&a->lock);
    return s != NULL;
}

/* --- learning ------------------------------------------------------------- */

uint64_t allowance_begin(struct allowances *a, pbay_str model)
{
    uint64_t began = 0;
    struct slot *s;

    if (empty(a))
        return 0;
    pthread_mutex_lock(&a->lock);
    s = find(a, model);
    if (s) {
        s->used = ++a->tick;
        began = ++s->begun;
    }
    pthread_mutex_unlock(&a->lock);
    return began;
}

/* A figure of 0 or more; -1: not there, or none. */
static int64_t figure(pbay_str object, const char *name)
{
    int64_t v;

    if (pbay_json_i64(pbay_json_get(object, name), &v) < 0 || v < 0)
        return -1;
    return v < MOST ? v : MOST;
}

/* A limit of 0 is how some say that there is none. */
static bool read_kind(pbay_str object, int64_t now, struct kind *k)
{
    *k = (struct kind){.limit = figure(object, "limit"),
                       .left = figure(object, "remaining"),
                       .at = now,
                       .full_ms = figure(object, "reset_ms")};
    k->until =
        now + (k->full_ms < ALLOWANCE_MAX_MS ? k->full_ms : ALLOWANCE_MAX_MS);
    return k->left >= 0 && k->full_ms >= 0 && k->limit != 0;
}

void allowance_learn(struct allowances *a, pbay_str model, pbay_str json,
                     uint64_t began, int64_t now_ms)
{
    struct kind kinds[KINDS];
    bool said[KINDS], any = false;
    struct slot *s;

    if (!a || pbay_json_check(json, NULL) < 0)
        return;
    for (size_t i = 0; i < KINDS; i++) {
        said[i] = read_kind(pbay_json_get(json, names[i]), now_ms, &kinds[i]);
        any |= said[i];
    }
    if (!any)
        return;
    pthread_mutex_lock(&a->lock);
    s = get(a, model);
    if (s) {
        s->used = ++a->tick;
        for (size_t i = 0; i < KINDS; i++)
            if (said[i])
                s->kinds[i] = kinds[i];
        s->kinds[REQUESTS].began = began;
    }
    pthread_mutex_unlock(&a->lock);
}

void allowance_return(struct allowances *a, pbay_str model, int64_t now_ms,
                      int64_t after_ms)
{
    struct slot *s;

    if (empty(a) || after_ms < 0 || after_ms > ALLOWANCE_MAX_MS)
        return;
    pthread_mutex_lock(&a->lock);
    s = find(a, model);
    for (size_t i = 0; s && i < KINDS; i++)
        if (s->kinds[i].until > now_ms + after_ms)
            s->kinds[i].until = now_ms + after_ms;
    pthread_mutex_unlock(&a->lock);
}

/* --- what is left --------------------------------------------------------- */

/* What was left of it, less the requests that have begun since. */
static int64_t rest_of(const struct slot *s, size_t i)
{
    const struct kind *k = &s->kinds[i];
    uint64_t more =
        i == REQUESTS && s->begun > k->began ? s->begun - k->began : 0;

    return more < (uint64_t)k->left ? k->left - (int64_t)more : 0;
}

/* What is left of it by now. */
static int64_t left_of(const struct slot *s, size_t i, int64_t now)
{
    const struct kind *k = &s->kinds[i];
    int64_t left = rest_of(s, i), since = now - k->at;

    if (k->limit <= left || k->full_ms <= 0 || since <= 0)
        return left;
    return left + (int64_t)((double)(k->limit - left) *
                            (double)(since < k->full_ms ? since : k->full_ms) /
                            (double)k->full_ms);
}

/* When so much of it is there, of which `rest` was; at its reset at the
 * latest. */
static int64_t when(const struct kind *k, int64_t rest, int64_t need)
{
    double ms;

    if (k->limit <= rest || need > k->limit)
        return k->until;
    ms = (double)(need - rest) / (double)(k->limit - rest) * (double)k->full_ms;
    return ms < (double)(k->until - k->at) ? k->at + (int64_t)ms + 1 : k->until;
}

static int64_t spared_until(const struct kind *k)
{
    int64_t ms = k->full_ms / 4;

    if (k->limit < 0)
        return k->until;
    ms = ms < ALLOWANCE_REST_MS ? ms : ALLOWANCE_REST_MS;
    return k->at + ms < k->until ? k->at + ms : k->until;
}

static bool low_of(const struct slot *s, size_t i, int64_t need, int64_t now,
                   struct allowance_low *low)
{
    const struct kind *k = &s->kinds[i];
    int64_t rest = rest_of(s, i), spared = spared_until(k);

    if (rest >= need)
        return false;
    *low = (struct allowance_low){.what = names[i],
                                  .left = rest,
                                  .need = need,
                                  .limit = k->limit,
                                  .enough_ms = when(k, rest, need)};
    low->until_ms = low->enough_ms > spared ? low->enough_ms : spared;
    return low->until_ms > now;
}

/* Tokens of the prompt.  Bytes of another dialect's body may be pictures. */
static int64_t prompt(struct want *w)
{
    uint64_t n = w->op == PBAY_OP_CHAT && !w->canonical && !w->has_input
                     ? want_text(w)
                     : want_input(w);

    return n < (uint64_t)MOST ? (int64_t)n : MOST;
}

static int64_t need_of(struct want *w, size_t i, int64_t left)
{
    int64_t answer = (int64_t)want_output(w);

    if (i == REQUESTS)
        return 1;
    if (i == OUTPUT)
        return answer;
    if (i == INPUT)
        answer = 0;
    /* No token has less than a byte: mostly nothing has to be counted. */
    if (!w->has_input && (int64_t)w->body.n + answer <= left)
        return 0;
    return prompt(w) + answer;
}

bool allowance_look(struct allowances *a, pbay_str model, struct want *w,
                    int64_t now_ms, struct allowance_low *low)
{
    struct allowance_low one;
    struct slot s;
    bool any = false;

    if (!copy(a, model, &s))
        return false;
    for (size_t i = 0; i < KINDS; i++) {
        if (s.kinds[i].until <= now_ms ||
            !low_of(&s, i, need_of(w, i, s.kinds[i].left), now_ms, &one))
            continue;
        if (!any || one.until_ms > low->until_ms)
            *low = one;
        any = true;
    }
    return any;
}

/* --- showing -------------------------------------------------------------- */

static void put_kinds(struct buf *b, const struct slot *s, const char *sep,
                      int64_t now)
{
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *k = &s->kinds[i];
        if (k->until <= now)
            continue;
        buf_printf(b, "%s\"%s\":{", sep, names[i]);
        if (k->limit >= 0)
            buf_printf(b, "\"limit\":%lld,", (long long)k->limit);
        buf_printf(b, "\"left\":%lld,\"reset_ms\":%lld}",
                   (long long)left_of(s, i, now), (long long)(k->until - now));
        sep = ",";
    }
}

void allowance_put(struct buf *b, struct allowances *a, pbay_str model,
                   int64_t now_ms)
{
    struct slot s;

    buf_addc(b, "{");
    if (copy(a, model, &s))
        put_kinds(b, &s, "", now_ms);
    buf_addc(b, "}");
}

static bool known(const struct slot *s, int64_t now)
{
    for (size_t i = 0; i < KINDS; i++)
        if (s->kinds[i].until > now)
            return true;
    return false;
}

void allowance_put_all(struct buf *b, struct allowances *a, const char *name,
                       bool first, int64_t now_ms)
{
    if (empty(a))
        return;
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < atomic_load(&a->n); i++) {
        if (!known(&a->slots[i], now_ms))
            continue;
        buf_addc(b, first ? "{\"provider\":" : ",{\"provider\":");
        buf_json(b, str_c(name));
        buf_addc(b, ",\"model\":");
        buf_json(b, str_c(a->slots[i].model));
        put_kinds(b, &a->slots[i], ",", now_ms);
        buf_addc(b, "}");
        first = false;
    }
    pthread_mutex_unlock(&a->lock);
}
