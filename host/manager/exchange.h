/* SPDX-License-Identifier: MIT */
/* From what a codec describes (pbay_exchange) to what the transport sends: URL,
 * credentials, configured headers, and the checks that keep a plugin from
 * setting what is the host's to set. */
#ifndef PB_EXCHANGE_H
#define PB_EXCHANGE_H

#include "base/arena.h"
#include "http/transport.h"
#include "manager/snapshot.h"

struct backend_address;

/* at: the process of this host that it goes to; NULL: none, it goes where the
 * configuration says.  0, or -1 with a sentence in *why.  Everything in *out lives in the arena, the
 * exchange or the instance's configuration. */
int exchange_prepare(const struct instance *inst,
                     const struct backend_address *at, const pbay_exchange *x,
                     struct arena *a, struct tx_request *out, const char **why);
/* A URL as it may be shown: without its query. */
pbay_str exchange_shown(pbay_str url);
/* The configured JSON object for one model; "{}" if there is none. */
pbay_str exchange_model_config(const struct instance *inst, pbay_str model);

#endif
