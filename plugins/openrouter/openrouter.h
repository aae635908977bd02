/* SPDX-License-Identifier: MIT */
/* Inside openrouter.so: the instance, and what its files ask of each other.
 * An instance is immutable once made. */
#ifndef PBAY_OPENROUTER_H
#define PBAY_OPENROUTER_H

#include "../openai-wire/oai.h"

#define PREFS 16

struct openrouter {
    struct openai oai; /* first: the common code knows only this */
    /* Members of `provider` for requests that do not have them, as JSON. */
    pbay_kv prefs[PREFS];
    size_t n_prefs;
    pbay_str referer, title, categories;
    int client_named; /* client_attribution */
    char *text; /* what all of these point into */
};

/* --- prefs.c: default preferences and attribution */
pbay_rc or_configure(struct openrouter *r, pbay_str config);
pbay_rc or_edits(struct openai *o, struct call *c, const pbay_request *req,
                 struct edits *e);
size_t or_headers(const struct openai *o, const pbay_request *req, pbay_kv *h);

/* --- details.c: what a message has beside OpenAI's */
pbay_rc or_message(struct openai *o, struct call *c, struct choice *ch,
                   pbay_str message);
pbay_rc or_before_stop(struct openai *o, struct call *c, struct choice *ch);

/* --- models.c */
pbay_rc or_build_list(struct openai *o, struct call *c, const pbay_request *req,
                      pbay_exchange *x);
pbay_rc or_list(struct openai *o, struct call *c, pbay_str body);
void or_model(pbay_str model, pbay_out *w);

/* --- price.c: decimal figures, exactly */
/* USD as a string or number, in 1e-9 of it, as a JSON number: whole, or with a
 * fraction below 1e-9 USD.  0 if it is no amount, or below zero. */
int or_put_nano(pbay_out *w, pbay_str usd);
/* For comparing only; -1 if it is no amount. */
double or_amount(pbay_str usd);

/* --- account.c */
pbay_rc or_build_account(struct openai *o, struct call *c,
                         const pbay_request *req, pbay_exchange *x);
pbay_rc or_account(struct openai *o, struct call *c, pbay_str body);

/* --- errors.c */
void or_error(struct openai *o, struct call *c, pbay_str body, pbay_error *e);

#endif
