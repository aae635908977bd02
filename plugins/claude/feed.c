/* SPDX-License-Identifier: MIT */
/* claude.so: the reply.  A record is looked at once: is it an error, a part of
 * an answer, or an item? */
#include <string.h>

#include "claude.h"

static pbay_str trim(pbay_str s)
{
    while (s.n && s.p[0] && strchr(" \t\r\n", s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && s.p[s.n - 1] && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Headers that an error must still know when the head is gone. */
static int kept(pbay_str name)
{
    static const char *const names[] = {"date", "retry-after", "retry-after-ms",
                                        "x-should-retry", "request-id"};
    static const char limits[] = "anthropic-ratelimit-";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cl_is(name, names[i]))
            return 1;
    return name.n > sizeof limits &&
           memcmp(name.p, limits, sizeof limits - 1) == 0;
}

#define KEPT_MAX 24

static void keep_head(struct claude *o, struct call *c, const pbay_head *head)
{
    pbay_kv *h = NULL;
    size_t n = 0;

    c->head = (pbay_head){.size = sizeof c->head, .status = head->status};
    for (size_t i = 0; i < head->n_headers && n < KEPT_MAX; i++) {
        if (!kept(head->headers[i].k))
            continue;
        if (!h)
            h = o->host->alloc(c->call, KEPT_MAX * sizeof *h);
        if (!h)
            break;
        h[n].k = cl_copy(o, c, head->headers[i].k);
        h[n].v = cl_copy(o, c, head->headers[i].v);
        n += h[n].k.n && h[n].v.n;
    }
    c->head.headers = h;
    c->head.n_headers = n;
}

pbay_rc cl_head(struct claude *o, struct call *c, pbay_head *head)
{
    c->framing = head->framing;
    keep_head(o, c, head);
    if (c->op == PBAY_OP_RAW)
        c->ends = pbay_ends_new(o->host, c->call, head);
    /* JSON where a stream was asked: the whole answer, so all of it is told. */
    if (c->op == PBAY_OP_CHAT && (c->flags & PBAY_RQ_STREAM) &&
        c->framing == PBAY_FRAME_WHOLE)
        c->want = cl_wants(c, PBAY_EV_TEXT) && !cl_wants(c, PBAY_EV_ANNOTATION)
                      ? ~PBAY_WANT(PBAY_EV_ANNOTATION)
                      : ~0u;
    return cl_wants(c, PBAY_EV_LIMITS) ? cl_limits(o, c, head) : PBAY_OK;
}

static pbay_rc read_record(struct claude *o, struct call *c,
                           const pbay_record *rec, pbay_str data)
{
    int stream = c->framing == PBAY_FRAME_SSE;
    pbay_str error;

    if (pbay_json_check(data, NULL) < 0)
        return stream && cl_is(rec->event, "error")
                   ? cl_error_body(o, c, data)
                   : cl_error(o, c, PBAY_E_PROTOCOL,
                              stream ? "an event of the reply is not JSON"
                                     : "the reply is not JSON");
    if (pbay_json_type(data) != 'o')
        return cl_error(o, c, PBAY_E_PROTOCOL,
                        "a part of the reply is no JSON object");
    error = pbay_json_get(data, "error");
    if ((error.n && pbay_json_type(error) != '0') ||
        pbay_json_is(pbay_json_get(data, "type"), "error") ||
        cl_is(rec->event, "error"))
        return cl_error_body(o, c, data);
    if (c->op != PBAY_OP_CHAT)
        return cl_items(o, c, data);
    return stream ? cl_event(o, c, data) : cl_message(o, c, data);
}

pbay_rc cl_feed(struct claude *o, struct call *c, const pbay_record *rec)
{
    pbay_str data = trim(rec->data);

    if (c->failed)
        return PBAY_FAIL;
    if (c->head.status >= 300 && c->head.status < 400)
        return cl_error_body(o, c,
                             CL("the provider sends us elsewhere; base_url "
                                "must be the address itself"));
    if (c->head.status < 200 || c->head.status > 299)
        return cl_error_body(o, c, data);
    if (c->op == PBAY_OP_RAW) {
        pbay_ends_feed(c->ends, rec->data);
        return cl_content(o, c);
    }
    /* A name without data, a keep-alive by another means. */
    if (c->framing == PBAY_FRAME_SSE && !data.n)
        return PBAY_OK;
    return read_record(o, c, rec, data);
}

/* The first event of a stream counts the input, the last one the output. */
static pbay_rc raw_usage(struct claude *o, struct call *c)
{
    pbay_rc rc = cl_usage(o, c, pbay_ends_find(c->ends, "usage", 0));

    return rc == PBAY_OK ? cl_usage(o, c, pbay_ends_find(c->ends, "usage", 1))
                         : rc;
}

pbay_rc cl_finish(struct claude *o, struct call *c, pbay_rc why)
{
    if (c->op == PBAY_OP_RAW)
        return why == PBAY_OK ? raw_usage(o, c) : PBAY_OK;
    if (c->failed || (why != PBAY_OK && why != PBAY_END))
        return PBAY_OK;
    return c->more ? PBAY_AGAIN : PBAY_OK;
}
