/* SPDX-License-Identifier: MIT */
/* Several chats that belong together, a few of them at a time: the pieces of a
 * long text, say.  The first one that fails ends them all.  One loop's thread.
 */
#ifndef PB_CHATS_H
#define PB_CHATS_H

#include "base/buf.h"
#include "manager/call.h"

#define CHATS_PARALLEL 16 /* at a time, at most */

struct chats;

struct chats_ops {
    /* The canonical body of chat i.  0, or below: it cannot be written. */
    int (*body)(void *arg, size_t i, struct buf *out);
    /* A piece of its answer; NULL: the whole is enough. */
    void (*text)(void *arg, size_t i, pbay_str piece);
    /* It has ended well.  0, or -1 and *e, which ends them all. */
    int (*done)(void *arg, size_t i, pbay_str whole, struct err *e);
    /* Last callback.  e NULL: all have ended well. */
    void (*end)(void *arg, const struct err *e);
};

/* What all of them have in common: `base` is a chat's request without a body,
 * kept; deadline_ms is for all together.  stream: ask for the answers as
 * streams.  NULL and *e: nothing was started. */
struct chats *chats_start(struct manager *m, const struct call_request *base,
                          size_t n, unsigned parallel,
                          const struct chats_ops *ops, void *arg,
                          struct err *e);
/* Whatever is under way ends; no callback after.  From any callback, too. */
void chats_free(struct chats *c);
void chats_pause(struct chats *c, bool on);
/* Of the newest answer, with the attempts and the usage of all so far.  NULL:
 * none has begun. */
const struct call_report *chats_report(const struct chats *c);
size_t chats_done(const struct chats *c);

#endif
