/* SPDX-License-Identifier: MIT */
/* Between the files of the loopback provider: an instance, a run of it, and
 * what every operation needs.
 *
 * A run lives on the stack of run() and belongs to its worker thread; only its
 * waiter is seen by others, under the instance's lock. */
#ifndef LB_H
#define LB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <patchbay/json.h>
#include <patchbay/provider.h>

/* Bounds of what a request may ask for. */
#define LB_MAX_MS         600000
#define LB_MAX_LENGTH     100000
#define LB_MAX_CALLS      16
#define LB_MAX_CHOICES    16
#define LB_MAX_DIMENSIONS 4096

enum lb_fault {
    LB_NO_FAULT,
    LB_ERROR,
    LB_CUT,
    LB_STALL,
    LB_SLOW
};

/* How to behave: configured, then changed by the model's name, then by the
 * request's own object. */
struct lb_script {
    int64_t delay_ms;  /* to the first token */
    double rate;       /* tokens a second, 0: no pause */
    int64_t length;    /* tokens of the answer, 0: as it comes */
    int64_t reasoning; /* tokens of reasoning before it */
    int64_t calls;     /* tool calls in one answer */
    enum lb_fault fault;
    uint32_t error;         /* LB_ERROR: PBAY_E_* */
    int32_t status;         /* and the HTTP status it pretends */
    int64_t fault_at;       /* after that many tokens */
    int64_t every;          /* only each n-th call of the instance fails */
    int64_t retry_after_ms; /* -1: not said */
    bool no_usage;
};

struct lb_waiter {
    struct lb_waiter *next, *prev;
    const pbay_call *call;
    pthread_cond_t woken;
    bool wake;
};

struct lb_instance {
    const pbay_host *host;
    struct lb_script script;
    int64_t dimensions, context_window;
    bool any_model;
    _Atomic uint64_t n_calls; /* for `every` */
    pthread_mutex_t lock;     /* for the list */
    struct lb_waiter *waiters;
};

struct lb_block {
    struct lb_block *next;
    _Alignas(16) char data[];
};

struct lb_run {
    struct lb_instance *in;
    const pbay_host *host;
    pbay_call *call;
    const pbay_request *req;
    struct lb_script script;
    pbay_str model; /* without its directives */
    struct lb_waiter waiter;
    struct lb_block *blocks;
    int64_t next_us;  /* when the next token is due */
    int64_t tokens;   /* sent so far */
    int64_t input;    /* tokens of the prompt */
    int64_t reasoned; /* of `tokens`, those of reasoning */
};

/* --- run.c --- */

void lb_run_begin(struct lb_run *r, struct lb_instance *in, pbay_call *call,
                  const pbay_request *req);
void lb_run_end(struct lb_run *r);
void lb_wake(struct lb_instance *in, const pbay_call *call);
/* Memory of the run; NULL when there is none. */
void *lb_alloc(struct lb_run *r, size_t n);
/* A pbay_out that grows in memory of the run. */
pbay_out lb_out(struct lb_run *r);
/* A member of the request's body; {NULL,0} if absent or null. */
pbay_str lb_field(const struct lb_run *r, const char *name);
/* A JSON string's text; {NULL,0} if it is none. */
pbay_str lb_text(struct lb_run *r, pbay_str value);
pbay_rc lb_emit(struct lb_run *r, pbay_event *ev);
pbay_rc lb_item(struct lb_run *r, const char *kind, uint32_t index,
                const pbay_out *json);
/* An ERROR of kind INVALID; always PBAY_FAIL. */
pbay_rc lb_invalid(struct lb_run *r, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* PBAY_OK, or PBAY_STOPPED at once when the call is cancelled. */
pbay_rc lb_sleep_until(struct lb_run *r, int64_t us);
/* The delay before the first token, and a fault that comes before any. */
pbay_rc lb_first(struct lb_run *r);
/* Before each token: its time, and a fault that is due.  PBAY_END: the reply
 * is to be cut here. */
pbay_rc lb_step(struct lb_run *r);
/* After the last token: a fault that was to come later comes now. */
pbay_rc lb_last(struct lb_run *r);
pbay_rc lb_usage(struct lb_run *r);
uint64_t lb_hash(pbay_str s, uint64_t seed);
/* At most max bytes of it, whole characters. */
pbay_str lb_cut(pbay_str s, size_t max);

/* --- script.c --- */

/* Model name, directives in it and in the body.  An ERROR event and PBAY_FAIL
 * when one of them is wrong. */
pbay_rc lb_script_read(struct lb_run *r);
/* One directive: true, or false with a sentence in why. */
bool lb_directive(struct lb_script *s, pbay_str name, pbay_str value, char *why,
                  size_t room);

/* --- token.c --- */

/* Where the token that starts at `at` ends. */
size_t lb_token_end(pbay_str text, size_t at);
int64_t lb_token_count(pbay_str text);
/* The first n tokens. */
pbay_str lb_token_cut(pbay_str text, int64_t n);

/* --- prompt.c --- */

struct lb_prompt {
    pbay_str user;      /* text of the last user message */
    pbay_str last;      /* text of the last message */
    pbay_str assistant; /* prefill: text of a last message by the assistant */
    bool tool_result;   /* the last message is one */
    unsigned images;    /* in the last user message */
    int64_t tokens;
    uint64_t hash; /* of all messages */
};
pbay_rc lb_prompt_read(struct lb_run *r, struct lb_prompt *p);

/* --- schema.c --- */

/* A value that satisfies a JSON schema, its strings made from `hint`.  NULL, or
 * a sentence why there is none. */
const char *lb_schema_value(struct lb_run *r, pbay_str schema, pbay_str hint,
                            pbay_out *o);

/* --- tools.c --- */

struct lb_call {
    pbay_str name, parameters; /* a schema, may be empty */
};
/* Which tool the request wants called; name {NULL,0}: none.  PBAY_FAIL after an
 * ERROR when it names one that is not there. */
pbay_rc lb_tool_wanted(struct lb_run *r, const struct lb_prompt *p,
                       struct lb_call *out);

/* --- operations --- */

pbay_rc lb_chat(struct lb_run *r);
pbay_rc lb_count(struct lb_run *r);
pbay_rc lb_embed(struct lb_run *r);
pbay_rc lb_moderate(struct lb_run *r);
pbay_rc lb_image(struct lb_run *r);
pbay_rc lb_list(struct lb_run *r);
pbay_rc lb_show(struct lb_run *r);
pbay_rc lb_health(struct lb_run *r);
bool lb_model_known(pbay_str name);

/* --- base64.c --- */

/* n bytes as base64 into memory of the run; {NULL,0} without memory. */
pbay_str lb_base64(struct lb_run *r, const unsigned char *p, size_t n);

static inline bool lb_is(pbay_str s, const char *text)
{
    size_t n = 0;
    while (n < s.n && text[n] && s.p[n] == text[n])
        n++;
    return n == s.n && !text[n];
}

#define LB_STR(s) ((pbay_str){(s), sizeof(s) - 1})

#endif
