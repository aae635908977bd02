/* SPDX-License-Identifier: MIT */
/* The upstream side as an interface: one exchange out, its reply back in
 * pieces.
 *
 * Behind it: libcurl multi on the loop's libevent base (transport_curl), and an
 * in-memory fake with scripted replies for tests (transport_fake).  One
 * transport per loop, that loop's thread only.
 */
#ifndef PB_HTTP_TRANSPORT_H
#define PB_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"

struct transport;
struct tx; /* one exchange */

/* How one provider is reached.  Immutable and shared by all its exchanges;
 * strings are the owner's and outlive them. */
struct tx_profile {
    const char *ca_file;      /* NULL: the system's */
    const char *client_cert;  /* PEM; NULL: none */
    const char *client_key;
    const char *proxy;        /* "http://host:port", "socks5h://.."; NULL: none;
                               * environment variables are not looked at here */
    const struct secret *proxy_auth; /* "user:password" or NULL */
    bool insecure;            /* verify = off */
    bool http2;               /* default is HTTP/1.1 */
    int64_t connect_ms;       /* name lookup, TCP and TLS together */
    const char *unix_socket;  /* connect here instead; NULL: by the URL */
};

struct tx_request {
    pbay_str method;
    pbay_str url;             /* no user info in it */
    /* All of the request but the body is copied before start returns. */
    const pbay_kv *headers;   /* without credentials */
    size_t n_headers;
    pbay_str auth_name;       /* header that carries the key; empty: none */
    pbay_str auth_prefix;     /* "Bearer " */
    const struct secret *auth;
    const pbay_str *body;     /* borrowed until the exchange is over */
    size_t n_body;
    bool idempotent;          /* PBAY_X_IDEMPOTENT */
    bool fresh;               /* on a new connection, not on a kept one */
    size_t max_head;          /* bound on the reply's headers */
};

/* How an exchange ended.  ERR_NONE: the body is complete as the protocol counts
 * it; one that lasts until the connection closes is complete then, even where
 * TLS's own closing is missing (libcurl overlooks that), so that only what is
 * inside can tell.  Otherwise ERR_CONNECT, ERR_CONNECT_TIMEOUT, ERR_RESET
 * (nothing came), ERR_TRUNCATED (broke off inside), PBAY_E_PROTOCOL,
 * ERR_INTERNAL. */
struct tx_end {
    int kind;
    const char *why;          /* a sentence without secrets; until return */
    bool reused;              /* was the connection a pooled one? */
};

/* Callbacks of one exchange, in the order head, data*, end.  `end` comes
 * exactly once unless tx_cancel() was called; after either the tx is gone.  Any
 * of them may call tx_cancel/tx_pause on its own tx. */
struct tx_ops {
    /* Header names in lower case.  Interim 1xx heads are not shown.  The
     * headers are gone when this returns. */
    void (*head)(void *arg, int status, const pbay_kv *headers, size_t n);
    void (*data)(void *arg, pbay_str bytes);
    void (*end)(void *arg, const struct tx_end *end);
};

struct transport_vt {
    struct tx *(*start)(struct transport *, const struct tx_profile *,
                        const struct tx_request *, const struct tx_ops *,
                        void *arg);
    void (*cancel)(struct tx *);
    void (*pause)(struct tx *, bool on);
    /* How many exchanges are under way. */
    size_t (*active)(const struct transport *);
    /* Exchanges still under way are dropped without a callback. */
    void (*free)(struct transport *);
};

/* Both kinds start with this. */
struct transport {
    const struct transport_vt *vt;
    struct loop *loop;
};
struct tx_base {
    struct transport *transport;
};

/* Among the headers there must be none that are the transport's own (Host,
 * Content-Length, Transfer-Encoding, Connection, Expect, Accept-Encoding) and
 * none with a control byte.  NULL only when memory is out; every other failure
 * comes through `end`, never before start has returned. */
static inline struct tx *tx_start(struct transport *t,
                                  const struct tx_profile *p,
                                  const struct tx_request *r,
                                  const struct tx_ops *ops, void *arg)
{
    return t->vt->start(t, p, r, ops, arg);
}
/* No callback after this; the connection is closed at once unless the reply was
 * complete (from inside a callback: as soon as that returns). */
static inline void tx_cancel(struct tx *x)
{
    ((struct tx_base *)x)->transport->vt->cancel(x);
}
/* While paused at most one buffer more is delivered (none for the fake); the
 * reply stays in the socket.  Never calls back from inside this function. */
static inline void tx_pause(struct tx *x, bool on)
{
    ((struct tx_base *)x)->transport->vt->pause(x, on);
}
static inline void transport_free(struct transport *t)
{
    if (t)
        t->vt->free(t);
}

/* --- curl --- */
/* Once per process, before threads; and at the end. */
int transport_curl_global(void);
void transport_curl_global_done(void);
struct transport *transport_curl_new(struct loop *loop);
/* Read the system's CA certificates now: 20 ms and 1.2 MiB that the first TLS
 * connection of the loop would cost otherwise.  For transports that will speak
 * TLS.  0 or -errno. */
int transport_curl_warm(struct transport *t);

/* --- fake --- */
/* Replies are scripted: for each exchange that starts, the next script whose
 * url is a prefix of (or equal to) the request's is taken, each once.  A
 * request without a script ends with ERR_CONNECT; steps that run out without
 * END or HANG are a complete reply. */
struct tx_fake_step {
    enum { FAKE_HEAD, FAKE_DATA, FAKE_WAIT, FAKE_END, FAKE_HANG } what;
    int status;               /* HEAD */
    const pbay_kv *headers;
    size_t n_headers;
    pbay_str data;            /* DATA */
    size_t piece;             /* DATA: cut into pieces of this size; 0: one */
    int64_t ms;               /* WAIT, on the loop's (virtual) clock */
    int end;                  /* END: ERR_NONE or a kind */
};
struct transport *transport_fake_new(struct loop *loop);
/* Steps are borrowed until the transport is freed. */
void transport_fake_script(struct transport *t, const char *url,
                           const struct tx_fake_step *steps, size_t n);
/* Called with every request that is started, for assertions; body joined. */
void transport_fake_watch(struct transport *t,
                          void (*fn)(void *arg, const struct tx_request *r,
                                     pbay_str body),
                          void *arg);
/* Exchanges that were cancelled so far. */
size_t transport_fake_cancelled(const struct transport *t);

/* --- names --- */
/* Resolver threads shared by all loops: curl itself never resolves, since a
 * time-out during its lookup would freeze the loop. */
struct resolver;
int resolver_start(void);
void resolver_stop(void);

#endif
