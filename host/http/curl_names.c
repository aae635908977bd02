/* SPDX-License-Identifier: MIT */
/* Addresses for curl, which is never left to look up a name by itself: a
 * time-out or a cancel during its lookup waits for its thread, and with it the
 * whole loop (7 s were seen).
 *
 * Addresses go into the multi handle's own cache with CURLOPT_RESOLVE, as
 * entries without an age, so one request brings them and those after it only
 * check here that they are still good.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/curl_impl.h"

#define BUCKETS 128

/* What curl's cache holds, or will, for one host and port. */
struct name {
    struct name *next;
    char *host;
    int port;
    char *addrs;     /* as CURLOPT_RESOLVE wants them; NULL: none yet */
    int64_t expires; /* then ask the resolver again */
    int64_t used;
    uint64_t seq;    /* changes with addrs */
    bool loaded;     /* curl has taken these */
};

bool target_literal(const char *host)
{
    struct in_addr four;
    struct in6_addr six;

    return inet_pton(AF_INET, host, &four) == 1 ||
           inet_pton(AF_INET6, host, &six) == 1;
}

/* RFC 6761, 6.3: these are this machine, whatever a name server says. */
static bool is_localhost(const char *host)
{
    return strcmp(host, "localhost") == 0 ||
           str_ends(str_c(host), ".localhost");
}

/* ------------------------------------------------------------ table */

static struct name **bucket(struct curl_transport *t, const char *host,
                            int port)
{
    unsigned h = 2166136261u ^ (unsigned)port; /* FNV-1a */

    for (; *host; host++)
        h = (h ^ (unsigned char)*host) * 16777619u;
    return &t->names[h % BUCKETS];
}

static struct name *find(struct curl_transport *t, const char *host, int port)
{
    struct name *n;

    if (!t->names)
        return NULL;
    n = *bucket(t, host, port);
    while (n && (n->port != port || strcmp(n->host, host) != 0))
        n = n->next;
    return n;
}

static void name_free(struct name *n)
{
    free(n->host);
    free(n->addrs);
    free(n);
}

static bool add_text(struct curl_slist **list, char *text)
{
    struct curl_slist *l = text ? curl_slist_append(*list, text) : NULL;

    free(text);
    if (l)
        *list = l;
    return l;
}

/* Forget the name that was not used for the longest, here and in curl. */
static bool evict(struct curl_transport *t, struct exchange *x)
{
    struct name **oldest = NULL, *n;
    bool ok;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct name **p = &t->names[i]; *p; p = &(*p)->next)
            if (!oldest || (*p)->used < (*oldest)->used)
                oldest = p;
    n = *oldest;
    ok = add_text(&x->resolve, why_f("-%s:%d", n->host, n->port));
    *oldest = n->next;
    t->n_names--;
    name_free(n);
    return ok;
}

static struct name *name_get(struct curl_transport *t, struct exchange *x,
                             const char *host, int port)
{
    struct name *n = find(t, host, port), **b;

    if (n)
        return n;
    if (!t->names)
        t->names = calloc(BUCKETS, sizeof *t->names);
    if (!t->names)
        return NULL;
    if (t->n_names >= LIM_RESOLVE_CACHE && !evict(t, x))
        return NULL;
    n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->host = strdup(host);
    if (!n->host) {
        free(n);
        return NULL;
    }
    n->port = port;
    b = bucket(t, host, port);
    n->next = *b;
    *b = n;
    t->n_names++;
    return n;
}

void names_free(struct curl_transport *t)
{
    for (size_t i = 0; t->names && i < BUCKETS; i++)
        while (t->names[i]) {
            struct name *n = t->names[i];

            t->names[i] = n->next;
            name_free(n);
        }
    free(t->names);
    t->names = NULL;
}

/* New addresses; false when memory is out. */
static bool update(struct curl_transport *t, struct name *n, const char *addrs,
                   int64_t ttl_ms)
{
    int64_t now = clock_now(t->base.loop->clock);

    n->expires = ttl_ms == INT64_MAX ? ttl_ms : now + (ttl_ms > 0 ? ttl_ms : 1);
    if (n->addrs && strcmp(n->addrs, addrs) == 0)
        return true;
    free(n->addrs);
    n->addrs = strdup(addrs);
    n->seq = ++t->names_seq;
    n->loaded = false;
    return n->addrs;
}

/* --------------------------------------------------------- exchange */

static const char *host_of(const struct exchange *x, int which)
{
    return which ? x->target.host : x->easy->profile->proxy_host;
}

static int port_of(const struct exchange *x, int which)
{
    return which ? x->target.port : x->easy->profile->proxy_port;
}

static void no_memory(struct exchange *x)
{
    exchange_fail(x, ERR_INTERNAL, why_f("out of memory"));
}

static void on_late(void *arg)
{
    struct exchange *x = arg;
    const char *host = host_of(x, x->wait_for);

    names_forget(x);
    exchange_fail(x, ERR_CONNECT_TIMEOUT,
                  why_f("the address of %s was not found within %lld ms", host,
                        (long long)x->connect_ms));
}

static void on_answer(void *arg, const char *addrs, int64_t ttl_ms,
                      const char *why)
{
    struct exchange *x = arg;
    const char *host = host_of(x, x->wait_for);
    struct name *n;

    x->wait = NULL;
    timer_stop(&x->timer);
    if (!addrs) {
        exchange_fail(x, ERR_CONNECT,
                      why_f("the address of %s cannot be found: %s", host,
                            why));
        return;
    }
    n = name_get(transport_of(x), x, host, port_of(x, x->wait_for));
    if (!n || !update(transport_of(x), n, addrs, ttl_ms))
        no_memory(x);
    else
        names_prepare(x);
}

/* Ask the resolver.  1: known now; 0: waiting, or failed. */
static int ask(struct exchange *x, struct name *n, int which)
{
    struct curl_transport *t = transport_of(x);
    struct clock *clock = t->base.loop->clock;
    int64_t ttl_ms, left;
    char *addrs;
    int rc;

    rc = resolver_ask(t->base.loop, n->host, &addrs, &ttl_ms, on_answer, x,
                      &x->wait);
    if (rc == 1) {
        rc = update(t, n, addrs, ttl_ms) ? 1 : -ENOMEM;
        free(addrs);
    }
    if (rc == 0) {
        x->state = X_RESOLVING;
        x->wait_for = which;
        left = x->connect_ms - (clock_now(clock) - x->started);
        timer_set(&x->timer, clock, left, on_late, x);
    } else if (rc == -EBUSY) {
        exchange_fail(x, ERR_CONNECT,
                      why_f("the address of %s cannot be looked up: too many "
                            "lookups are under way",
                            n->host));
    } else if (rc < 0) {
        no_memory(x);
    }
    return rc == 1;
}

/* 1: curl has or gets the addresses; 0: waiting, or failed. */
static int ready(struct exchange *x, int which)
{
    struct curl_transport *t = transport_of(x);
    const char *host = host_of(x, which);
    int port = port_of(x, which);
    struct name *n;

    if (which ? x->target.literal : target_literal(host))
        return 1;
    n = name_get(t, x, host, port);
    if (!n) {
        no_memory(x);
        return 0;
    }
    n->used = clock_now(t->base.loop->clock);
    if (!n->addrs && is_localhost(host)) {
        if (!update(t, n, "127.0.0.1,[::1]", INT64_MAX)) {
            no_memory(x);
            return 0;
        }
    } else if (!n->addrs || n->used >= n->expires) {
        if (!ask(x, n, which))
            return 0;
    }
    x->name_seq[which] = n->seq;
    if (!n->loaded &&
        !add_text(&x->resolve, why_f("%s:%d:%s", host, port, n->addrs))) {
        no_memory(x);
        return 0;
    }
    return 1;
}

void names_prepare(struct exchange *x)
{
    const struct profile *f = x->easy->profile;

    if (f->by_proxy && !ready(x, 0))
        return;
    if (f->by_target && !ready(x, 1))
        return;
    exchange_launch(x);
}

void names_forget(struct exchange *x)
{
    if (x->wait)
        resolver_forget(x->wait);
    x->wait = NULL;
}

void names_loaded(struct exchange *x)
{
    struct curl_transport *t = transport_of(x);

    for (int which = 0; which < 2; which++) {
        struct name *n = NULL;

        if (x->name_seq[which])
            n = find(t, host_of(x, which), port_of(x, which));
        if (n && n->seq == x->name_seq[which])
            n->loaded = true;
    }
}
