/* SPDX-License-Identifier: MIT */
/* claude.so: content parts of the canonical request as Claude's blocks. */
#include <stdio.h>
#include <string.h>

#include "body.h"

/* A data URI: its media type, and its base64 as it stands in the JSON string
 * (escapes untouched). */
struct data_uri {
    char type[64];
    pbay_str base64;
};

void body_cache(struct body *b, pbay_str from)
{
    pbay_str v = pbay_json_get(from, "cache_control");

    if (pbay_json_type(v) != 'o')
        return;
    body_put(b, ",\"cache_control\":");
    body_raw(b, v);
}

void body_text(struct body *b, pbay_str text, pbay_str from, int any)
{
    body_put(b, any ? ",{\"type\":\"text\",\"text\":"
                    : "{\"type\":\"text\",\"text\":");
    body_raw(b, text);
    body_cache(b, from);
    body_put(b, "}");
}

static int prefix_is(pbay_str value, const char *prefix)
{
    char text[32];
    size_t pos = 0, n = strlen(prefix), k;

    k = pbay_json_unescape_part(value, &pos, text, sizeof text);
    return k >= n && memcmp(text, prefix, n) == 0;
}

/* 1: it is one, and base64; 0: no data URI; -1: one that is not base64. */
static int data_uri(pbay_str value, struct data_uri *u)
{
    const char *comma;
    char raw[128], head[128];
    pbay_str before;
    size_t n = 0;
    int64_t k;

    if (!prefix_is(value, "data:"))
        return 0;
    comma = memchr(value.p, ',', value.n);
    if (!comma || comma - value.p > 100)
        return -1;
    /* The part before the comma as a JSON string of its own. */
    memcpy(raw, value.p, (size_t)(comma - value.p));
    raw[comma - value.p] = '"';
    before = (pbay_str){raw, (size_t)(comma - value.p) + 1};
    k = pbay_json_unescape(before, head, sizeof head);
    if (k < 5 + 7 || memcmp(head + k - 7, ";base64", 7) != 0)
        return -1;
    while (n + 1 < sizeof u->type && 5 + n < (size_t)k && head[5 + n] != ';') {
        u->type[n] = head[5 + n];
        n++;
    }
    u->type[n] = 0;
    u->base64 =
        (pbay_str){comma + 1, (size_t)(value.p + value.n - 1 - (comma + 1))};
    return 1;
}

static int is_web(pbay_str url)
{
    return prefix_is(url, "https://") || prefix_is(url, "http://");
}

/* `{"type":KIND,"source":{"type":"base64",..}}`, open for more members. */
static void base64_block(struct body *b, const char *kind, const char *type,
                         pbay_str data)
{
    body_put(b, "{\"type\":\"");
    body_put(b, kind);
    body_put(b, "\",\"source\":{\"type\":\"base64\",\"media_type\":\"");
    body_put(b, type);
    body_put(b, "\",\"data\":\"");
    body_raw(b, data);
    body_put(b, "\"}");
}

static void ref_block(struct body *b, const char *kind, const char *by,
                      const char *name, pbay_str value)
{
    body_put(b, "{\"type\":\"");
    body_put(b, kind);
    body_put(b, "\",\"source\":{\"type\":\"");
    body_put(b, by);
    body_put(b, "\",\"");
    body_put(b, name);
    body_put(b, "\":");
    body_raw(b, value);
    body_put(b, "}");
}

/* ------------------------------------------------------------------- images */

static const char *image_type(const char *type)
{
    static const char *const known[] = {"image/jpeg", "image/png", "image/gif",
                                        "image/webp"};

    if (strcmp(type, "image/jpg") == 0)
        return known[0];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(type, known[i]) == 0)
            return known[i];
    return NULL;
}

/* "auto" and "high" are what Claude does anyway. */
static void image_detail(struct body *b, pbay_str detail, const char *param)
{
    char name[96];

    if (is_null(detail) || pbay_json_is(detail, "auto") ||
        pbay_json_is(detail, "high"))
        return;
    snprintf(name, sizeof name, "%s.image_url.detail", param);
    body_unsupported(b, name, "make the image smaller");
}

static int image(struct body *b, pbay_str part, const char *param, int any)
{
    pbay_str image = pbay_json_get(part, "image_url");
    pbay_str url =
        pbay_json_type(image) == 's' ? image : pbay_json_get(image, "url");
    struct data_uri u;
    int is = pbay_json_type(url) == 's' ? data_uri(url, &u) : -1;

    if (pbay_json_type(image) == 'o')
        image_detail(b, pbay_json_get(image, "detail"), param);
    if (is == 1 && !image_type(u.type)) {
        body_refuse(b, param,
                    "Claude takes images of image/jpeg, image/png, image/gif "
                    "and image/webp only; convert it");
        return 0;
    }
    if (is < 0 || (is == 0 && !is_web(url))) {
        body_refuse(b, param,
                    "image_url.url must be an http(s) URL or a data URI with "
                    "base64: data:image/png;base64,...");
        return 0;
    }
    body_put(b, any ? "," : "");
    if (is)
        base64_block(b, "image", image_type(u.type), u.base64);
    else
        ref_block(b, "image", "url", "url", url);
    body_cache(b, part);
    body_put(b, "}");
    return 1;
}

/* ---------------------------------------------------------------- documents */

static int file(struct body *b, pbay_str part, const char *param, int any)
{
    pbay_str file = pbay_json_get(part, "file"), name;
    pbay_str data = pbay_json_get(file, "file_data");
    pbay_str id = pbay_json_get(file, "file_id");
    struct data_uri u = {.type = ""};
    int is = pbay_json_type(data) == 's' ? data_uri(data, &u) : 0;

    if (pbay_json_type(data) == 's' &&
        (is != 1 || strcmp(u.type, "application/pdf") != 0) &&
        !(is == 0 && is_web(data))) {
        body_refuse(b, param,
                    "file.file_data must be a PDF as a data URI "
                    "(data:application/pdf;base64,...) or the http(s) URL of "
                    "one; send other files as text");
        return 0;
    }
    if (pbay_json_type(data) != 's' && pbay_json_type(id) != 's') {
        body_refuse(b, param,
                    "a file part needs file.file_data or "
                    "file.file_id");
        return 0;
    }
    body_put(b, any ? "," : "");
    if (is)
        base64_block(b, "document", u.type, u.base64);
    else if (pbay_json_type(data) == 's')
        ref_block(b, "document", "url", "url", data);
    else
        ref_block(b, "document", "file", "file_id", id);
    name = pbay_json_get(file, "filename");
    if (pbay_json_type(name) == 's' && name.n > 2) {
        body_put(b, ",\"title\":");
        body_raw(b, name);
    }
    body_cache(b, part);
    body_put(b, "}");
    return 1;
}

/* -------------------------------------------------------------------- parts */

int body_part(struct body *b, pbay_str part, const char *param, int any)
{
    pbay_str type = pbay_json_get(part, "type"), text;

    if (pbay_json_is(type, "text") || pbay_json_is(type, "refusal")) {
        text = pbay_json_get(part,
                             pbay_json_is(type, "text") ? "text" : "refusal");
        if (pbay_json_type(text) != 's') {
            body_refuse(b, param, "a text part needs a text");
            return 0;
        }
        if (text.n == 2)
            return 0; /* Claude refuses empty texts; nothing is lost */
        body_text(b, text, part, any);
        return 1;
    }
    if (pbay_json_is(type, "image_url"))
        return image(b, part, param, any);
    if (pbay_json_is(type, "file"))
        return file(b, part, param, any);
    if ((pbay_json_is(type, "image") || pbay_json_is(type, "document")) &&
        pbay_json_type(pbay_json_get(part, "source")) == 'o') {
        body_put(b, any ? "," : "");
        body_raw(b, part); /* a block of Claude's own */
        return 1;
    }
    body_unsupported(b, param,
                     "use parts of type text, image_url or file in its place");
    return 0;
}
