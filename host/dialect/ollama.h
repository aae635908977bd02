/* SPDX-License-Identifier: MIT */
/* The Ollama dialect.  Source of the forms:
 * https://github.com/ollama/ollama/blob/main/docs/api.md */
#ifndef PB_DIALECT_OLLAMA_H
#define PB_DIALECT_OLLAMA_H

#include "dialect/dialog.h"

/* The version of Ollama whose API this is; clients ask for it. */
#define OL_VERSION "0.33.0"

extern const struct chat_form ol_chat_form;
extern const struct dl_route ol_routes[];

/* --- ollama.c --- */
/* x->body scanned, model and stream (true where it is not said) read.  0, or -1
 * when the error has been the reply. */
int ol_read(struct dialog *x, pbay_str body);
/* The same of a body that is a model's name; older clients say "name".  The
 * body becomes {"model":..}: insecure, verbose, keep_alive and options are left
 * out with a warning (unless they are false or null), anything else is refused
 * by name. */
int ol_read_name(struct dialog *x, pbay_str body);
/* Start a call for events only, with x->body in canonical form.  0, or -1 with
 * *e. */
int ol_try(struct dialog *x, const char *instance, const struct call_sink *sink,
           struct err *e);
/* The same; on failure the error is the reply. */
void ol_start(struct dialog *x, const char *instance,
              const struct call_sink *sink);
/* The end of a call that failed, before anything of the answer was written. */
void ol_failed(struct dialog *x, const struct err *e,
               const struct call_report *r);

/* --- ollama_embed.c --- */
void ol_embed(struct dialog *x, pbay_str body);
void ol_embeddings(struct dialog *x, pbay_str body);

/* --- ollama_models.c --- */
void ol_tags(struct dialog *x);
void ol_show(struct dialog *x, pbay_str body);
void ol_ps(struct dialog *x);

/* --- ollama_manage.c --- */
void ol_pull(struct dialog *x, pbay_str body);
void ol_delete(struct dialog *x, pbay_str body);

#endif
