/* SPDX-License-Identifier: MIT */
/* The path of a raw call, made such that it stays below a provider's base URL
 * whoever reads it.  Pure.
 *
 * "/raw/NAME/files/x" is NAME and "/files/x".  Each part between slashes is
 * percent-decoded once, looked at, and encoded anew:
 *
 *   - "." and ".." are refused, also in front of ";" or as %2e; so are
 *     backslashes, control characters and NUL, bytes that are no UTF-8, a URL
 * in the place of a path, and what is encoded twice ("%252e");
 *   - several slashes become one; an encoded slash (%2F) stays encoded, and
 *     what stands on either side of it counts as a part, too;
 *   - everything that RFC 3986 has not as a character of a path is encoded.
 *
 * NAME and the "/raw/" in front of it must be written plainly. */
#ifndef PB_RAW_PATH_H
#define PB_RAW_PATH_H

#include <stdbool.h>

#include "base/arena.h"

/* path: percent-encoded, as it came.  0 with both in the arena or in path; -1
 * and *why, a sentence. */
int raw_path(pbay_str path, struct arena *a, pbay_str *provider, pbay_str *out,
             const char **why);
/* May a query go up?  Printable bytes of a URL only. */
bool raw_query_ok(pbay_str query);

#endif
