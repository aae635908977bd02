/* SPDX-License-Identifier: MIT */
/* Running a codec over recorded bytes, without network and host: what
 * `patchbay replay` and the tests of codecs use.
 *
 * The driver is a host of its own for the plugin, and a strict one: what the
 * plugin was lent is overwritten and given back to the system as soon as the
 * ABI says so, and every rule of the ABI that the plugin breaks is a line of
 * the result.
 *
 * The result is a list of lines, each a JSON object, in the order of events:
 *
 *   {"ev":"begin","id":"..","name":".."}     members that are zero or empty
 *   {"ev":"text","choice":1,"text":".."}     are left out
 *   {"ev":"stop","why":"tool","name":"tool_calls"}
 *   {"ev":"usage","input":20,"output":9}     only what is known
 *   {"ev":"error","kind":"rate","scope":"model","status":429,...}
 *   {"ev":"vector","form":"f32","values":[0.5,-1]}
 *   {"violation":"..."}                      a rule of the ABI was broken
 *   {"end":"ok"}                             always the last: ok, truncated,
 *                                            error, nosys, failed
 *
 * Consecutive text, reasoning and refusal events of one choice are one line, as
 * are consecutive fragments of one tool call.  With the flag "pass", the last
 * line also counts the records that the codec kept from the client:
 * {"end":"ok","dropped":1}.
 *
 * One thread at a time for a driver and its calls.
 */
#ifndef PB_CODEC_DRIVER_H
#define PB_CODEC_DRIVER_H

#include <stdbool.h>

#include "base/buf.h"
#include "manager/transcript.h"
#include <patchbay/provider.h>

struct driver;
struct driver_call;

/* How the recorded bytes reach the codec. */
struct driver_how {
    size_t piece; /* bytes at a time; 0: as recorded */
    bool crlf;    /* line ends of an event stream become CRLF */
    size_t cut;   /* after so many bytes of the last reply it breaks off;
                   * SIZE_MAX: it does not */
    bool clean;   /* with cut: the body just ends there, as if complete */
    unsigned stop_after; /* emit() says PBAY_STOPPED after so many; 0: never */
    size_t memory; /* what the plugin may have for the call; 0: as a host */
    bool no_wants; /* only what is always wanted; not as the transcript says */
};
#define DRIVER_AS_RECORDED ((struct driver_how){.cut = SIZE_MAX})

struct driver_result {
    char **lines;
    size_t n;
    /* What a client would have been passed (flag "pass"). */
    struct buf passed;
};

/* "text" for PBAY_EV_TEXT; "" for an unknown number. */
const char *driver_event_name(uint32_t type);

/* An instance of the plugin; config is the JSON object of its own keys (a key
 * without a value gets no default here).  NULL and a sentence in err. */
struct driver *driver_new(const pbay_plugin *plugin, pbay_str config, char *err,
                          size_t room);
void driver_free(struct driver *d);

/* The whole of a transcript.  0, or -ENOMEM. */
int driver_replay(struct driver *d, const struct transcript *t,
                  const struct driver_how *how, struct driver_result *out);
void driver_result_done(struct driver_result *r);

/* The same in steps, so that calls can run side by side.  The transcript must
 * outlive the call.  NULL: out of memory. */
struct driver_call *driver_start(struct driver *d, const struct transcript *t,
                                 const struct driver_how *how);
/* One step (a head, a piece of the body, the end).  False: it is over. */
bool driver_step(struct driver_call *c);
/* Ends it if it is not over (as a cancelled call), gives the result if out is
 * not NULL, and frees it.  0, or -ENOMEM. */
int driver_finish(struct driver_call *c, struct driver_result *out);

/* What the codec described for the first exchange, as the line "exchange" of a
 * transcript; empty before. */
pbay_str driver_exchange(const struct driver_call *c);

#endif
