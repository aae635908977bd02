/* SPDX-License-Identifier: MIT */
/* Inside claude.so: a request body being written. */
#ifndef PBAY_CLAUDE_BODY_H
#define PBAY_CLAUDE_BODY_H

#include <patchbay/wire.h>

#include "claude.h"

struct body {
    struct claude *o;
    struct call *c;
    const pbay_request *req;
    struct traits model;
    pbay_rc rc; /* the first failure; nothing is written after it */
    pbay_body out;
};

/* --- body.c */
void body_raw(struct body *b, pbay_str s);
void body_put(struct body *b, const char *s);
void body_int(struct body *b, int64_t v);
/* `,"name":` or, for the first member, `"name":`; *any is set. */
void body_name(struct body *b, const char *name, int *any);
/* A plain text as a JSON string. */
void body_string(struct body *b, pbay_str text);

/* The request cannot be put to Claude: ERROR, and b->rc. */
void body_refuse(struct body *b, const char *param, const char *message);
/* Claude has nothing like it: refused, or left out with a WARNING, as the
 * configuration says.  Nonzero: refused. */
int body_unsupported(struct body *b, const char *param, const char *mend);
/* What was done with a field. */
void body_warn(struct body *b, const char *param, const char *text);

/* --- messages.c: "system" and "messages" */
void body_messages(struct body *b, pbay_str messages, int *any);

/* --- parts.c: a content part of a user or a tool as a block; nonzero if
 * something was written.  `any`: a block stands before it. */
int body_part(struct body *b, pbay_str part, const char *param, int any);
/* {"type":"text","text":..} with the cache mark of `from` (or none). */
void body_text(struct body *b, pbay_str text, pbay_str from, int any);
/* `,"cache_control":{..}` if the object has one. */
void body_cache(struct body *b, pbay_str from);

/* Is it absent or null? */
static inline int is_null(pbay_str v)
{
    return !v.n || pbay_json_type(v) == '0';
}

#endif
