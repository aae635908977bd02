/* SPDX-License-Identifier: MIT */
/* Inside ollama.so: the instance, the state of a call, and what its files ask
 * of each other.  An instance is immutable once made; a state belongs to one
 * call. */
#ifndef PBAY_OLLAMA_H
#define PBAY_OLLAMA_H

#include <patchbay/json.h>
#include <patchbay/provider.h>
#include <patchbay/wire.h>

#define OL_OPTIONS 64 /* different options in one request */
/* Models of a list whose details are asked for one by one: the host allows 16
 * exchanges a call, the list itself is one. */
#define OL_DETAILS 14

struct ollama {
    const pbay_host *host;
    pbay_str keep_alive; /* as JSON; empty: not configured */
    pbay_str think;      /* as JSON; empty: not configured */
    int64_t num_ctx;     /* 0: not configured */
    pbay_kv *options;    /* values as JSON */
    size_t n_options;
    char *option_text; /* what they point into */
    int no_truncate;   /* truncate = false */
    int no_details;    /* list_details = false */
    int drop;          /* unsupported = "drop" */
};

/* A listed model whose details are still to be asked for. */
struct pending {
    pbay_str item; /* its object in the list, copied */
    pbay_str name; /* unescaped */
    uint32_t place;
};

/* One attempt.  Zeroed by the host. */
struct call {
    pbay_call *call; /* of the callback that is running */
    uint32_t op, want, flags, step;
    uint32_t framing;
    pbay_ends *ends; /* RAW */
    pbay_head head; /* with those headers that an error needs, copied */
    int begun, content, failed, ended;
    int seen;   /* a record of this exchange came */
    int hinted; /* the warning about cache_control is out */
    uint32_t n_calls;
    uint32_t seed; /* of ids that are made up */
    pbay_str model;
    pbay_str search;
    int64_t num_ctx; /* that this request's model runs with, 0: unknown */
    struct pending *pending;
    uint32_t n_pending, at;
    int closing; /* the last exchange of a list, see feed.c */
};

/* --- build.c: requests to exchanges */
pbay_rc ol_build(struct ollama *o, struct call *c, const pbay_request *req,
                 pbay_exchange *x);

/* --- body.c: a request's body in pieces.  Long spans are not copied: what is
 * put must live as long as the request. */
struct body {
    struct ollama *o;
    struct call *c;
    pbay_str *v;
    size_t n, room;
    char *buf; /* short text goes here */
    size_t used, size;
    int comma;  /* the next member or element needs one */
    int failed; /* out of memory; check once at the end */
};
void ol_raw(struct body *b, pbay_str bytes);
void ol_open(struct body *b, const char *bracket);
void ol_close(struct body *b, const char *bracket);
void ol_key(struct body *b, const char *name);
void ol_value(struct body *b, pbay_str json);
/* A string value from plain text. */
void ol_string(struct body *b, pbay_str text);

/* --- chat.c, options.c, messages.c: canonical/1 to the native body */
pbay_rc ol_chat_body(struct ollama *o, struct call *c, const pbay_request *req,
                     struct body *b);
pbay_rc ol_messages(struct body *b, pbay_str messages);
/* The member "options", if there is any, and "keep_alive". */
pbay_rc ol_options(struct body *b, const pbay_request *req);

/* --- feed.c: replies */
pbay_rc ol_head(struct ollama *o, struct call *c, pbay_head *head);
pbay_rc ol_feed(struct ollama *o, struct call *c, const pbay_record *rec);
pbay_rc ol_finish(struct ollama *o, struct call *c, pbay_rc why);

/* --- answer.c: a line, or the whole, of a chat */
pbay_rc ol_answer(struct ollama *o, struct call *c, pbay_str data);
pbay_rc ol_usage(struct ollama *o, struct call *c, pbay_str in, pbay_str out,
                 int out_known);

/* --- models.c: lists, details */
pbay_rc ol_tags(struct ollama *o, struct call *c, pbay_str body);
pbay_rc ol_running(struct ollama *o, struct call *c, pbay_str body);
pbay_rc ol_show(struct ollama *o, struct call *c, pbay_str body);
/* The pending model as the list alone describes it. */
pbay_rc ol_plain_model(struct ollama *o, struct call *c);

/* --- items.c: embeddings, progress, health */
pbay_rc ol_embeddings(struct ollama *o, struct call *c, pbay_str body);
pbay_rc ol_progress(struct ollama *o, struct call *c, pbay_str line);
pbay_rc ol_health(struct ollama *o, struct call *c, pbay_str body);

/* The values of some members, found in one walk through the object.  A name
 * that occurs twice counts with its last value. */
void ol_fields(pbay_str object, const pbay_str *names, pbay_str *values,
               size_t n);

/* --- emit.c: events; all return PBAY_OK or the reason to stop */
pbay_rc ol_emit(struct ollama *o, struct call *c, pbay_event *ev);
pbay_rc ol_item(struct ollama *o, struct call *c, const char *name,
                uint32_t index, pbay_str json);
/* The reply exists; once. */
pbay_rc ol_begin(struct ollama *o, struct call *c, pbay_str model);
/* This record carries something of the answer; once, when passing on. */
pbay_rc ol_content(struct ollama *o, struct call *c);
/* ERROR from an error body or with words of our own; PBAY_FAIL. */
pbay_rc ol_error_body(struct ollama *o, struct call *c, pbay_str body);
pbay_rc ol_error(struct ollama *o, struct call *c, uint32_t kind,
                 const char *message);
/* The request is wrong at `param`; PBAY_FAIL. */
pbay_rc ol_invalid(struct ollama *o, struct call *c, const char *param,
                   const char *message);
/* Ollama has no such thing: PBAY_FAIL, or a WARNING and PBAY_OK where the
 * configuration says drop.  why: "cannot ..", continues "Ollama ..". */
pbay_rc ol_unsupported(struct ollama *o, struct call *c, const char *param,
                       const char *why);
/* A member's name, or "(unknown)" where it is not fit for a message. */
#define OL_NAME 64
const char *ol_name(pbay_str key, char *to);
/* WARNING: left out or changed, whatever the configuration says. */
pbay_rc ol_warn(struct ollama *o, struct call *c, const char *param,
                const char *text);
/* cache_control at `param`: a hint that may stand in many places, one WARNING
 * for all of them. */
pbay_rc ol_cache_hint(struct ollama *o, struct call *c, const char *param);
/* A JSON string's text, as many events like *ev as it takes; ev->json goes with
 * the first. */
pbay_rc ol_emit_text(struct ollama *o, struct call *c, pbay_event *ev,
                     pbay_str value);
/* For pbay_out: memory of the call; arg points to {ollama, call}. */
char *ol_grow(void *arg, char *old, size_t n, size_t room);

static inline int ol_wants(const struct call *c, uint32_t ev)
{
    return (c->want & PBAY_WANT(ev)) != 0;
}

/* A string with something in it. */
static inline int ol_filled(pbay_str value)
{
    return pbay_json_type(value) == 's' && value.n > 2;
}

static inline int ol_absent(pbay_str value)
{
    return !value.n || pbay_json_type(value) == '0';
}

/* Text of a literal, for comparing and for pieces. */
#define OL(s) ((pbay_str){(s), sizeof(s) - 1})

#endif
