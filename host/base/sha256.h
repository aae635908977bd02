/* SPDX-License-Identifier: MIT */
/* SHA-256, hexadecimal, and random bytes, by OpenSSL.  No state.  [any thread]
 */
#ifndef PB_SHA256_H
#define PB_SHA256_H

#include <stddef.h>

#include <patchbay/types.h>

/* Ends the process with a log line when OpenSSL can't do it (out of memory, no
 * provider loaded): a digest that is not there must not pass for one. */
void sha256(pbay_str in, unsigned char out[32]);
/* The digest as 64 lower-case digits and a NUL. */
void sha256_hex(pbay_str in, char out[65]);
/* 2 * n lower-case digits and a NUL. */
void hex(const unsigned char *in, size_t n, char *out);
/* Digits of either case, exactly 2 * n of them; 0 or -EINVAL. */
int hex_parse(pbay_str in, unsigned char *out, size_t n);
/* Fit for keys.  0, or -EIO with p zeroed. */
int random_bytes(void *p, size_t n);

#endif
