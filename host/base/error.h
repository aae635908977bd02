/* SPDX-License-Identifier: MIT */
/* The one table of failures: what each kind means for the attempt engine and
 * how each client dialect shows it.  Nothing else decides.  No state.
 * [any thread] */
#ifndef PB_ERROR_H
#define PB_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/event.h>

/* The kinds of the ABI (PBAY_E_*) and the host's own behind them. */
enum {
    ERR_NONE = 0,
    ERR_CONNECT = 100, /* no connection: refused, unreachable, TLS, DNS */
    ERR_RESET,         /* broke off before any byte of the reply */
    ERR_CONNECT_TIMEOUT,
    ERR_HEADERS_TIMEOUT, /* connected, but no reply in time */
    ERR_FIRST_TIMEOUT,   /* no answer in time */
    ERR_IDLE_TIMEOUT,    /* the answer stopped coming */
    ERR_DEADLINE,        /* the whole call took too long */
    ERR_TRUNCATED,       /* the reply ended before its end mark */
    ERR_REPLY_TOO_LARGE, /* a record or body over our limit */
    ERR_CANCELLED,       /* the client went away */
    ERR_UNAVAILABLE,     /* no target can take it; draining; queue full */
    ERR_INTERNAL,        /* our own fault, or a plugin's */
    ERR_CLIENT_AUTH,     /* the client's key is missing or unknown */
    ERR_CLIENT_RIGHT,    /* the client's key may not do this */
    ERR_NO_MODEL,        /* no provider has that model */
    ERR_NOT_SUPPORTED,   /* the provider has no such operation */
    ERR_NO_ROUTE,        /* no such URL */
    ERR_METHOD,          /* not with this method */
    ERR_BODY_TOO_LARGE,  /* the client's body */
    ERR_BAD_BODY,        /* the client's body is not what we can read */
    ERR_LIMIT,           /* a limit of our own for the target is used up */
    ERR_KEY_LIMIT,       /* that of the client's key */
    ERR_SCHEMA           /* the answer is not what its JSON schema asks for */
};

struct err_class {
    int kind;
    const char *name; /* "rate_limit", for logs and metrics */
    bool retry_same;  /* may the same target be asked again? */
    bool next_target; /* may another target answer instead? */
    bool health;      /* does it count against the target's health? */
    bool pass_body;   /* may the provider's own error body reach the
                       * client? */
    bool our_key;     /* it speaks of *our* key or money: the provider's
                       * words are for the log, never for the client */
    int scope;        /* PBAY_SCOPE_* when the plugin does not say */
    int status;       /* HTTP status to the client */
    const char *openai_type, *openai_code; /* code may be NULL */
    const char *anthropic_type;
    const char *text; /* default message, a whole sentence */
};

/* Never NULL: an unknown kind gives ERR_INTERNAL's row. */
const struct err_class *err_class(int kind);
/* The kind for a reply's status when the plugin said nothing; ERR_NONE for
 * 2xx. */
int err_from_status(int status);
/* All rows, for tests and documentation; ends with kind 0. */
const struct err_class *err_table(void);

/* A failure on its way to a client.  Fixed size, owns nothing outside.  What
 * came from outside is redacted and cut between characters; it is not checked
 * to be UTF-8, which those who render it must do anyway. */
struct err {
    int kind, scope, upstream_status;
    int64_t retry_after_ms; /* -1: not said */
    int should_retry;
    char provider[64];
    char code[64], type[64], param[64], request_id[128];
    char message[1024]; /* for the log; clients get err_text() */
};

void err_clear(struct err *e);
/* Sets everything anew: the kind, its scope, the message (printf form; redacted
 * on the way in). */
void err_set(struct err *e, int kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* From a plugin's event, in place of whatever was there; kinds that are not the
 * ABI's become PBAY_E_UPSTREAM, and a scope that is not, the kind's own. */
void err_from_event(struct err *e, const pbay_error *ev);
/* What a client is told: the message, or the class's default text when there is
 * none or it concerns our key. */
const char *err_text(const struct err *e);

#endif
