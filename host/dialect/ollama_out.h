/* SPDX-License-Identifier: MIT */
/* Events to the answers of Ollama's chat and generate: lines of JSON, or one
 * object, and errors in Ollama's form.  Source:
 * https://github.com/ollama/ollama/blob/main/docs/api.md.
 *
 * Tool calls are told whole, when the answer stops: the pieces of several may
 * come interleaved.  A block that must come back unchanged stands in the
 * message's `patchbay_blocks`.  done_reason is "stop" also for tool calls, as
 * Ollama has it, "length" when a limit or the window was reached,
 * "content_filter" when the rest was withheld, "pause" when the turn is to be
 * sent back.  Durations are what this host has measured.
 *
 * One answer, one thread. */
#ifndef PB_DIALECT_OLLAMA_OUT_H
#define PB_DIALECT_OLLAMA_OUT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include <patchbay/event.h>

struct ol_render;

/* NULL: out of memory.  generate: /api/generate, else a chat. */
struct ol_render *ol_render_new(bool generate, bool stream, pbay_str model,
                                struct clock *clock, int64_t started_ms);
void ol_render_free(struct ol_render *r);
int ol_render_begin(struct ol_render *r, pbay_str model);
/* Appends what an event comes to.  Below 0: it cannot be shown. */
int ol_render_event(struct ol_render *r, const pbay_event *ev, struct buf *out);
/* The last line, or the whole object. */
int ol_render_end(struct ol_render *r, const pbay_usage *usage,
                  struct buf *out);
/* {"error":"..."}; the length, 0 if it does not fit. */
size_t ol_error_json(const struct err *e, char *dst, size_t room);
/* A time as Ollama writes it, in quotes. */
int ol_put_time(struct buf *b, int64_t wall_ms);

#endif
