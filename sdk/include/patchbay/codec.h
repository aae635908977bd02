/* SPDX-License-Identifier: MIT */
/* The codec extension: a provider that does no I/O of its own.
 *
 * A codec turns a request into the description of one HTTP exchange, and the
 * records of the response into events.  The host sends, receives, cuts the body
 * into records, times out, retries and cancels.  A codec must not block, start
 * threads, open files or sockets; its time inside callbacks is measured, and
 * one callback that takes longer than 50 ms is named in the log.
 *
 * Order for each exchange, on state `st` (zeroed, 16-aligned, state_size bytes,
 * one per attempt):
 *
 *   build -> head -> feed* -> finish
 *
 * finish() comes exactly once for each build(), also when build() failed, no
 * reply came, or the call was cancelled.  Before head() only ERROR, BEGIN,
 * USAGE, LIMITS and WARNING may be emitted: an answer cannot come before the
 * reply does.
 */
#ifndef PATCHBAY_CODEC_H
#define PATCHBAY_CODEC_H

#include <patchbay/request.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PBAY_EXT_CODEC "patchbay.codec/1"

/* How the host cuts the response body into records. */
enum {
    PBAY_FRAME_RAW = 0, /* as it arrives, cut anywhere */
    PBAY_FRAME_WHOLE,   /* one record: the whole body */
    PBAY_FRAME_NDJSON,  /* one record a line; empty lines are skipped */
    PBAY_FRAME_SSE      /* one record an event; comments are skipped */
};

/* pbay_exchange.flags */
enum {
    /* Send request.body's later part too (RAW uploads). */
    PBAY_X_BODY_FOLLOWS = 1,
    /* The reply may go to the client as it is (only with PBAY_RQ_PASS). */
    PBAY_X_REPLY_PASS = 2,
    /* Asking twice does no harm: may be sent again on a connection that died
     * before the first byte of a reply. */
    PBAY_X_IDEMPOTENT = 4
};

/* One HTTP exchange.  The host zeroes it, sets size, and fills in nothing else.
 * Request lifetime for everything it points to. */
typedef struct pbay_exchange {
    uint32_t size;
    uint32_t framing; /* of a 2xx reply; head() may change it */
    uint32_t flags;   /* PBAY_X_* */
    uint32_t reserved;
    pbay_str method; /* "POST" */
    pbay_str base;   /* "": the instance's base_url; else the name of another
                      * base URL of the manifest */
    pbay_str path;   /* "/chat/completions", query included; appended to base.
                      * Begins with '/' or '?' unless it is empty; without
                      * spaces, control characters and '#': what comes from a
                      * request is percent-encoded by the plugin */
    /* How the host proves who we are: "" not at all, "bearer" for
     * "Authorization: Bearer KEY", "header NAME" for "NAME: KEY".  Without a
     * configured key the header is left out.  The plugin never sees the key. */
    pbay_str auth;
    /* Further headers.  The host's own, and refused, are Host, Content-Length,
     * Transfer-Encoding, TE, Trailer, Connection, Keep-Alive, Upgrade, Expect,
     * Accept-Encoding, and credentials (Authorization, Proxy-Authorization,
     * X-Api-Key, Api-Key, Cookie).  Content-Type is the plugin's to set. */
    const pbay_kv *headers;
    size_t n_headers;
    /* The body: pieces sent in order; may point into request.body. */
    const pbay_str *body;
    size_t n_body;
    /* Hints for this exchange, 0: as configured (timeouts.first_token and
     * timeouts.idle of the provider); never above that. */
    int64_t first_byte_ms, idle_ms;
} pbay_exchange;

/* The response's head, interim (1xx) ones excluded. */
typedef struct pbay_head {
    uint32_t size;
    uint32_t framing; /* proposed by the host: SSE, NDJSON or WHOLE by content
                       * type where the exchange said SSE or NDJSON, else what
                       * the exchange said; the codec may change it.  For a
                       * status outside 2xx it is WHOLE and stays so.  A chat
                       * that was to be streamed and comes WHOLE is not passed
                       * through: feed() emits all its events, whatever
                       * request.want says. */
    uint32_t flags;
    int32_t status;
    const pbay_kv *headers; /* names in lower case */
    size_t n_headers;
} pbay_head;

/* A record of the body.  One of a stream (SSE, NDJSON) has at most max_record
 * bytes, a WHOLE one at most max_reply (both keys of the provider, 16 MiB and
 * 64 MiB by default): the host ends a call that exceeds them. */
typedef struct pbay_record {
    uint32_t size, flags;
    pbay_str event; /* SSE: the event's name, may be empty */
    pbay_str data;  /* SSE: data lines joined with \n; else the bytes */
} pbay_record;

typedef struct pbay_codec {
    uint32_t size;
    uint32_t state_size; /* at most 64 KiB */
    uint64_t ops;        /* PBAY_OP_BIT() of what build() accepts */
    pbay_str dialects;   /* taken as they are, separated by spaces:
                          * "openai.chat/1 openai.embeddings/1"; "" for none */
    /* [call] Describe the exchange.  PBAY_OK; PBAY_FAIL after an ERROR event
     * when the request can't be put to this provider; PBAY_NOSYS when it has no
     * such operation.  PBAY_NOSYS to a chat with PBAY_RQ_PASS: this instance
     * does not take that dialect after all; build() is called once more with
     * the canonical body and the state zeroed, without finish() between. */
    pbay_rc (*build)(void *inst, void *st, pbay_call *call,
                     const pbay_request *req, pbay_exchange *x);
    /* [call] The response's head, for every status.  May be NULL. */
    pbay_rc (*head)(void *inst, void *st, pbay_call *call, pbay_head *head);
    /* [call] The next record; emits the events it holds.  PBAY_OK, PBAY_END,
     * PBAY_DROP, or PBAY_FAIL (after ERROR, or the host reports PROTOCOL).  A
     * non-2xx body comes as one record, at most 64 KiB of it.  A WHOLE body
     * is a record also when it is empty. */
    pbay_rc (*feed)(void *inst, void *st, pbay_call *call,
                    const pbay_record *rec);
    /* [call] The exchange is over.  why: PBAY_OK, the body is complete;
     * PBAY_END, feed() said so; PBAY_FAIL, it broke off; PBAY_STOPPED, the call
     * was cancelled.  May emit when why is PBAY_OK or PBAY_END.  PBAY_AGAIN
     * asks for one more exchange, of 16 at most in one attempt; also after a
     * reply outside 2xx that feed() took with PBAY_OK.  (One that no further
     * exchange follows is the call's failure.)  A streamed
     * chat whose body ends without PBAY_END counts as truncated unless finish()
     * emits the STOP. */
    pbay_rc (*finish)(void *inst, void *st, pbay_call *call, pbay_rc why);
} pbay_codec;

PBAY_ASSERT(offsetof(pbay_codec, ops) == 8, "no hole");

#ifdef __cplusplus
}
#endif
#endif
