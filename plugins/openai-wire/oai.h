/* SPDX-License-Identifier: MIT */
/* OpenAI's language, for the plugins that speak it: an instance, the state of a
 * call, and what the files here ask of each other.  An instance is immutable
 * once made; a state belongs to one call.  A provider with more to say puts
 * struct openai first in its own instance and sets its hooks. */
#ifndef PBAY_OAI_H
#define PBAY_OAI_H

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

/* What becomes of reasoning in earlier answers (key reasoning_echo). */
enum {
    ECHO_AS_IS,
    ECHO_CONTENT,
    ECHO_REASONING,
    ECHO_NONE
};

struct openai;
struct call;
struct choice;
struct edits;

/* What a provider does that speaks OpenAI's language and has more to say. Every
 * member may be NULL; `items` and `build` return PBAY_NOSYS for what they leave
 * to the common code. */
struct oai_hooks {
    /* Describe the exchange of an operation. */
    pbay_rc (*build)(struct openai *o, struct call *c, const pbay_request *req,
                     pbay_exchange *x);
    /* Further edits of a body that goes up, passed through or not. */
    pbay_rc (*edits)(struct openai *o, struct call *c, const pbay_request *req,
                     struct edits *e);
    /* Further headers, at most OAI_MORE_HEADERS of them; how many. */
    size_t (*headers)(const struct openai *o, const pbay_request *req,
                      pbay_kv *h);
    /* A message, or its delta, before the common code looks at it. */
    pbay_rc (*message)(struct openai *o, struct call *c, struct choice *ch,
                       pbay_str message);
    /* A choice is over; its STOP comes next. */
    pbay_rc (*before_stop)(struct openai *o, struct call *c, struct choice *ch);
    /* A reply that is no chat. */
    pbay_rc (*items)(struct openai *o, struct call *c, pbay_str body);
    /* Further members of a canonical model. */
    void (*model)(pbay_str model, pbay_out *w);
    /* A record of a chat whose exchange `build` described in a form of its own
     * (call.other_form); data is trimmed and not empty. */
    pbay_rc (*record)(struct openai *o, struct call *c, const pbay_record *rec,
                      pbay_str data);
    /* A second look at an error. */
    void (*error)(struct openai *o, struct call *c, pbay_str body,
                  pbay_error *e);
};
#define OAI_MORE_HEADERS 4

struct openai {
    const pbay_host *host;
    const struct oai_hooks *hooks; /* may be NULL */
    pbay_str organization, project;
    pbay_str chat_path, embeddings_path, moderations_path, images_path,
        models_path;
    int max_tokens_field;
    int random_seed;     /* seed_field = "random_seed" */
    int stream_options;  /* may include_usage be added? */
    int end_at_finish;   /* end_mark = "finish" */
    int lookup_in_list;  /* model_lookup = "list" */
    int reasoning_extra; /* usage_output = "without_reasoning" */
    int native_stop;     /* the stop's word is native_finish_reason */
    int details;         /* reasoning_details are understood and sent back */
    int plain_roles;     /* developer_role = "system" */
    int short_ids;       /* tool_ids = "mistral" */
    int echo;            /* reasoning_echo: ECHO_* */
    int stop_list;       /* stop_form = "list" */
    int drop;            /* unsupported = "drop" */
    pbay_str lacks;      /* JSON: members of a chat that the server refuses */
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
    void *more; /* of the hooks */
};

/* One attempt.  Zeroed by the host. */
struct call {
    pbay_call *call; /* of the callback that is running */
    uint32_t op, want, flags, step;
    uint32_t framing;
    pbay_head head; /* with those headers that an error needs, copied */
    pbay_str reply_id;
    int begun, content, failed, ended;
    int usage_added; /* we asked for the usage chunk, the client did not */
    int again;       /* one more exchange is needed */
    int other_form;  /* the reply is for the hook `record` */
    void *more;      /* of the hooks */
    uint32_t n_choices, n_calls_named, images;
    struct choice *choices;
    pbay_str search; /* LIST */
    pbay_str model;
};

#define EDITS 24

struct edits {
    pbay_kv kv[EDITS];
    size_t n;
};

/* --- config.c: an instance's keys */
/* A string of the configuration in memory of its own, `dflt` if it is absent;
 * 0 when memory is out. */
int oai_take_string(pbay_str config, const char *name, const char *dflt,
                    pbay_str *to);
/* Which of the words; 0, the first, if it is absent. */
int oai_take_word(pbay_str config, const char *name, const char *const *words);
/* Nonzero, and a line in the log, if it cannot be sent as a header. */
int oai_bad_header(const pbay_host *host, const char *name, pbay_str value);

/* How the server's chats differ; PBAY_FAIL, and a line in the log, for what
 * cannot be. */
pbay_rc oai_take_quirks(struct openai *o, pbay_str config);
#define OAI_LACKS_MAX    12
#define OAI_LACKS_LENGTH 48 /* of a name */

/* --- build.c */
pbay_rc oai_build(struct openai *o, struct call *c, const pbay_request *req,
                  pbay_exchange *x);
/* A POST of the body with these edits, and with those that every body gets. */
pbay_rc oai_post(struct openai *o, struct call *c, const pbay_request *req,
                 pbay_str path, struct edits *e, pbay_exchange *x);
/* A name for the member's new value; an empty value drops it. */
void oai_edit(struct edits *e, pbay_str name, pbay_str value);
/* A GET of JSON. */
void oai_get(pbay_exchange *x, pbay_str path);
/* For pbay_out.grow: memory of the call; arg is {o, c}. */
char *oai_grow(void *arg, char *old, size_t n, size_t room);

/* Models of OpenAI's that refuse reasoning_effort, even "none": asked not to
 * reason, they are asked for nothing. */
int oai_never_reasons(pbay_str model);

/* --- messages.c: messages as the server wants them */
pbay_rc oai_edit_messages(struct openai *o, struct call *c,
                          const pbay_request *req, struct edits *e);

/* --- blocks.c: what an earlier answer gave to bring back */
/* Thinking that a dialect only showed: nobody signed it, nobody needs it. */
int oai_is_shown(pbay_str block);
/* Those that this provider takes, as a member of the message that is written;
 * *any: it has members already.  How many were left out. */
unsigned oai_put_blocks(const struct openai *o, pbay_out *w, pbay_str blocks,
                        int has_details, int *any);

/* --- feed.c */
pbay_rc oai_head(struct openai *o, struct call *c, pbay_head *head);
pbay_rc oai_feed(struct openai *o, struct call *c, const pbay_record *rec);
pbay_rc oai_finish(struct openai *o, struct call *c, pbay_rc why);

/* --- codec.c: the same as the ABI has them, for the plugin's table */
pbay_rc oai_codec_build(void *inst, void *st, pbay_call *call,
                        const pbay_request *req, pbay_exchange *x);
pbay_rc oai_codec_head(void *inst, void *st, pbay_call *call, pbay_head *h);
pbay_rc oai_codec_feed(void *inst, void *st, pbay_call *call,
                       const pbay_record *rec);
pbay_rc oai_codec_finish(void *inst, void *st, pbay_call *call, pbay_rc why);

/* --- chat.c: `choices` of a chunk or a whole reply */
pbay_rc oai_choices(struct openai *o, struct call *c, pbay_str choices);
/* The answer is over: stops that waited, and those that never came. */
pbay_rc oai_stops(struct openai *o, struct call *c);

/* --- items.c: replies that are lists */
pbay_rc oai_items(struct openai *o, struct call *c, pbay_str body);
pbay_rc oai_item(struct openai *o, struct call *c, const char *name,
                 uint32_t index, pbay_str json);
/* The canonical form of a model in a list, as an ITEM.  w is room that is used
 * again for each. */
pbay_rc oai_model_item(struct openai *o, struct call *c, pbay_str m,
                       uint32_t place, pbay_out *w);
/* Is the (lower or upper case) text in this one? */
int oai_contains(pbay_str text, pbay_str search);

/* --- usage.c */
pbay_rc oai_usage(struct openai *o, struct call *c, pbay_str usage);
/* A decimal number in 1e-9, rounded half up; 0 if it is none, is negative or is
 * too large. */
int oai_nano(pbay_str value, int64_t *out);

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
