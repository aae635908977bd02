/* SPDX-License-Identifier: MIT */
/* The raw door: /raw/{provider}/... goes to the provider's base URL with the
 * provider's credentials, whatever the method and the body; the reply comes
 * back as it is.  What may pass in either direction is in README.md. */
#ifndef PB_RAW_H
#define PB_RAW_H

#include "dialect/dialog.h"

extern const struct dl_route raw_routes[];

/* The same for a path of that form, "/raw/NAME/...", in the place of the
 * request's own. */
void raw_open(struct dialog *x, pbay_str path);

/* A client's header that does not go up.  connection: the value of that header,
 * which may name further ones. */
bool raw_drops(pbay_str name, pbay_str connection);

#endif
