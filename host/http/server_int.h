/* SPDX-License-Identifier: MIT */
/* What the parts of the HTTP server share.
 *
 * listen.c accepts, server.c keeps what the connections of one loop have in
 * common, conn.c is the state machine of a connection, input.c takes bodies in,
 * reply.c makes replies, io.c moves bytes, tls.c does so encrypted.
 *
 * Everything here belongs to the thread of the server's loop, except what is
 * atomic and http_deal(), which the listener's loop calls.
 *
 * Events.  A connection registers once for everything, edge-triggered, and
 * remembers what it was told: `can_read` stands until a read comes up short,
 * `blocked` from a write that did not fit until the next edge.  So it may stop
 * reading (flood, paused upload) without touching epoll, and still learns that
 * the client has left: EV_CLOSED is the client's FIN, and a reset is an edge.
 *
 * Left.  A FIN that arrives while somebody works on the reply means that the
 * client has left: a closed socket and one that is only shut down for writing
 * look the same, and finishing an expensive answer for nobody is the worse
 * mistake.  Once the reply is complete it no longer matters: what is left of it
 * is sent all the same.
 *
 * Callbacks.  None of the handler's callbacks is called from inside a function
 * of server.h; what a call brings about happens later in the same turn, from
 * conn_run().
 */
#ifndef PB_HTTP_SERVER_INT_H
#define PB_HTTP_SERVER_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/str.h"
#include "http/server.h"

#define HTTP_BLOCK    2048        /* a head and a small body fit */
#define HTTP_BLOCKS   64          /* kept for re-use, one server */
#define HTTP_SCRATCH  LIM_KIB(64) /* one read */
#define HTTP_FEW      16          /* headers kept without the arena */
#define HTTP_DIRECT   4096        /* writes of this size are not gathered */
#define HTTP_GATHER   LIM_KIB(16) /* gathered bytes that are not kept longer */
#define HTTP_KEEP_OUT 1024        /* of the backlog's memory, while streaming */
#define HTTP_RECORD   LIM_KIB(16) /* the most that one TLS record holds */
#define HTTP_BUDGET   32          /* reads and requests in one turn */
#define HTTP_PEER     64

/* Limits as a connection has found them. */
struct http_limits_ref {
    size_t refs;
    struct http_limits l;
};

/* What connections keep of the listener that they came from. */
struct http_origin {
    atomic_int refs;
    const void *tag;
    bool local;
    SSL_CTX *ctx; /* NULL: plain */
};
void http_origin_ref(struct http_origin *o);
void http_origin_unref(struct http_origin *o);

struct http_server {
    struct loop *loop;
    struct http_limits_ref *limits;
    http_handler *handler;
    void *arg;
    http_error_body *error_body;

    struct http_conn *conns; /* all of them */
    struct http_conn *work_first, *work_last;
    struct event *work; /* runs work_first.. in this turn */
    struct http_conn *later;
    struct timer later_timer; /* runs `later` in the next turn */

    atomic_size_t n_conns; /* dealt to us and not yet closed */
    atomic_int refs;       /* the owner's, and one for each that is dealt */
    bool closed, draining;
    void (*drained)(void *);
    void *drained_arg;

    /* Memory that connections use in turn. */
    char *scratch;   /* for reading */
    char *record;    /* for writing through TLS; with the first such conn */
    struct buf head; /* of the reply being made */
    pbay_kv headers[LIM_HTTP_HEADERS];
    void *blocks[HTTP_BLOCKS];
    size_t n_blocks;
    struct http_xch *spare[HTTP_BLOCKS];
    size_t n_spare;

    char date[96]; /* "Date: ...\r\n" of second date_s */
    size_t date_n;
    int64_t date_s;
};

enum http_phase {
    PH_TLS,    /* handshake */
    PH_HEAD,   /* waiting for a request, or in the middle of its head */
    PH_BODY,   /* the handler has the request, its body is not all here */
    PH_ANSWER, /* the request is complete, the reply is not */
    PH_LAST,   /* nothing more is taken; the rest of the reply goes out */
    PH_LINGER  /* our side is shut; what the client still sends is dropped */
};

enum http_take { TAKE_NONE, TAKE_WHOLE, TAKE_STREAM };
enum http_reply_state { RE_NONE, RE_STREAM, RE_DONE };

/* A request under way. */
struct http_xch {
    struct http_req req; /* first: the handler's pointer is ours */
    struct http_head head;
    pbay_kv few[HTTP_FEW];

    enum http_take take;
    struct http_chunked chunked;
    uint64_t left;     /* of Content-Length */
    uint64_t got;      /* body bytes so far */
    uint64_t body_max; /* then 413 */
    struct buf body;   /* TAKE_WHOLE, unless it is in the input block */
    pbay_str whole;
    bool body_done, body_told, paused;

    enum http_reply_state reply;
    bool close;    /* the connection ends with this reply */
    bool held;     /* the head of a streamed reply waits in c->out */
    bool chunking; /* the reply is sent in chunks */
    bool no_body;  /* HEAD, 204, 304 */
    bool high;     /* the backlog went over LIM_OUT_HIGH */
    bool aborted;
    bool ended; /* on_end is being called or has been */

    int fail; /* status of an error that the server itself has found */
    const char *why;
};

struct http_conn {
    struct http_server *server;
    struct http_conn *prev, *next; /* server->conns */
    struct http_conn *work_prev, *work_next;
    enum { Q_NONE, Q_WORK, Q_LATER } queued;

    struct event event;
    struct timer timer;
    int64_t read_by, write_by; /* deadlines; 0: none */
    struct http_origin *origin;
    struct http_limits_ref *limits;
    SSL *ssl;
    int fd;
    enum http_phase phase;

    bool can_read; /* there may be something to read */
    bool unsure;   /* nothing was left to read, but the client may be gone */
    bool blocked;  /* the last write did not fit */
    bool edge;     /* something happened that has not been looked at */
    bool fin;      /* the client has shut its side */
    bool eof;      /* and we have read all before it */
    bool broken;   /* reset, or an error that ends everything */
    bool refused;  /* over the cap: gets a 503 */
    bool running;  /* inside conn_run() */
    bool dead;     /* freed when conn_run() ends */
    bool reset;    /* close with RST */
    bool fresh;    /* unparsed bytes have come */
    int budget;

    /* Input: a head under way, then pinned while its request lives. */
    char *in;
    size_t in_room, in_off, in_n;
    size_t seen;      /* of the head, parsed without an end */
    struct buf ahead; /* read while a request was answered */
    struct buf out;   /* backlog */
    size_t linger_left;
    int64_t linger_by;
    struct http_xch *xch;
    pbay_str peer;
    char peer_text[HTTP_PEER];
};

/* server.c */
void server_unref(struct http_server *s);
void *block_get(struct http_server *s);
void block_put(struct http_server *s, void *block);
struct http_xch *xch_get(struct http_server *s);
void xch_put(struct http_server *s, struct http_xch *x);
pbay_str server_date(struct http_server *s);
void server_count_down(struct http_server *s);
/* Run the connection again, in this turn or in the next; harmless when it is
 * running or queued already. */
void conn_schedule(struct http_conn *c);
void conn_later(struct http_conn *c);
void conn_unqueue(struct http_conn *c);

/* conn.c */
void conn_run(struct http_conn *c);
/* A descriptor that was dealt to s; takes fd and the reference to origin. */
void conn_open(struct http_server *s, struct http_origin *origin, int fd,
               const char *peer, bool refused);
/* End it at once; for http_server_free(). */
void conn_kill(struct http_conn *c);
/* Add bytes behind those in c->in. */
bool conn_append(struct http_conn *c, pbay_str s);
/* Set a deadline, ms from now. */
void conn_read_by(struct http_conn *c, int64_t ms);
void conn_write_by(struct http_conn *c, int64_t ms);
/* Has the client left, as far as one can know without reading? */
bool conn_left(struct http_conn *c);

/* input.c: a step of PH_BODY; true: something was done, look again */
bool body_step(struct http_conn *c);
/* Could the rest of the body be skipped without waiting for the client? */
bool body_in_hand(const struct http_conn *c);

/* io.c */
/* Is it worth while to read?  To be asked before waiting. */
bool conn_readable(struct http_conn *c);
/* Bytes read; 0: nothing now; -1: see c->eof, c->broken. */
ssize_t conn_read(struct http_conn *c, char *p, size_t n);
/* Write the backlog and v behind it; what does not fit becomes backlog. */
void conn_send(struct http_conn *c, struct iovec *v, int n);
/* Add to the backlog; past its bound the connection is broken. */
void conn_keep(struct http_conn *c, pbay_str bytes);
/* Write the backlog. */
void conn_flush(struct http_conn *c);

/* reply.c */
void reply_error(struct http_conn *c, const struct http_head *head, int status,
                 const char *why);

/* tls.c */
enum { TLS_DONE, TLS_WAIT, TLS_FAILED, TLS_PLAIN };
int tls_shake(struct http_conn *c);
ssize_t tls_read(struct http_conn *c, char *p, size_t n);
ssize_t tls_write(struct http_conn *c, const struct iovec *v, int n);
void tls_bye(struct http_conn *c);
SSL_CTX *tls_ctx(struct http_tls *t); /* a reference of the caller's */

/* Hand a descriptor to s, from the listener's thread. */
void http_deal(struct http_server *s, struct loop *from_loop,
               struct http_origin *origin, int fd, const char *peer,
               bool refused);

#endif
