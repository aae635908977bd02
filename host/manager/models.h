/* SPDX-License-Identifier: MIT */
/* The models that providers list, remembered: one index for the whole host,
 * guarded by a mutex, filled by LIST calls.  [any] for all functions. */
#ifndef PB_MODELS_H
#define PB_MODELS_H

#include <stdbool.h>
#include <stdint.h>

#include <patchbay/types.h>

struct model_index;

struct model_index *model_index_new(void);
void model_index_free(struct model_index *mi);

/* Replace what is known of a provider: n ids and their canonical JSON items. */
void model_index_set(struct model_index *mi, const char *provider,
                     const pbay_kv *ids_and_json, size_t n, int64_t now_ms);
/* The listing failed: what is known stays; `why` is shown. */
void model_index_failed(struct model_index *mi, const char *provider,
                        const char *why, int64_t now_ms);
/* Forget providers whose name is not in the list. */
void model_index_keep(struct model_index *mi, const char *const *providers,
                      size_t n);
/* Does the provider's listing have this id? */
bool model_index_has(struct model_index *mi, const char *provider, pbay_str id);
/* fn for that model alone, under the lock, if it is listed. */
void model_index_one(struct model_index *mi, const char *provider, pbay_str id,
                     void (*fn)(void *arg, const char *provider, pbay_str id,
                                pbay_str json),
                     void *arg);
/* When it was last listed with success; -1: never. */
int64_t model_index_age(struct model_index *mi, const char *provider,
                        int64_t now_ms);
/* Did the last listing fail, less than `within_ms` ago? */
bool model_index_failing(struct model_index *mi, const char *provider,
                         int64_t now_ms, int64_t within_ms);
/* Why it failed, into dst; false if it did not. */
bool model_index_why(struct model_index *mi, const char *provider, char *dst,
                     size_t room);
/* Walk a provider's models under the lock: fn must not call back. */
void model_index_each(struct model_index *mi, const char *provider,
                      void (*fn)(void *arg, const char *provider, pbay_str id,
                                 pbay_str json),
                      void *arg);

#endif
