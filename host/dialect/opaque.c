/* SPDX-License-Identifier: MIT */
/* A provider's blocks as base64, and back; see opaque.h. */
#include "dialect/opaque.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include <patchbay/json.h>

int opaque_wrap(pbay_str json, struct buf *b)
{
    size_t need = (json.n + 2) / 3 * 4;
    char *at;

    if (json.n > INT32_MAX / 2 || buf_addc(b, OPAQUE_MARK) < 0 ||
        !(at = buf_space(b, need + 1)))
        return -1;
    EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)json.p,
                    (int)json.n);
    buf_grew(b, need);
    return 0;
}

bool opaque_is(const char *text)
{
    return strncmp(text, OPAQUE_MARK, strlen(OPAQUE_MARK)) == 0;
}

struct json_object *opaque_unwrap(const char *text)
{
    const char *data = text + strlen(OPAQUE_MARK);
    size_t n = strlen(data);
    struct json_object *v = NULL;
    char *raw;
    int len;

    if (n > INT32_MAX / 2 || !(raw = malloc(n + 4)))
        return NULL;
    len = EVP_DecodeBlock((unsigned char *)raw, (const unsigned char *)data,
                          (int)n);
    while (len > 0 && n && data[n - 1] == '=') {
        len--;
        n--;
    }
    if (len > 0 &&
        js_parse(str_n(raw, (size_t)len), PBAY_JSON_DEPTH, &v, NULL) < 0)
        v = NULL;
    free(raw);
    return v;
}
