/* SPDX-License-Identifier: MIT */
/* Name lookups on threads of their own, since getaddrinfo() blocks.
 *
 * One cache for the process.  Lookups of the same name are done once however
 * many wait for it; a name that is asked for again in the second half of its
 * time to live is looked up anew in the background, so that a busy name never
 * makes a request wait.  Failures are not kept.
 * resolver_start() and resolver_stop() are in http/transport.h.
 */
#ifndef PB_HTTP_RESOLVER_H
#define PB_HTTP_RESOLVER_H

#include "base/loop.h"

/* One that waits; gone after `done` or resolver_forget(). */
struct resolve_wait;

/* addrs: the addresses as CURLOPT_RESOLVE wants them,
 * "192.0.2.1,[2001:db8::1]"; NULL: the lookup failed, and why says so ("Name or
 * service not known").  Both until return.  [the waiting loop] */
typedef void resolve_done(void *arg, const char *addrs, int64_t ttl_ms,
                          const char *why);

/* Ask for the addresses of a name.  [loop]
 * 1: known; *addrs is malloc'd, *ttl_ms says how long it may be used.
 * 0: `done` will be called on the loop, not before this has returned.
 * -errno: neither (memory, too many names under way). */
int resolver_ask(struct loop *loop, const char *host, char **addrs,
                 int64_t *ttl_ms, resolve_done *done, void *arg,
                 struct resolve_wait **wait);
/* Do not call `done`.  All waits of a loop must be over or forgotten before it
 * is freed.  [the waiting loop] */
void resolver_forget(struct resolve_wait *wait);

/* Addresses of host into dst (n bytes): 0 or an EAI_ code.  Blocks. */
typedef int resolver_lookup(const char *host, char *dst, size_t n);
/* resolver_start() with another source, time to live and bound. */
int resolver_start_with(resolver_lookup *lookup, int64_t ttl_ms, size_t max);

#endif
