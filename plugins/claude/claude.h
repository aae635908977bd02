/* SPDX-License-Identifier: MIT */
/* Inside claude.so: the instance, the state of a call, and what its files ask
 * of each other.  An instance is immutable once made; a state belongs to one
 * call. */
#ifndef PBAY_CLAUDE_H
#define PBAY_CLAUDE_H

#include <patchbay/json.h>
#include <patchbay/provider.h>
#include <patchbay/wire.h>

/* Versions of the API, by date (key api_version). */
enum {
    API_2026_10_21,
    API_2023_06_01
};

struct claude {
    const pbay_host *host;
    int api;           /* API_* */
    pbay_str version;  /* the same, as it is sent */
    int bearer;        /* auth_style = "bearer" */
    int drop;          /* unsupported = "drop" */
    int hide_thinking; /* thinking_display = "omitted" */
    int64_t max_tokens;
    pbay_str beta; /* for anthropic-beta; may be empty */
};

/* What is known of a model by its name. */
struct traits {
    int known;          /* "claude-FAMILY-MAJOR-MINOR", read from the name */
    int generation;     /* 406 for 4.6; the newest if the name is not known */
    int sampling;       /* takes temperature, top_p, top_k (2023-06-01) */
    int adaptive;       /* thinking is adaptive, with an effort */
    int always_thinks;  /* thinking cannot be turned off */
    int between_tools;  /* "off" is called between_tools */
    int no_forced_tool; /* tool_choice is auto or none */
    int prefill;        /* goes on with an answer that was begun */
};

/* A content block of the reply that is being received. */
struct block {
    struct block *next;
    int64_t index;      /* the provider's */
    int kind;           /* BLOCK_* */
    uint32_t call;      /* tool_use: which call */
    int has_input;      /* a piece of the input was seen */
    pbay_str start;     /* the block as it began */
    pbay_out thinking;  /* inside of a JSON string, escapes untouched */
    pbay_out signature; /* likewise */
    pbay_out input;     /* JSON text of a server tool's input */
    pbay_out cites;     /* BLOCK_TEXT: citations, with commas between */
    uint64_t from;      /* BLOCK_TEXT: characters before it */
    void *grow_with[2];
};

enum {
    BLOCK_TEXT,
    BLOCK_THINKING,
    BLOCK_TOOL,
    BLOCK_OTHER
};

/* One attempt.  Zeroed by the host. */
struct call {
    pbay_call *call; /* of the callback that is running */
    uint32_t op, want, flags;
    uint32_t framing;
    pbay_ends *ends; /* RAW */
    pbay_head head;  /* with those headers that an error needs, copied */
    int begun, content, failed, ended;
    uint32_t n_calls, n_blocks, n_blocks_told;
    uint64_t chars;       /* of text, emitted so far */
    int cites_lost;       /* said once */
    struct block *blocks; /* open ones, newest first */
    /* The stop waits here for message_stop. */
    uint32_t stop;
    pbay_str stop_name, stop_text;
    /* Token counts so far; `known` has the bits of pbay_usage.known. */
    uint32_t known;
    int64_t input, cache_write, cache_write_long, cache_read, output, thinking;
    int64_t web_search, web_fetch;
    /* LIST: what must last from page to page stands here itself */
    pbay_str search;
    char after[256];
    size_t after_n;
    uint32_t n_models;
    int more;
};

static inline int cl_wants(const struct call *c, uint32_t ev)
{
    return (c->want & PBAY_WANT(ev)) != 0;
}

/* Text of a literal, for comparing and for pieces. */
#define CL(s) ((pbay_str){(s), sizeof(s) - 1})

static inline int cl_is(pbay_str s, const char *text)
{
    size_t i = 0;

    while (i < s.n && text[i] && s.p[i] == text[i])
        i++;
    return i == s.n && !text[i];
}

/* --- build.c: the exchange */
pbay_rc cl_build(struct claude *o, struct call *c, const pbay_request *req,
                 pbay_exchange *x);

/* --- request.c: a canonical chat as the body of /v1/messages */
pbay_rc cl_request(struct claude *o, struct call *c, const pbay_request *req,
                   const pbay_str **pieces, size_t *n_pieces);

/* --- model.c */
void cl_traits(pbay_str model, struct traits *t);

/* --- feed.c: the reply */
pbay_rc cl_head(struct claude *o, struct call *c, pbay_head *head);
pbay_rc cl_feed(struct claude *o, struct call *c, const pbay_record *rec);
pbay_rc cl_finish(struct claude *o, struct call *c, pbay_rc why);

/* --- limits.c */
/* LIMITS from a reply's head. */
pbay_rc cl_limits(struct claude *o, struct call *c, const pbay_head *head);
/* When what is used up comes back, in milliseconds; -1. */
int64_t cl_reset_after(const pbay_head *head);
/* "2026-11-21T00:30:00Z" in milliseconds since 1970; -1. */
int64_t cl_rfc3339(pbay_str text);

/* --- answer.c: a message, streamed or whole */
pbay_rc cl_event(struct claude *o, struct call *c, pbay_str data);
pbay_rc cl_message(struct claude *o, struct call *c, pbay_str data);

/* --- cite.c: a list of citations of the block of text that was emitted last;
 * `from`: characters of the answer before it */
pbay_rc cl_citations(struct claude *o, struct call *c, uint64_t from,
                     pbay_str list);

/* --- items.c: models, counts */
pbay_rc cl_items(struct claude *o, struct call *c, pbay_str body);

/* --- usage.c */
pbay_rc cl_usage(struct claude *o, struct call *c, pbay_str usage);

/* --- emit.c: events; all return PBAY_OK or the reason to stop */
pbay_rc cl_emit(struct claude *o, struct call *c, pbay_event *ev);
/* This record carries something of the answer; once, when passing on. */
pbay_rc cl_content(struct claude *o, struct call *c);
/* ERROR from an error body, or with words of our own; PBAY_FAIL. */
pbay_rc cl_error_body(struct claude *o, struct call *c, pbay_str body);
pbay_rc cl_error(struct claude *o, struct call *c, uint32_t kind,
                 const char *message);
/* A JSON string's text, as many events like *ev as it takes. */
pbay_rc cl_emit_text(struct claude *o, struct call *c, pbay_event *ev,
                     pbay_str value);
/* A copy, and growing text, in memory of the call. */
pbay_str cl_copy(struct claude *o, struct call *c, pbay_str s);
char *cl_grow(void *arg, char *old, size_t n, size_t room);

#endif
