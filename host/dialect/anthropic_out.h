/* SPDX-License-Identifier: MIT */
/* Events to Anthropic messages, streamed or whole, and errors in Anthropic's
 * form. Source: https://docs.anthropic.com/en/api/messages-streaming and
 * .../errors.
 *
 * Blocks are open one at a time, in order.  Fragments of a tool call that come
 * while another block is open are kept and follow whole.  A block that must
 * come back unchanged goes out as it is where it is one of Anthropic's, else as
 * redacted_thinking with its bytes inside (opaque.h).
 *
 * One answer, one thread. */
#ifndef PB_DIALECT_ANTHROPIC_OUT_H
#define PB_DIALECT_ANTHROPIC_OUT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "dialect/follow.h"
#include <patchbay/event.h>

struct an_render;

/* NULL: out of memory.  id: of the request, used where the provider names none
 * for its reply; model: as asked, likewise. */
struct an_render *an_render_new(bool stream, pbay_str id, pbay_str model);
void an_render_free(struct an_render *r);
/* Once, first: the reply's id and model if known; message_start when streamed.
 */
int an_render_begin(struct an_render *r, pbay_str id, pbay_str model,
                    struct buf *out);
/* In place of an_render_begin(): go on from that place.  Below 0: one cannot. */
int an_render_resume(struct an_render *r, const struct an_place *at);
/* Appends what an event comes to.  Below 0: it cannot be shown. */
int an_render_event(struct an_render *r, const pbay_event *ev, struct buf *out);
/* The end of the stream, or the whole message. */
int an_render_end(struct an_render *r, const pbay_usage *usage,
                  struct buf *out);
/* {"type":"error",...}; the length, 0 if it does not fit. */
size_t an_error_json(const struct err *e, const char *request_id, char *dst,
                     size_t room);

#endif
