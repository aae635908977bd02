/* SPDX-License-Identifier: MIT */
/* What parse.c, chunked.c and curl_easy.c share: classes of bytes.  Constant;
 * any thread. */
#ifndef PB_HTTP_PARSE_INT_H
#define PB_HTTP_PARSE_INT_H

#include <stdbool.h>

/* tchar of RFC 9110 5.6.2; what a header's value may hold, obs-text aside;
 * URL bytes of RFC 3986 but '#'; those of a host and port. */
enum {
    HC_TOKEN = 1,
    HC_VALUE = 2,
    HC_TARGET = 4,
    HC_HOST = 8
};
#define HC_ALNUM (HC_TOKEN | HC_VALUE | HC_TARGET | HC_HOST)
extern const unsigned char http_class[256];

static inline bool http_is(char c, int classes)
{
    return (http_class[(unsigned char)c] & classes) != 0;
}

/* Bytes over 0x7f (obs-text) included. */
static inline bool http_is_value(char c)
{
    return (unsigned char)c >= 0x80 || http_is(c, HC_VALUE);
}

/* The value of a hexadecimal digit, -1 for anything else. */
int http_hex(char c);

#endif
