/* SPDX-License-Identifier: MIT */
/* SHA-256, hexadecimal, random bytes. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/log.h"
#include "base/sha256.h"

void sha256(pbay_str in, unsigned char out[32])
{
    unsigned n = 0;

    if (EVP_Digest(in.n ? in.p : "", in.n, out, &n, EVP_sha256(), NULL) == 1 &&
        n == 32)
        return;
    log_line(LOG_ERROR, "host", "OpenSSL can't compute SHA-256", LOG_END);
    log_stop();
    abort();
}

void sha256_hex(pbay_str in, char out[65])
{
    unsigned char digest[32];

    sha256(in, digest);
    hex(digest, sizeof(digest), out);
}

void hex(const unsigned char *in, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_parse(pbay_str in, unsigned char *out, size_t n)
{
    if (in.n != 2 * n)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        int high = digit(in.p[2 * i]), low = digit(in.p[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

int random_bytes(void *p, size_t n)
{
    unsigned char *at = p;

    while (n) {
        int some = n > INT_MAX ? INT_MAX : (int)n;

        if (RAND_bytes(at, some) != 1) {
            explicit_bzero(p, (size_t)(at - (unsigned char *)p) + n);
            return -EIO;
        }
        at += some;
        n -= (size_t)some;
    }
    return 0;
}
