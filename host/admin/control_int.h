/* SPDX-License-Identifier: MIT */
/* The inside of the control socket, for the files of admin/ only. */
#ifndef PB_CONTROL_INT_H
#define PB_CONTROL_INT_H

#include <json-c/json.h>

#include "admin/control.h"
#include "admin/host_int.h"
#include "base/buf.h"

struct embed_split;
struct model_wish;
struct call_report;
struct ctl_text;
struct moderate_job;

struct ctl_conn {
    struct ctl_conn *next, **prev;
    struct control *control;
    struct host *host;
    int fd;
    struct event *readable, *writable;
    struct buf in, out;
    size_t scanned; /* of in: without the end of a line */
    bool closing, dead;
    unsigned depth;

    /* the request under way */
    bool busy;
    struct call *call;
    struct embed_split *split; /* in its place: a large embedding */
    int op; /* of it */
    struct ctl_session *session; /* of the verb "http" */
    struct listing_job *listing;
    char *provider; /* models: of whom */
    struct model_wish *wish; /* models: which; in wish_arena */
    struct arena wish_arena;
    struct moderate_job *moderation; /* by a chat */
    struct ctl_text *text;    /* a summary or a translation */
    struct arena text_arena;
    char *body;     /* of the call; malloc'd */
    pbay_kv *members;
    size_t n_members;
    int64_t since_us;
    char id[40];
};

/* One line; the connection closes itself if it cannot be kept. */
void ctl_send(struct ctl_conn *c, pbay_str line);
/* The last line of a request. */
void ctl_ok(struct ctl_conn *c, pbay_str result_json);
void ctl_error(struct ctl_conn *c, const struct err *e);
void ctl_fail(struct ctl_conn *c, int kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* control_verbs.c: answer a request line.  args is an object or NULL. */
void ctl_dispatch(struct ctl_conn *c, const char *verb,
                  struct json_object *args);
/* control_call.c */
void ctl_call(struct ctl_conn *c, int op, const char *provider,
              struct json_object *body, bool test);
void ctl_call_drop(struct ctl_conn *c); /* end what is under way, silently */
void ctl_put_report(struct buf *b, const struct call_report *r);
/* A new request id in c->id. */
void ctl_new_id(struct ctl_conn *c);
/* control_http.c: the verb "http", and the lines of its session; false: that is
 * none of them. */
void ctl_session_start(struct ctl_conn *c, struct json_object *args);
bool ctl_session_line(struct ctl_conn *c, const char *verb,
                      struct json_object *args);
void ctl_session_drained(struct ctl_conn *c); /* there is a session */
void ctl_session_drop(struct ctl_conn *c);    /* silently */
/* control_text.c: the verb "text" */
void ctl_text(struct ctl_conn *c, struct json_object *args);
void ctl_text_pause(struct ctl_conn *c, bool on);
void ctl_text_drop(struct ctl_conn *c); /* as ctl_call_drop() */
/* control_moderate.c: the operation may go on by chats, after this failure;
 * false: it does not. */
bool ctl_moderate(struct ctl_conn *c, const struct err *e);
void ctl_moderate_drop(struct ctl_conn *c);
/* control_ops.c: the verbs "models" and "op" */
void ctl_models(struct ctl_conn *c, struct json_object *args);
void ctl_run_op(struct ctl_conn *c, struct json_object *args);
/* control_backend.c: "backends":[..], of "status" */
void ctl_put_backends(struct buf *b, struct host *h);
/* control_route.c: the verbs "route.explain" and "route.results" */
void ctl_explain(struct ctl_conn *c, struct json_object *args);
void ctl_results(struct ctl_conn *c, struct json_object *args);
/* control_verbs.c: the name of the provider that is called so, by its name or an
 * alias.  NULL: there is none, and the error has been sent. */
const char *ctl_provider(struct ctl_conn *c, const char *name);

#endif
