/* SPDX-License-Identifier: MIT */
/* POST /v1/embeddings, /v1/moderations, /v1/images/generations: one request,
 * one whole reply, passed through or put together from vectors and items. */
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include <patchbay/json.h>

#define ITEMS_WANT                                          \
    (PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_VECTOR) | \
     PBAY_WANT(PBAY_EV_ITEM))

static void items_begin(void *arg, const struct call_head *h,
                        const struct call_report *r)
{
    struct dialog *x = arg;

    dl_route_headers(x, r);
    x->pass = h->pass;
    x->error_body = h->error_body;
    x->status = h->status;
    x->content_type = arena_dup(&x->req->arena, h->content_type);
    for (size_t i = 0; i < h->n_headers; i++)
        dl_add_header(x, h->headers[i].k.p, h->headers[i].v);
    /* What is not a stream is bounded by max_reply. */
    buf_init(&x->whole, h->pass && !h->stream ? SIZE_MAX / 4 : LIM_REPLY);
    if (x->pass && h->stream && x->stream) {
        dl_add_header(x, "content-type", x->content_type);
        http_reply_begin(x->req, 200, x->headers, x->n_headers);
        x->head_sent = true;
    }
}

static void items_bytes(void *arg, pbay_str raw)
{
    struct dialog *x = arg;

    if (x->head_sent)
        dl_write(x, raw);
    else if (buf_add(&x->whole, raw) < 0)
        x->lost = true;
}

static bool wants_base64(const struct dialog *x)
{
    return pbay_json_is(
        pbay_json_find(x->members, x->n_members, "encoding_format"), "base64");
}

/* Floats to base64 text; the wire's floats are little-endian. */
static int put_base64(struct buf *b, pbay_str f32)
{
    size_t need = (f32.n + 2) / 3 * 4;
    char *at;

    if (buf_addc(b, "\"") < 0 || !(at = buf_space(b, need + 1)))
        return -1;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    char *le = malloc(f32.n ? f32.n : 1);
    if (!le)
        return -1;
    for (size_t i = 0; i + 4 <= f32.n; i += 4)
        for (int j = 0; j < 4; j++)
            le[i + j] = f32.p[i + 3 - j];
    EVP_EncodeBlock((unsigned char *)at, (unsigned char *)le, (int)f32.n);
    free(le);
#else
    EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)f32.p,
                    (int)f32.n);
#endif
    buf_grew(b, need);
    return buf_addc(b, "\"");
}

static int put_floats(struct buf *b, pbay_str f32)
{
    int rc = buf_addc(b, "[");

    for (size_t i = 0; i + sizeof(float) <= f32.n && rc == 0;
         i += sizeof(float)) {
        float f;
        memcpy(&f, f32.p + i, sizeof(f));
        /* JSON has no word for what is not a number. */
        rc |= isfinite(f) ? buf_printf(b, i ? ",%.9g" : "%.9g", (double)f)
                          : buf_addc(b, i ? ",null" : "null");
    }
    return rc | buf_addc(b, "]");
}

/* Base64 text to floats, for a client that wants numbers. */
static int put_decoded(struct buf *b, pbay_str base64)
{
    unsigned char *raw = malloc(base64.n + 4);
    int n, rc = -1;

    if (!raw)
        return -1;
    n = EVP_DecodeBlock(raw, (const unsigned char *)base64.p, (int)base64.n);
    while (n > 0 && base64.n && base64.p[base64.n - 1] == '=') {
        n--;
        base64.n--;
    }
    if (n >= 0)
        rc = put_floats(b, str_n((char *)raw, (size_t)n));
    free(raw);
    return rc;
}

static int put_vector(struct dialog *x, const pbay_event *ev)
{
    struct buf *b = &x->whole;
    int rc = buf_printf(b,
                        "%s{\"object\":\"embedding\",\"index\":%u,"
                        "\"embedding\":",
                        b->n ? "," : "", ev->choice);

    if (ev->code == PBAY_VEC_F32)
        rc |=
            wants_base64(x) ? put_base64(b, ev->text) : put_floats(b, ev->text);
    else if (wants_base64(x))
        rc |= buf_json(b, ev->text);
    else
        rc |= put_decoded(b, ev->text);
    return rc | buf_addc(b, "}");
}

static void items_event(void *arg, const pbay_event *ev)
{
    struct dialog *x = arg;
    int rc = 0;

    if (ev->type == PBAY_EV_VECTOR) {
        rc = put_vector(x, ev);
    } else if (ev->type == PBAY_EV_ITEM) {
        if (x->whole.n)
            rc |= buf_addc(&x->whole, ",");
        rc |= buf_add(&x->whole, ev->json);
    }
    if (rc < 0)
        x->lost = true;
}

static void put_end(struct dialog *x, const struct call_report *r,
                    struct buf *b)
{
    unsigned long long in = r->usage.known & PBAY_U_INPUT ? r->usage.input : 0;
    long long now = (long long)(clock_wall(x->d->manager->loop->clock) / 1000);

    switch (x->op) {
    case PBAY_OP_EMBED:
        buf_addc(b, "{\"object\":\"list\",\"data\":[");
        buf_add(b, buf_str(&x->whole));
        buf_addc(b, "],\"model\":");
        buf_json(b, r->model_answered.n ? r->model_answered : r->model);
        buf_printf(b,
                   ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu"
                   "}}",
                   in, in);
        break;
    case PBAY_OP_MODERATE:
        buf_printf(b, "{\"id\":\"modr-%s\",\"model\":", x->id + 4);
        buf_json(b, r->model_answered.n ? r->model_answered : r->model);
        buf_addc(b, ",\"results\":[");
        buf_add(b, buf_str(&x->whole));
        buf_addc(b, "]}");
        break;
    default:
        buf_printf(b, "{\"created\":%lld,\"data\":[", now);
        buf_add(b, buf_str(&x->whole));
        buf_addc(b, "]}");
    }
}

static void end_ok(struct dialog *x, const struct call_report *r)
{
    struct buf b;
    struct err e;

    if (x->lost) {
        dl_lost(&e);
        dl_error(x, &e);
    } else if (x->head_sent) {
        http_reply_end(x->req);
    } else if (x->pass) {
        dl_add_header(x, "content-type", x->content_type);
        http_reply(x->req, x->status, x->headers, x->n_headers,
                   buf_str(&x->whole));
    } else {
        buf_init(&b, LIM_REPLY + LIM_MIB(1));
        put_end(x, r, &b);
        dl_json(x, 200, buf_str(&b));
        buf_done(&b);
    }
}

static void items_end(void *arg, const struct err *e,
                      const struct call_report *r)
{
    struct dialog *x = arg;

    x->call = NULL;
    if (e && x->instead && !x->head_sent && x->instead(x, e))
        return;
    if (!e || x->error_body) {
        end_ok(x, r);
    } else if (x->head_sent) {
        http_reply_abort(x->req);
    } else {
        x->n_headers = 0;
        dl_route_headers(x, r);
        dl_error(x, e);
    }
}

static const struct call_sink items_sink = {items_begin, items_bytes,
                                            items_event, items_end};

void oa_items(struct dialog *x)
{
    if (x->op == PBAY_OP_MODERATE)
        x->instead = oa_moderate_by_chat;
    dl_start(x, &items_sink, ITEMS_WANT);
}
