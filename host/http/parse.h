/* SPDX-License-Identifier: MIT */
/* A strict HTTP/1.x request parser: bytes in, one request head or an error out.
 * Pure (no I/O, no clock, no allocation beyond what the caller gives), so that
 * it can be fuzzed and compared with other parsers.
 *
 * Refused, each with a status and a reason: bare CR, bare LF, obsolete folding,
 * spaces before the colon, control bytes, two lengths (even equal ones),
 * Content-Length beside Transfer-Encoding, any transfer coding but one
 * "chunked", no or two Host in HTTP/1.1, paths with "..", fragments, bytes that
 * are no URL's, HTTP/2 prefaces, methods beyond GET, HEAD, POST, PUT, PATCH,
 * DELETE and OPTIONS.  Request smuggling lives from leniency; there is none.
 * However the bytes are cut into pieces, the outcome is the same.
 * Sources: RFC 9110, RFC 9112.
 */
#ifndef PB_HTTP_PARSE_H
#define PB_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <patchbay/types.h>

enum {
    HTTP_PARSE_MORE = 0, /* not complete yet */
    HTTP_PARSE_DONE = 1,
    HTTP_PARSE_BAD = -1  /* see head.status and head.why */
};

struct http_head {
    pbay_str method, target, path, query; /* path still percent-encoded */
    int minor;                            /* HTTP/1.minor: 0 or 1 */
    pbay_kv *headers;                     /* names as sent */
    size_t n_headers, room;               /* room: set by the caller */
    bool chunked, has_length, keep_alive, expect_continue;
    uint64_t length;
    int status;      /* on BAD: what to answer: 400, 414, 417, 431, 501, 505 */
    const char *why; /* on BAD: a static sentence */
};

/* Parse a head that starts at bytes.p.  `seen`: how many bytes of it were
 * there at the last call (0 at first), so that a slow client is not scanned
 * again and again.  On DONE *used is the head's length, an empty line in
 * front of it included (one is skipped).  max_uri, max_head: bounds. */
int http_parse_head(pbay_str bytes, size_t seen, size_t max_uri,
                    size_t max_head, struct http_head *head, size_t *used);

/* Case-insensitive look-up; {NULL,0} if absent. */
pbay_str http_header(const struct http_head *head, const char *name);

/* Chunked decoding, a piece at a time. */
struct http_chunked {
    int state;
    uint64_t left; /* of the chunk; in trailers: names it can still be */
    size_t line;   /* bytes of the current line, or of a trailer's name */
    size_t trailers;
};
/* Consume from `in`: *used bytes; *data is a run of body bytes inside `in`, may
 * be empty.  DONE after the last trailer line; BAD; MORE. */
int http_chunked_step(struct http_chunked *c, pbay_str in, size_t *used,
                      pbay_str *data);

/* Percent-decode a path into dst (room >= path.n always suffices); length, or
 * -1 for bad escapes, control bytes, or one that decodes to '/'-traversal
 * ("..").  "%2F" is decoded to '/': model ids contain slashes and clients
 * escape them. */
int64_t http_decode_path(pbay_str path, char *dst, size_t room);

#endif
