/* SPDX-License-Identifier: MIT */
/* What the files of the curl transport share.  One transport per loop; all of
 * it belongs to that loop's thread.
 *
 *   transport_curl.c  exchanges: start, callbacks, pause, cancel, end
 *   curl_easy.c       easy handles: options by profile, and by request
 *   curl_names.c      addresses for curl, which never resolves by itself
 *   curl_sock.c       curl's sockets and timer on libevent
 *   curl_end.c        what a result means, as a kind and a sentence
 *   curl_warm.c       reading the CA certificates early
 */
#ifndef PB_HTTP_CURL_IMPL_H
#define PB_HTTP_CURL_IMPL_H

#include <curl/curl.h>

#include "base/arena.h"
#include "http/resolver.h"
#include "http/transport.h"

/* The buffer a request is sent from: curl's least. */
#define SEND_BUFFER 16384L

struct sock;
struct name;
struct exchange;

/* An easy handle, made for one profile and used again and again. */
struct easy {
    struct easy *next; /* in the profile's free list */
    CURL *curl;
    struct profile *profile;
    struct exchange *x; /* NULL: free */
    int64_t connect_ms; /* what the options now say, to set only what changes */
    bool custom, fresh, agent;
    CURLU *parsed; /* of url, which the next request most likely has, too */
    char *url;
    char error[CURL_ERROR_SIZE];
};

/* A tx_profile by value, so that handles can be kept beyond its life. */
struct profile {
    struct profile *next;
    char *ca_file, *client_cert, *client_key, *proxy, *unix_socket;
    struct secret *proxy_auth;
    bool insecure, http2;
    bool by_proxy;    /* the proxy's name is looked up */
    bool by_target;   /* the URL's name is looked up */
    char *proxy_host; /* lower case */
    int proxy_port;
    struct easy *free;
    size_t in_use;
};

/* A host and its port; host is NULL when there is nothing to look up. */
struct target {
    char *host; /* lower case, brackets of IPv6 literals left out */
    int port;
    bool literal;
};

struct curl_transport {
    struct transport base;
    CURLM *multi;
    CURLSH *share;
    int depth; /* inside a call of curl that may call back */
    bool settling;
    struct timer timer, sweep;
    struct event *now; /* curl wants its turn at once */
    bool in_now;
    size_t n_conns;      /* sockets that curl has open */
    size_t n_running;    /* exchanges that curl has */
    struct sock **socks; /* by descriptor */
    size_t n_socks;
    struct exchange *open;
    size_t active;
    struct exchange *todo, **todo_last; /* see settle() */
    struct profile *profiles;
    size_t n_profiles, n_free; /* free handles, all profiles */
    struct name **names;
    size_t n_names;
    uint64_t names_seq;
};

enum exchange_state {
    X_NEW,
    X_RESOLVING, /* waits for a name */
    X_RUNNING,   /* curl has it */
    X_OVER       /* curl is done with it; the end may be held by a pause */
};

struct exchange {
    struct tx_base base;
    struct exchange *prev, *next;
    struct exchange *todo_next;
    const struct tx_ops *ops;
    void *arg;
    struct easy *easy;
    enum exchange_state state;
    bool in_todo, start_wanted; /* see settle() */
    bool cancelled, ended;
    bool paused;      /* what the user wants */
    bool curl_paused; /* what curl does */
    struct timer timer;

    /* the request */
    bool idempotent, tls;
    int attempts; /* connections curl has tried it on */
    bool resend_refused;
    bool fresh; /* on a new connection */
    int64_t connect_ms, started;
    struct target target;
    char *block; /* headers (the key among them) and their list */
    size_t block_n;
    struct curl_slist *headers;
    char *joined; /* a small body that came in pieces */
    const pbay_str *body;
    size_t n_body, piece, off; /* READFUNCTION's place */
    uint64_t body_total;

    /* names */
    struct resolve_wait *wait;
    int wait_for; /* 0: proxy, 1: target */
    struct curl_slist *resolve;
    uint64_t name_seq[2];

    /* the reply's head */
    struct arena head;
    struct header *first_header, **last_header;
    size_t n_headers, head_bytes, max_head;
    int status;
    bool head_done;

    /* the end, when it was our own decision or is held back */
    int end_kind;
    char *end_why;
    bool has_end, reused;
};

static inline struct curl_transport *transport_of(struct exchange *x)
{
    return (struct curl_transport *)(void *)x->base.transport;
}

/* --- transport_curl.c --- */

/* Around every call of curl that may call back.  The second does what
 * callbacks could not: cancel, start, pause; and delivers ends. */
void calling_curl(struct curl_transport *t);
void called_curl(struct curl_transport *t);
/* The exchange has its names: give it to curl. */
void exchange_launch(struct exchange *x);
/* End it with a sentence of our own, from the loop, soon.  Takes `why`
 * (malloc'd, may be NULL). */
void exchange_fail(struct exchange *x, int kind, char *why);

/* --- curl_easy.c --- */

/* The profile's handles; NULL when memory is out. */
struct profile *profile_get(struct curl_transport *t,
                            const struct tx_profile *p);
void profiles_free(struct curl_transport *t);
/* A handle for x, with all that its profile says. */
struct easy *easy_get(struct curl_transport *t, struct profile *p);
void easy_put(struct curl_transport *t, struct easy *e);
void easy_drop(struct easy *e);
/* The handle's next URL. */
CURLcode easy_url(struct easy *e, pbay_str url);
/* Set what the request says.  0; -ENOMEM; -EINVAL and *why (malloc'd): the
 * request cannot be sent. */
int easy_request(struct exchange *x, const struct tx_request *r, char **why);
/* "scheme://host:port..." taken apart; likewise. */
int url_target(pbay_str url, struct target *out, bool *tls, char **why);
/* Host and port of a proxy as curl reads it; *socks_local: it is a SOCKS proxy
 * that gets an address, not a name. */
int proxy_target(const char *proxy, struct target *out, bool *socks_local);
/* The CA bundle in use; NULL: curl's own default. */
const char *easy_ca_bundle(void);
int easy_global_init(void);
void easy_global_done(void);

/* Callbacks, in transport_curl.c. */
size_t on_curl_header(char *p, size_t size, size_t n, void *easy);
size_t on_curl_data(char *p, size_t size, size_t n, void *easy);
size_t on_curl_read(char *p, size_t size, size_t n, void *easy);
int on_curl_seek(void *easy, curl_off_t offset, int origin);
int on_curl_ready(void *easy, char *remote, char *local, int rport, int lport);
int on_curl_resolve(void *state, void *reserved, void *easy);
curl_socket_t on_curl_open(void *transport, curlsocktype purpose,
                           struct curl_sockaddr *addr);
int on_curl_close(void *transport, curl_socket_t fd);

/* --- curl_names.c --- */

/* See to it that curl has the addresses, then launch; or wait; or fail. */
void names_prepare(struct exchange *x);
/* Stop waiting. */
void names_forget(struct exchange *x);
/* curl has taken in what x brought. */
void names_loaded(struct exchange *x);
void names_free(struct curl_transport *t);
bool target_literal(const char *host);

/* --- curl_sock.c --- */

int socks_init(struct curl_transport *t);
void socks_free(struct curl_transport *t);

/* --- curl_end.c --- */

/* The kind of an end by curl, and its sentence (malloc'd; NULL for ERR_NONE or
 * when memory is out). */
int end_describe(struct exchange *x, CURLcode code, char **why);
/* "host:port", or the Unix socket; for sentences. */
const char *end_where(const struct exchange *x, char *dst, size_t n);
/* printf into malloc'd memory; NULL when memory is out. */
char *why_f(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
