/* SPDX-License-Identifier: MIT */
/* Inside openai.so: the instance, the state of a call, and what its files ask
 * of each other.  An instance is immutable once made; a state belongs to one
 * call. */
#ifndef PBAY_OPENAI_H
#define PBAY_OPENAI_H

#include <patchbay/json.h>
#include <patchbay/provider.h>
#include <patchbay/wire.h>

/* How the output limit is called (key max_tokens_field). */
enum {
    LIMIT_AUTO,
    LIMIT_OLD,
    LIMIT_NEW,
    LIMIT_AS_IS
};

struct openai {
    const pbay_host *host;
    pbay_str organization, project;
    pbay_str chat_path, embeddings_path, moderations_path, images_path,
        models_path;
    int max_tokens_field;
    int random_seed;     /* seed_field = "random_seed" */
    int stream_options;  /* may include_usage be added? */
    int end_at_finish;   /* end_mark = "finish" */
    int lookup_in_list;  /* model_lookup = "list" */
    int reasoning_extra; /* usage_output = "without_reasoning" */
    pbay_str cost_currency;
};

/* A tool call of a choice, known by the index the provider gives it. */
struct tool {
    struct tool *next;
    uint32_t given; /* the provider's index */
    uint32_t index; /* ours: in the order they come */
    int started;    /* its first fragment was emitted */
    pbay_str id;
};

struct choice {
    struct choice *next;
    uint32_t index, n_tools;
    struct tool *tools; /* newest first */
    int stopped;
    /* With end_mark = "finish" the stop waits here for the end. */
    uint32_t held_stop;
    pbay_str held_name;
};

/* One attempt.  Zeroed by the host. */
struct call {
    pbay_call *call; /* of the callback that is running */
    uint32_t op, want, flags;
    uint32_t framing;
    pbay_head head; /* with those headers that an error needs, copied */
    pbay_str reply_id;
    int begun, content, failed, ended;
    int usage_added; /* we asked for the usage chunk, the client did not */
    uint32_t n_choices, n_calls_named, images;
    struct choice *choices;
    pbay_str search; /* LIST */
    pbay_str model;
};

/* --- build.c */
pbay_rc oai_build(struct openai *o, struct call *c, const pbay_request *req,
                  pbay_exchange *x);

/* --- feed.c */
pbay_rc oai_head(struct openai *o, struct call *c, pbay_head *head);
pbay_rc oai_feed(struct openai *o, struct call *c, const pbay_record *rec);
pbay_rc oai_finish(struct openai *o, struct call *c, pbay_rc why);

/* --- chat.c: `choices` of a chunk or a whole reply */
pbay_rc oai_choices(struct openai *o, struct call *c, pbay_str choices);
/* The answer is over: stops that waited, and those that never came. */
pbay_rc oai_stops(struct openai *o, struct call *c);

/* --- items.c: replies that are lists */
pbay_rc oai_items(struct openai *o, struct call *c, pbay_str body);

/* --- usage.c */
pbay_rc oai_usage(struct openai *o, struct call *c, pbay_str usage);

/* The values of some members, found in one walk through the object; n is at
 * most OAI_FIELDS.  A name that occurs twice counts with its last value. */
#define OAI_FIELDS 16
void oai_fields(pbay_str object, const pbay_str *names, pbay_str *values,
                size_t n);

/* --- emit.c: events; all return PBAY_OK or the reason to stop */
pbay_rc oai_emit(struct openai *o, struct call *c, pbay_event *ev);
/* The reply exists; once. */
pbay_rc oai_begin(struct openai *o, struct call *c, pbay_str id,
                  pbay_str model);
/* This record carries something of the answer; once, when passing on. */
pbay_rc oai_content(struct openai *o, struct call *c);
/* ERROR from an error body, or with words of our own; PBAY_FAIL. */
pbay_rc oai_error_body(struct openai *o, struct call *c, pbay_str body);
pbay_rc oai_error(struct openai *o, struct call *c, uint32_t kind,
                  const char *message);
/* A JSON string's text, as many events like *ev as it takes; ev->json goes with
 * the first. */
pbay_rc oai_emit_text(struct openai *o, struct call *c, pbay_event *ev,
                      pbay_str value);

static inline int oai_wants(const struct call *c, uint32_t ev)
{
    return (c->want & PBAY_WANT(ev)) != 0;
}

/* Text of a literal, for comparing and for pieces. */
#define OA(s) ((pbay_str){(s), sizeof(s) - 1})

#endif
