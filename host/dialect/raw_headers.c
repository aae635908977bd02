/* SPDX-License-Identifier: MIT */
/* Which of a client's headers stay here when it uses the raw door. */
#include "base/str.h"
#include "dialect/raw.h"

/* What belongs to this hop or to this host, what the transport sets, what would
 * ask for replies that cannot be shown (304, another coding), and what tells a
 * provider about the client's machine or browser. */
static const char *const dropped[] = {"connection",
                                      "keep-alive",
                                      "proxy-connection",
                                      "te",
                                      "trailer",
                                      "transfer-encoding",
                                      "upgrade",
                                      "expect",
                                      "host",
                                      "content-length",
                                      "content-type",
                                      "accept-encoding",
                                      "if-modified-since",
                                      "if-none-match",
                                      "if-range",
                                      "http2-settings",
                                      "forwarded",
                                      "via",
                                      "x-real-ip",
                                      "x-client-ip",
                                      "true-client-ip",
                                      "cf-connecting-ip",
                                      "origin",
                                      "referer",
                                      "content-encoding",
                                      "max-forwards",
                                      "date",
                                      "alt-used",
                                      "x-http-method-override",
                                      "x-http-method",
                                      "x-method-override"};

static const char *const prefixes[] = {"proxy-", "x-forwarded-", "sec-",
                                       "access-control-", "x-patchbay-"};

/* Part of a name that carries what proves who somebody is. */
static const char *const secret[] = {"authorization", "api-key", "apikey",
                                     "cookie",        "token",   "secret",
                                     "password",      "x-auth",  "credential"};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool at(pbay_str name, size_t from, const char *word)
{
    size_t n = strlen(word);

    if (n > name.n - from)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(name.p[from + i]) != word[i])
            return false;
    return true;
}

static bool holds(pbay_str name, const char *word)
{
    for (size_t i = 0; i < name.n; i++)
        if (at(name, i, word))
            return true;
    return false;
}

bool raw_drops(pbay_str name, pbay_str connection)
{
    if (!name.n)
        return true;
    for (size_t i = 0; i < sizeof(dropped) / sizeof(*dropped); i++)
        if (str_ieq(name, str_c(dropped[i])))
            return true;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (at(name, 0, prefixes[i]))
            return true;
    for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
        if (holds(name, secret[i]))
            return true;
    while (connection.p)
        if (str_ieq(str_trim(str_cut(&connection, ',')), name))
            return true;
    return false;
}
