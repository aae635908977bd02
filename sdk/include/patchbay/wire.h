/* SPDX-License-Identifier: MIT */
/* SDK helper library: what most provider codecs need on the wire.
 *
 * Not part of the ABI: linked statically into the plugin.  No state.  [any]
 */
#ifndef PATCHBAY_WIRE_H
#define PATCHBAY_WIRE_H

#include <patchbay/codec.h>
#include <patchbay/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The value of a header by its lower-case name; {NULL,0} if absent. */
pbay_str pbay_header(const pbay_kv *headers, size_t n, const char *name);

/* Retry-After in milliseconds from a reply's headers: retry-after-ms, then
 * retry-after in seconds (fractions allowed) or as an HTTP date relative to
 * now_unix_ms; capped at 24 h; -1 if nothing usable is said. */
int64_t pbay_retry_after(const pbay_kv *headers, size_t n,
                         int64_t now_unix_ms);
/* "6m0s", "12ms", "1.5s", "2h3m", "17" (seconds): milliseconds, or -1. */
int64_t pbay_duration(pbay_str text);
/* When a rate limit is back, in milliseconds from now: a duration, or a time
 * since 1970 in milliseconds or seconds, for which now is the time in the reply's
 * own headers, if it tells.  -1: neither. */
int64_t pbay_reset(const pbay_kv *headers, size_t n, pbay_str text);

/* Read an error body of any known shape into *e: {"error":{..}},
 * {"error":"text"}, {"code","error":"text"}, {"type":"error","error":{..}},
 * {"message",..}, {"detail":[..]|"text"}, [{"error":{..}}], {"object":"error"},
 * plain text or HTML.  Strings are unescaped into memory of the call.  kind and
 * scope come from status and code; headers give retry_after_ms, should_retry
 * and request_id.  e->size must be set. */
void pbay_error_body(const pbay_host *host, pbay_call *call,
                     const pbay_head *head, pbay_str body, pbay_error *e);

/* A body rewritten by pieces: the members of a JSON object with some values
 * replaced, some dropped, some added, everything else as it was, byte for byte.
 * `edits`: k a name, v its new value as JSON text, or {NULL,0} to drop it; a
 * name that is not there is added (not for drops).  Pieces point into body and
 * into the edits.  0 and the pieces, or PBAY_NOMEM. */
pbay_rc pbay_edit(const pbay_host *host, pbay_call *call, pbay_str body,
                  const pbay_kv *members, size_t n_members,
                  const pbay_kv *edits, size_t n_edits, const pbay_str **pieces,
                  size_t *n_pieces);

/* A JSON string's text in memory of the call; {NULL,0} if it is not a string
 * or memory is out (an empty string gives a non-NULL p). */
pbay_str pbay_text(const pbay_host *host, pbay_call *call, pbay_str value);

/* What a raw reply of JSON, event stream or lines of JSON says at its beginning
 * (4 KiB) and at its end (8 KiB), for usage that is read along without keeping
 * or delaying anything.  _new, from head(): NULL where there is nothing to read,
 * or no memory; the others take that.  _find: the first member of that name at
 * the beginning, or the last one at the end, whose value is there whole and is
 * not null; else {NULL,0}. */
typedef struct pbay_ends pbay_ends;
pbay_ends *pbay_ends_new(const pbay_host *host, pbay_call *call,
                         const pbay_head *head);
void pbay_ends_feed(pbay_ends *e, pbay_str bytes);
pbay_str pbay_ends_find(const pbay_ends *e, const char *name, int last);

/* A request body being written, as the list of pieces that pbay_exchange.body
 * wants.  Short texts are gathered; a long one (an image, say) is not copied and
 * must stay where it is until the exchange is over, as the request's own body
 * does.  Start with host and call set and the rest zero; what is in `pieces` is
 * memory of the call.  After a failure nothing more is written. */
typedef struct pbay_body {
    const pbay_host *host;
    pbay_call *call;
    pbay_rc rc; /* PBAY_OK, or PBAY_NOMEM: look once, at the end */
    pbay_str *pieces;
    size_t n, room;
    char *chunk;
    size_t chunk_n, chunk_room;
} pbay_body;
void pbay_body_raw(pbay_body *b, pbay_str s);
void pbay_body_cstr(pbay_body *b, const char *s);
void pbay_body_i64(pbay_body *b, int64_t v);
/* A plain text as a JSON string. */
void pbay_body_string(pbay_body *b, pbay_str text);
/* `,"name":` or, for the first member, `"name":`; *any is set. */
void pbay_body_name(pbay_body *b, const char *name, int *any);

/* Emit an ERROR event; returns PBAY_FAIL for `return pbay_fail(..)`. */
pbay_rc pbay_fail(const pbay_host *host, pbay_call *call, uint32_t kind,
                  const char *param, const char *message);

#ifdef __cplusplus
}
#endif
#endif
