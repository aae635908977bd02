/* SPDX-License-Identifier: MIT */
/* What a provider answers: typed events, in the order of the reply.
 *
 * A plugin emits events through pbay_host.emit().  All members that an event
 * type does not name are zero.  Per call the order is
 *
 *   BEGIN? (CONTENT? (TEXT | REASONING | REFUSAL | CALL | BLOCK | VECTOR |
 *   ITEM | ANNOTATION)* )* STOP+ USAGE?   or, at any point,   ERROR
 *
 * with LIMITS and WARNING allowed anywhere, USAGE more than once (a known field
 * replaces the earlier value, nothing is ever added up), and one STOP for each
 * choice of a chat.  Operations other than chat have no STOP: they end with
 * PBAY_END or a complete body.  Nothing follows ERROR.
 */
#ifndef PATCHBAY_EVENT_H
#define PATCHBAY_EVENT_H

#include <patchbay/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Event types; each with the members it uses. */
enum {
    /* The reply exists.  id: the provider's id of it; name: the model that
     * answers, as the provider writes it. */
    PBAY_EV_BEGIN = 1,
    /* choice, text: a piece of the answer, never cut inside a character.
     * json: the OpenAI `logprobs.content` array of this piece, if asked. */
    PBAY_EV_TEXT,
    /* choice, text: a piece of visible reasoning. */
    PBAY_EV_REASONING,
    /* choice, text: a piece of a refusal. */
    PBAY_EV_REFUSAL,
    /* A fragment of a tool call.  choice; index: which call of that choice,
     * from 0.  The first fragment of a call has id and name; text: the next
     * piece of its arguments (the pieces joined are the JSON text). */
    PBAY_EV_CALL,
    /* choice, index, name, json: an opaque block that a later request of this
     * conversation must bring back unchanged (a signed thought, say). */
    PBAY_EV_BLOCK,
    /* An embedding.  choice: which input; code: PBAY_VEC_*; text: the bytes. */
    PBAY_EV_VECTOR,
    /* A JSON item of an operation that is not chat.  name: its kind ("model",
     * "image", "moderation", "progress", "count", "credits", "generation",
     * "health", "running"); json: the item, as patchbay/request.h states for
     * the operation; index: its place in the list. */
    PBAY_EV_ITEM,
    /* usage */
    PBAY_EV_USAGE,
    /* error: the call has failed; always wanted. */
    PBAY_EV_ERROR,
    /* choice; code: PBAY_STOP_*; name: the provider's own word for it; text:
     * the stop sequence that matched, if it is known.  Always wanted. */
    PBAY_EV_STOP,
    /* The record being fed is the first one that carries something of the
     * answer; what came before was prelude.  Needed only with PBAY_RQ_PASS,
     * when no event of the kinds TEXT to ITEM is emitted for it.  The host
     * holds a reply back until then, so that a failure up to that point can
     * still be answered by another attempt.  Always wanted. */
    PBAY_EV_CONTENT,
    /* json: what the provider says is left of its rate limits:
     * {"requests":{"limit":N,"remaining":N,"reset_ms":N},"tokens":{...}},
     * each member optional; "input_tokens" and "output_tokens" likewise where
     * the provider counts them apart. */
    PBAY_EV_LIMITS,
    /* name: a request field; text: what was done with it (dropped, changed)
     * because this provider has no such thing. */
    PBAY_EV_WARNING,
    /* choice, json: where a stretch of the choice's text comes from, as OpenAI
     * writes it in `annotations` of a chat's message:
     * {"type":"url_citation","url_citation":{"start_index":N,"end_index":N,
     * "url":text,"title":text}}, or for what came with the request,
     * {"type":"file_citation","file_citation":{"start_index":N,"end_index":N,
     * "filename":text,"index":N}}.  The stretch, in characters of all TEXT of
     * the choice, has been emitted before.  A provider that has more to say
     * adds it as "patchbay_citation", in its own words. */
    PBAY_EV_ANNOTATION
};

/* Bit of an event type in pbay_request.want. */
#define PBAY_WANT(ev) (1u << (ev))

/* Why a choice ended. */
enum {
    PBAY_STOP_END = 1, /* a natural end or a stop sequence */
    PBAY_STOP_LENGTH,  /* the output limit */
    PBAY_STOP_TOOL,    /* tool calls are to be answered */
    PBAY_STOP_FILTER,  /* the provider withheld the rest */
    PBAY_STOP_PAUSE,   /* send the turn back to go on */
    PBAY_STOP_CONTEXT  /* the context window is full */
};

/* Form of a VECTOR's bytes. */
enum {
    PBAY_VEC_F32 = 0,   /* 32 bit floats, host byte order */
    PBAY_VEC_BASE64 = 1 /* base64 of little-endian 32 bit floats */
};

/* Kinds of failure.  The host decides by kind and scope what to do next. */
enum {
    PBAY_E_INVALID = 1, /* the request is wrong */
    PBAY_E_AUTH,        /* our key was refused */
    PBAY_E_PERMISSION,  /* our key may not do this */
    PBAY_E_NOT_FOUND,   /* no such model or object */
    PBAY_E_TOO_LARGE,   /* the body is too large */
    PBAY_E_CONTEXT,     /* the prompt does not fit the context window */
    PBAY_E_FILTER,      /* refused for its content */
    PBAY_E_RATE,        /* too many requests or tokens just now */
    PBAY_E_QUOTA,       /* no money, no quota: waiting does not help */
    PBAY_E_OVERLOADED,  /* the provider is full */
    PBAY_E_LOADING,     /* the model is being loaded */
    PBAY_E_UPSTREAM,    /* any other failure on the provider's side */
    PBAY_E_PROTOCOL     /* the reply is not what the protocol says */
};

/* What the failure is about. */
enum {
    PBAY_SCOPE_REQUEST = 1, /* this request only */
    PBAY_SCOPE_MODEL,       /* this model of the provider */
    PBAY_SCOPE_KEY,         /* everything asked with this key */
    PBAY_SCOPE_PROVIDER     /* the whole provider */
};

/* Bits of pbay_usage.known. */
enum {
    PBAY_U_INPUT = 1,
    PBAY_U_CACHE_READ = 2,
    PBAY_U_CACHE_WRITE = 4,
    PBAY_U_CACHE_WRITE_LONG = 8,
    PBAY_U_OUTPUT = 16,
    PBAY_U_REASONING = 32,
    PBAY_U_COST = 64
};
/* Bit of pbay_usage.flags: counted by estimate, not by the provider. */
#define PBAY_U_ESTIMATED 1u

/* Tokens and cost of the whole reply so far.  A member counts only if its bit
 * is in `known`; it then replaces what an earlier USAGE event said. */
typedef struct pbay_usage {
    uint32_t size, known;
    uint64_t input;            /* whole prompt, cached parts included */
    uint64_t cache_read;       /* part of input served from a cache */
    uint64_t cache_write;      /* part of input written to a cache */
    uint64_t cache_write_long; /* part of cache_write kept longer (1 h) */
    uint64_t output;           /* everything generated, reasoning included */
    uint64_t reasoning;        /* part of output */
    int64_t cost_nano;         /* the provider's own figure, 1e-9 currency */
    char currency[4];          /* ISO 4217, NUL-terminated */
    uint32_t flags;            /* PBAY_U_ESTIMATED */
    pbay_str units;            /* JSON: other priced things {"web_search":2} */
} pbay_usage;

typedef struct pbay_error {
    uint32_t size;
    uint32_t kind;          /* PBAY_E_* */
    uint32_t scope;         /* PBAY_SCOPE_*; 0: the host goes by the kind */
    int32_t http_status;    /* the provider's, 0 if there was none */
    int64_t retry_after_ms; /* -1: not said */
    int32_t should_retry;   /* -1 no, 0 not said, 1 yes: the provider's word */
    int32_t reserved;
    pbay_str code, type, param; /* the provider's words, may be empty */
    pbay_str message;           /* for people; must not contain secrets */
    pbay_str request_id;        /* the provider's */
} pbay_error;

typedef struct pbay_event {
    uint32_t size, type;
    uint32_t choice; /* which answer (n), or which input of a batch */
    uint32_t index;  /* which block or tool call in it */
    uint32_t code, flags;
    pbay_str id, name, text, json;
    const pbay_usage *usage;
    const pbay_error *error;
} pbay_event;

PBAY_ASSERT(offsetof(pbay_usage, input) == 8, "no hole");
PBAY_ASSERT(sizeof(pbay_event) == 24 + 10 * sizeof(void *), "no hole");

#ifdef __cplusplus
}
#endif
#endif
