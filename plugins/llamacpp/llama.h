/* SPDX-License-Identifier: MIT */
/* Inside llamacpp.so: the instance, the state of a call, and what its files ask
 * of each other.  Chat, embeddings and raw calls are the work of openai-wire,
 * whose instance and state come first in ours; what differs stands around it,
 * and in its hooks.  An instance is immutable once made; a state belongs to one
 * call. */
#ifndef PBAY_LLAMACPP_LLAMA_H
#define PBAY_LLAMACPP_LLAMA_H

#include "../openai-wire/oai.h"
#include "disk.h"
#include "launch.h"

struct llama {
    struct openai oai;
    struct disk disk;      /* models_dir */
    struct launch launch;  /* how its servers are started, */
    int starts;            /* where the host is to start them */
    int drop;              /* unsupported = "drop" */
    int count_by_template; /* count_route = "template" */
};

/* One attempt.  Zeroed by the host. */
struct ask {
    struct call c;
    uint32_t op;
    int more;         /* another exchange is needed */
    int64_t choices;  /* CHAT: `n` */
    uint64_t written; /* CHAT: tokens of the choices that were counted */
    pbay_str model;   /* COUNT, SHOW */
    pbay_str prompt;  /* COUNT: of the template, a JSON string */
    pbay_str entry;   /* SHOW: in the list, without what may hold secrets */
    pbay_str props;   /* SHOW */
    int64_t window;   /* SHOW: context window, 0 if it is not known */
    int sees;         /* SHOW: takes images */
};

/* --- request.c */
pbay_rc ll_build(struct llama *l, struct ask *a, const pbay_request *req,
                 pbay_exchange *x);

/* --- fields.c: hook.  What llama-server would ignore is refused, left out, or
 * said in its way. */
pbay_rc ll_edits(struct openai *o, struct call *c, const pbay_request *req,
                 struct edits *e);

/* --- reply.c */
pbay_rc ll_feed(struct llama *l, struct ask *a, const pbay_record *rec);
/* Hook: errors in llama-server's words. */
void ll_error(struct openai *o, struct call *c, pbay_str body, pbay_error *e);

/* --- models.c: LIST and SHOW */
pbay_rc ll_models(struct llama *l, struct ask *a, pbay_str body);

/* A copy in memory of the call; n = 0 when memory is out. */
pbay_str ll_copy(struct llama *l, struct ask *a, pbay_str s);

#endif
