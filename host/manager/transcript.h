/* SPDX-License-Identifier: MIT */
/* Transcripts: recorded exchanges with a provider, for replaying.
 *
 * A text file of JSON lines:
 *
 *   {"patchbay_transcript":1,"provider":"openai","op":"chat",
 *    "flags":["stream","pass"],"dialect":"openai.chat/1","model":"m",
 *    "request":{...}}
 *
 * what was asked; `request` is the body, on one line.  Further members, all
 * optional: "name" (what it shows), "config" (the provider's own keys),
 * "want" (names of events; without it all, or with the flag "pass" those that
 * are always wanted), and for the operation "raw" "method", "path", "query",
 * "content_type".  Then for each exchange (there are several where a codec asks
 * for more than one):
 *
 *   {"exchange":{"method":"POST","path":"/chat/completions",
 *                "headers":[["Accept","text/event-stream"]],"body":"..."}}
 *   {"head":{"status":200,"headers":[["content-type","text/event-stream"]]}}
 *   {"data":"data: {\"id\":..."}     a piece of the reply as it came,
 *   {"data_b64":"..."}                 or in base64 what is not UTF-8
 *   {"end":"ok"}                     "ok", or how it broke off ("cut", ...); after
 *                                    a refusal (not 2xx) any word
 *
 * `path` may be a whole URL.  Credentials are never in a transcript.  And where
 * it is a test, the events that must come of it, in any number of lines (their
 * form: manager/codec_driver.h):
 *
 *   {"expect":[{"ev":"text","text":"Hi"}]}
 *
 * A transcript owns everything it points to.  One thread at a time.
 */
#ifndef PB_TRANSCRIPT_H
#define PB_TRANSCRIPT_H

#include <stdbool.h>

#include "base/arena.h"
#include <patchbay/request.h>

struct transcript_exchange {
    /* What was sent; method.n == 0: not recorded. */
    pbay_str method, path, body;
    const pbay_kv *sent;
    size_t n_sent;
    /* The reply; status 0: there was none. */
    int status;
    const pbay_kv *headers; /* names in lower case */
    size_t n_headers;
    pbay_str *data; /* pieces as they came */
    size_t n_data;
    pbay_str end;
};

struct transcript {
    struct arena arena;
    pbay_str name, provider, dialect, model, config;
    uint32_t op, flags, want;
    pbay_str request; /* JSON text; empty: none */
    pbay_str method, path, query, content_type;
    struct transcript_exchange *exchanges;
    size_t n_exchanges;
    pbay_str *expect; /* one JSON object each */
    size_t n_expect;
    bool has_expect;
};

/* NULL and a sentence with the line's number in err. */
struct transcript *transcript_read(pbay_str text, char *err, size_t room);
void transcript_free(struct transcript *t); /* NULL is fine */

/* "chat" for PBAY_OP_CHAT; "" for an unknown number. */
const char *transcript_op_name(uint32_t op);

#endif
