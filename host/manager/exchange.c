/* SPDX-License-Identifier: MIT */
/* Turning a codec's description into a request for the transport. */
#include "manager/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "module/backend.h"
#include <patchbay/json.h>

/* What the host sets itself, or what would let a plugin reshape the message. */
static const pbay_str reserved[] = {
    PBAY_LIT("host"),
    PBAY_LIT("content-length"),
    PBAY_LIT("transfer-encoding"),
    PBAY_LIT("connection"),
    PBAY_LIT("expect"),
    PBAY_LIT("accept-encoding"),
    PBAY_LIT("authorization"),
    PBAY_LIT("x-api-key"),
    PBAY_LIT("api-key"),
    PBAY_LIT("cookie"),
    PBAY_LIT("proxy-authorization"),
    PBAY_LIT("te"),
    PBAY_LIT("trailer"),
    PBAY_LIT("upgrade"),
    PBAY_LIT("keep-alive"),
};

static bool token(pbay_str s)
{
    static const char other[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                    (c >= 'a' && c <= 'z');
        if (!word && !memchr(other, c, sizeof(other) - 1))
            return false;
    }
    return s.n > 0;
}

static bool printable(pbay_str s, bool space)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 32 || c == 127 || (!space && c == ' '))
            return false;
    }
    return true;
}

static const char *base_url(const struct instance *inst, pbay_str base)
{
    const struct manifest *m = inst->cfg->manifest;

    if (!base.n)
        return inst->cfg->base_url;
    for (size_t i = 0; m && i < m->n_urls; i++)
        if (str_is(base, m->urls[i].name))
            return m->urls[i].url;
    return NULL;
}

/* A complaint with the thing it is about. */
static const char *named(struct arena *a, const char *what, pbay_str thing)
{
    pbay_str s;

    if (thing.n > 200)
        thing.n = 200;
    s = arena_printf(a, "%s: \"%.*s\"", what, STR_ARG(thing));
    return s.p ? s.p : what;
}

static int take_headers(const struct instance *inst, const pbay_exchange *x,
                        struct arena *a, struct tx_request *out,
                        const char **why)
{
    const struct cfg_provider *cfg = inst->cfg;
    pbay_kv *h = arena_alloc(a, sizeof(*h) * (x->n_headers + cfg->n_headers));
    size_t n = 0;

    if (!h) {
        *why = "out of memory";
        return -1;
    }
    for (size_t i = 0; i < x->n_headers; i++) {
        if (!token(x->headers[i].k) || !printable(x->headers[i].v, true)) {
            *why = named(a, "its plugin sets a header that is not well-formed",
                         x->headers[i].k);
            return -1;
        }
        for (size_t j = 0; j < sizeof(reserved) / sizeof(*reserved); j++)
            if (str_ieq(x->headers[i].k, reserved[j])) {
                *why = named(
                    a, "its plugin sets a header that is the host's to set",
                    x->headers[i].k);
                return -1;
            }
        h[n++] = x->headers[i];
    }
    for (size_t i = 0; i < cfg->n_headers; i++)
        h[n++] = cfg->headers[i];
    out->headers = h;
    out->n_headers = n;
    return 0;
}

static int take_auth(const struct secret *key, pbay_str auth,
                     struct tx_request *out, const char **why)
{
    pbay_str rest = auth, scheme = str_cut(&rest, ' ');

    if (!auth.n || !key)
        return 0;
    if (str_is(scheme, "bearer")) {
        out->auth_name = STR("Authorization");
        out->auth_prefix = STR("Bearer ");
    } else if (str_is(scheme, "header") && token(rest)) {
        out->auth_name = rest;
    } else {
        *why = "its plugin names an unknown way to authenticate";
        return -1;
    }
    out->auth = key;
    return 0;
}

/* A client's header of that name (raw calls) must not stand beside the key. */
static void drop_rivals(struct tx_request *out)
{
    pbay_kv *h = (pbay_kv *)(uintptr_t)out->headers;
    size_t n = 0;

    for (size_t i = 0; i < out->n_headers; i++)
        if (!str_ieq(h[i].k, out->auth_name))
            h[n++] = h[i];
    out->n_headers = n;
}

static int take_url(const char *base, pbay_str path, struct arena *a,
                    struct tx_request *out)
{
    size_t n = strlen(base);
    char *p = arena_bytes(a, n + path.n);

    if (!p)
        return -1;
    memcpy(p, base, n);
    if (path.n)
        memcpy(p + n, path.p, path.n);
    out->url = str_n(p, n + path.n);
    return 0;
}

int exchange_prepare(const struct instance *inst,
                     const struct backend_address *at, const pbay_exchange *x,
                     struct arena *a, struct tx_request *out, const char **why)
{
    const char *base = at && !x->base.n ? at->url : base_url(inst, x->base);

    memset(out, 0, sizeof(*out));
    if (!base) {
        *why = "no base_url is configured for it";
        return -1;
    }
    if (!token(x->method)) {
        *why = "its plugin names no HTTP method";
        return -1;
    }
    if ((x->path.n && x->path.p[0] != '/' && x->path.p[0] != '?') ||
        !printable(x->path, false) ||
        memchr(x->path.p ? x->path.p : "", '#', x->path.n)) {
        *why = named(a, "its plugin describes a path that is not well-formed",
                     exchange_shown(x->path));
        return -1;
    }
    out->method = x->method;
    if (take_url(base, x->path, a, out) < 0) {
        *why = "out of memory";
        return -1;
    }
    out->body = x->body;
    out->n_body = x->n_body;
    out->idempotent = x->flags & PBAY_X_IDEMPOTENT;
    out->max_head = LIM_REPLY_HEAD;
    if (take_headers(inst, x, a, out, why) < 0)
        return -1;
    if (take_auth(at ? at->key : inst->cfg->api_key, x->auth, out, why) < 0)
        return -1;
    if (out->auth_name.n)
        drop_rivals(out);
    return 0;
}

pbay_str exchange_shown(pbay_str url)
{
    return str_cut(&url, '?');
}

pbay_str exchange_model_config(const struct instance *inst, pbay_str model)
{
    pbay_str all = str_c(inst->cfg->model_config), key, value;
    size_t pos = 0;

    while (all.n && pbay_json_next(all, &pos, &key, &value) > 0)
        if (str_eq(key, model))
            return value;
    return STR("{}");
}
