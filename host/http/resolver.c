/* SPDX-License-Identifier: MIT */
/* The resolver threads and their cache; see resolver.h. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/limits.h"
#include "base/thread.h"
#include "http/resolver.h"
#include "http/transport.h"

#define BUCKETS   256
#define ADDRS     16  /* addresses of one name that are used */
#define ADDRS_LEN 1024
#define STOP_MS   500 /* how long resolver_stop() waits for a lookup */

struct resolve_wait {
    struct loop_job job;
    struct loop *loop;
    struct entry *entry; /* NULL: posted to the loop */
    struct resolve_wait *prev, *next;
    resolve_done *done; /* NULL: forgotten */
    void *arg;
    char *addrs;
    int64_t ttl_ms;
    int rc;
};

struct entry {
    struct entry *next;   /* in its bucket */
    struct entry *queued; /* behind it in the queue */
    char *host, *addrs;   /* addrs NULL: not known yet */
    int64_t until, fresh; /* good until; no need to ask again before (ms) */
    int64_t used;
    bool busy;     /* in the queue or with a thread */
    bool orphaned; /* the resolver was stopped: the thread frees it */
    struct resolve_wait *waits;
};

static struct {
    pthread_mutex_t lock; /* for everything here, and all entries */
    pthread_cond_t work, idle;
    struct entry *buckets[BUCKETS];
    struct entry *first, **last; /* the queue */
    size_t n, max;
    int64_t ttl_ms;
    resolver_lookup *lookup;
    unsigned generation; /* threads of an older one end */
    unsigned alive;
    bool started;
} r = {.lock = PTHREAD_MUTEX_INITIALIZER,
       .work = PTHREAD_COND_INITIALIZER,
       .idle = PTHREAD_COND_INITIALIZER};

static int64_t now_ms(void)
{
    return clock_us() / 1000;
}

/* --- the lookup itself --- */

static size_t append(char *dst, size_t at, size_t n, const struct addrinfo *ai)
{
    char text[INET6_ADDRSTRLEN];
    bool six = ai->ai_family == AF_INET6;
    const void *addr;
    int len;

    if (six)
        addr = &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)
                    ->sin6_addr;
    else if (ai->ai_family == AF_INET)
        addr =
            &((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr;
    else
        return at;
    if (!inet_ntop(ai->ai_family, addr, text, sizeof text))
        return at;
    len = snprintf(dst + at, n - at, six ? "%s[%s]" : "%s%s", at ? "," : "",
                   text);
    if (len < 0 || (size_t)len >= n - at) {
        dst[at] = '\0';
        return at;
    }
    return at + (size_t)len;
}

static int system_lookup(const char *host, char *dst, size_t n)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    size_t at = 0;
    int count = 0, rc;

    rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc == EAI_NONAME || rc == EAI_ADDRFAMILY || rc == EAI_NODATA) {
        /* only addresses of a family that this machine seems to lack */
        hints.ai_flags = 0;
        rc = getaddrinfo(host, NULL, &hints, &list);
    }
    if (rc)
        return rc;
    dst[0] = '\0';
    for (struct addrinfo *ai = list; ai && count < ADDRS; ai = ai->ai_next)
        if (ai->ai_addr) {
            at = append(dst, at, n, ai);
            count++;
        }
    freeaddrinfo(list);
    return at ? 0 : EAI_NONAME;
}

/* --- the cache; everything from here on with the lock held --- */

static struct entry **bucket(const char *host)
{
    unsigned h = 2166136261u; /* FNV-1a */

    for (; *host; host++) {
        unsigned c = (unsigned char)*host;

        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        h = (h ^ c) * 16777619u;
    }
    return &r.buckets[h % BUCKETS];
}

static struct entry *find(const char *host)
{
    struct entry *e = *bucket(host);

    while (e && strcasecmp(e->host, host) != 0)
        e = e->next;
    return e;
}

static void entry_free(struct entry *e)
{
    free(e->host);
    free(e->addrs);
    free(e);
}

/* Out of the table; freed by the caller or, if a thread has it, by that. */
static void entry_remove(struct entry *e)
{
    struct entry **p = bucket(e->host);

    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    r.n--;
}

/* Make room: drop the name that was not asked for the longest. */
static bool evict(void)
{
    struct entry *oldest = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = r.buckets[i]; e; e = e->next)
            if (!e->busy && (!oldest || e->used < oldest->used))
                oldest = e;
    if (!oldest)
        return false;
    entry_remove(oldest);
    entry_free(oldest);
    return true;
}

static int entry_new(const char *host, struct entry **out)
{
    struct entry *e, **b = bucket(host);

    if (r.n >= r.max && !evict())
        return -EBUSY;
    e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->host = strdup(host);
    if (!e->host) {
        free(e);
        return -ENOMEM;
    }
    e->next = *b;
    *b = e;
    r.n++;
    *out = e;
    return 0;
}

static void enqueue(struct entry *e)
{
    if (e->busy)
        return;
    e->busy = true;
    e->queued = NULL;
    *r.last = e;
    r.last = &e->queued;
    pthread_cond_signal(&r.work);
}

/* On the loop, the lock not held: hand the answer over. */
static void answered(struct loop_job *job)
{
    struct resolve_wait *w = (struct resolve_wait *)job;
    const char *why = "";

    if (w->rc == EAI_MEMORY)
        why = "out of memory";
    else if (w->rc)
        why = gai_strerror(w->rc);
    if (w->done)
        w->done(w->arg, w->addrs, w->ttl_ms, why);
    free(w->addrs);
    free(w);
}

/* Post the answer to everybody who waits.  Inside the lock, so that whoever
 * forgets its wait finds it either here or already on its way, and no loop gets
 * a job after it has forgotten all its waits. */
static void tell(struct entry *e, int rc)
{
    while (e->waits) {
        struct resolve_wait *w = e->waits;

        e->waits = w->next;
        w->entry = NULL;
        w->rc = rc;
        w->ttl_ms = r.ttl_ms;
        if (!rc) {
            w->addrs = strdup(e->addrs);
            if (!w->addrs)
                w->rc = EAI_MEMORY;
        }
        loop_post(w->loop, &w->job);
    }
}

static void complete(struct entry *e, int rc, const char *addrs)
{
    char *copy = rc ? NULL : strdup(addrs);
    int64_t now = now_ms();

    e->busy = false;
    if (!rc && !copy)
        rc = EAI_MEMORY;
    if (!rc) {
        free(e->addrs);
        e->addrs = copy;
        e->until = now + r.ttl_ms;
        e->fresh = now + r.ttl_ms / 2;
    }
    tell(e, rc);
    /* What failed is not kept, but a refresh that failed leaves the old
     * answer its time. */
    if (rc && (!e->addrs || e->until <= now)) {
        entry_remove(e);
        entry_free(e);
    }
}

static void *resolver_main(void *arg)
{
    char addrs[ADDRS_LEN];
    unsigned generation;

    (void)arg;
    pthread_mutex_lock(&r.lock);
    generation = r.generation;
    while (generation == r.generation) {
        struct entry *e = r.first;
        resolver_lookup *lookup = r.lookup;
        int rc;

        if (!e) {
            pthread_cond_wait(&r.work, &r.lock);
            continue;
        }
        r.first = e->queued;
        if (!r.first)
            r.last = &r.first;
        pthread_mutex_unlock(&r.lock);
        rc = lookup(e->host, addrs, sizeof addrs);
        pthread_mutex_lock(&r.lock);
        if (e->orphaned)
            entry_free(e);
        else
            complete(e, rc, addrs);
    }
    r.alive--;
    pthread_cond_broadcast(&r.idle);
    pthread_mutex_unlock(&r.lock);
    return NULL;
}

static int start_locked(resolver_lookup *lookup, int64_t ttl_ms, size_t max)
{
    if (r.started)
        return 0;
    r.lookup = lookup;
    r.ttl_ms = ttl_ms;
    r.max = max;
    r.last = &r.first;
    for (int i = 0; i < LIM_RESOLVE_THREADS; i++) {
        pthread_t t;
        int rc = thread_start(&t, "resolver", resolver_main, NULL);

        if (rc < 0 && i == 0)
            return rc;
        if (rc < 0)
            break; /* one is enough to go on with */
        pthread_detach(t);
        r.alive++;
    }
    r.started = true;
    return 0;
}

/* --- for others --- */

int resolver_start_with(resolver_lookup *lookup, int64_t ttl_ms, size_t max)
{
    int rc;

    pthread_mutex_lock(&r.lock);
    rc = start_locked(lookup, ttl_ms, max);
    pthread_mutex_unlock(&r.lock);
    return rc;
}

int resolver_start(void)
{
    return resolver_start_with(system_lookup, LIM_RESOLVE_TTL_MS,
                               LIM_RESOLVE_CACHE);
}

/* Wait for the threads, but not for a name server that does not answer: a
 * thread left behind ends by itself. */
static void await_threads(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += STOP_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (r.alive)
        if (pthread_cond_timedwait(&r.idle, &r.lock, &until) == ETIMEDOUT)
            break;
}

void resolver_stop(void)
{
    pthread_mutex_lock(&r.lock);
    if (r.started) {
        r.generation++;
        pthread_cond_broadcast(&r.work);
        await_threads();
        for (struct entry *e = r.first; e; e = e->queued)
            e->busy = false; /* nobody took it */
        r.first = NULL;
        r.last = &r.first;
        for (size_t i = 0; i < BUCKETS; i++)
            while (r.buckets[i]) {
                struct entry *e = r.buckets[i];

                entry_remove(e);
                tell(e, EAI_AGAIN);
                e->orphaned = e->busy;
                if (!e->busy)
                    entry_free(e);
            }
        r.started = false;
    }
    pthread_mutex_unlock(&r.lock);
}

static int join_wait(struct entry *e, struct loop *loop, resolve_done *done,
                     void *arg, struct resolve_wait **wait)
{
    struct resolve_wait *w = calloc(1, sizeof *w);

    if (!w)
        return -ENOMEM;
    w->job.run = answered;
    w->loop = loop;
    w->entry = e;
    w->done = done;
    w->arg = arg;
    w->next = e->waits;
    if (w->next)
        w->next->prev = w;
    e->waits = w;
    *wait = w;
    return 0;
}

static int ask_locked(struct loop *loop, const char *host, char **addrs,
                      int64_t *ttl_ms, resolve_done *done, void *arg,
                      struct resolve_wait **wait)
{
    int64_t now = now_ms();
    struct entry *e = find(host);
    int rc = 0;

    if (!e)
        rc = entry_new(host, &e);
    if (rc)
        return rc;
    e->used = now;
    if (e->addrs && now < e->until) {
        if (now >= e->fresh)
            enqueue(e);
        *ttl_ms = e->until - now;
        if (*ttl_ms > r.ttl_ms / 4 + 1) /* look in again for the refresh */
            *ttl_ms = r.ttl_ms / 4 + 1;
        *addrs = strdup(e->addrs);
        return *addrs ? 1 : -ENOMEM;
    }
    rc = join_wait(e, loop, done, arg, wait);
    if (!rc) {
        enqueue(e);
    } else if (!e->busy && !e->addrs) {
        entry_remove(e);
        entry_free(e);
    }
    return rc;
}

int resolver_ask(struct loop *loop, const char *host, char **addrs,
                 int64_t *ttl_ms, resolve_done *done, void *arg,
                 struct resolve_wait **wait)
{
    int rc;

    pthread_mutex_lock(&r.lock);
    rc = start_locked(system_lookup, LIM_RESOLVE_TTL_MS, LIM_RESOLVE_CACHE);
    if (!rc)
        rc = ask_locked(loop, host, addrs, ttl_ms, done, arg, wait);
    pthread_mutex_unlock(&r.lock);
    return rc;
}

void resolver_forget(struct resolve_wait *w)
{
    bool posted;

    pthread_mutex_lock(&r.lock);
    posted = !w->entry;
    if (!posted) {
        if (w->prev)
            w->prev->next = w->next;
        else
            w->entry->waits = w->next;
        if (w->next)
            w->next->prev = w->prev;
    }
    pthread_mutex_unlock(&r.lock);
    if (posted)
        w->done = NULL; /* this thread's loop will free it */
    else
        free(w);
}
