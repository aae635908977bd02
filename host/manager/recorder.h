/* SPDX-License-Identifier: MIT */
/* Keeping real exchanges as transcripts, for `patchbay record`.
 *
 * Switched on and off by the control thread; loops collect an exchange in
 * memory (bounded) and hand it to the control thread's loop, which writes the
 * file.  Credentials are not in what is collected: the host adds them behind
 * the point where the recorder listens.
 */
#ifndef PB_RECORDER_H
#define PB_RECORDER_H

#include "base/loop.h"
#include "http/transport.h"
#include <patchbay/request.h>

struct recorder;
struct recording;

/* [control] writer: the loop whose thread may write files. */
struct recorder *recorder_new(struct loop *writer);
/* [control] Start keeping a provider's exchanges under dir (made if missing),
 * or stop (dir NULL).  0 or negative errno. */
int recorder_set(struct recorder *r, const char *provider, const char *dir);
/* After all loops have ended. */
void recorder_free(struct recorder *r);

/* [loop] NULL when this provider is not recorded. */
struct recording *recording_begin(struct recorder *r, const char *provider,
                                  const pbay_request *req,
                                  const struct tx_request *tr);
/* The exchange is over and its codec asks for one more. */
void recording_again(struct recording *rec, const struct tx_request *tr);
void recording_head(struct recording *rec, int status, const pbay_kv *headers,
                    size_t n);
void recording_data(struct recording *rec, pbay_str bytes);
/* Takes the recording over. */
void recording_end(struct recording *rec, const char *how);

#endif
