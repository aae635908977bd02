/* SPDX-License-Identifier: MIT */
/* ollama.so: the reply.  A record is looked at once: is it an error, or what
 * kind of answer? */
#include <string.h>

#include "ollama.h"

void ol_fields(pbay_str object, const pbay_str *names, pbay_str *values,
               size_t n)
{
    pbay_str key, value;
    size_t pos = 0;

    memset(values, 0, n * sizeof *values);
    while (pbay_json_next(object, &pos, &key, &value))
        for (size_t i = 0; i < n; i++)
            if (key.n == names[i].n && memcmp(key.p, names[i].p, key.n) == 0) {
                values[i] = value;
                break;
            }
}

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

static int refused(const struct call *c)
{
    return c->head.status < 200 || c->head.status > 299;
}

/* One of the models of a list is asked about. */
static int asks_details(const struct call *c)
{
    return c->op == PBAY_OP_LIST && c->step > 0 && !c->closing;
}

/* -------------------------------------------------------------------- head */

/* Headers that an error must still know when the head is gone.  Ollama sends
 * none of them; what stands in front of it may. */
static const char *const kept[] = {"date", "retry-after", "retry-after-ms",
                                   "x-request-id"};
#define KEPT (sizeof kept / sizeof *kept)

static pbay_str copy(struct ollama *o, struct call *c, pbay_str s)
{
    char *p = s.n ? o->host->alloc(c->call, s.n) : NULL;

    if (p)
        memcpy(p, s.p, s.n);
    return (pbay_str){p, p ? s.n : 0};
}

pbay_rc ol_head(struct ollama *o, struct call *c, pbay_head *head)
{
    pbay_kv *h = NULL;
    size_t n = 0;

    c->framing = head->framing;
    c->head = (pbay_head){.size = sizeof c->head, .status = head->status};
    if (c->op == PBAY_OP_RAW)
        c->ends = pbay_ends_new(o->host, c->call, head);
    for (size_t i = 0; i < KEPT; i++) {
        pbay_str v = pbay_header(head->headers, head->n_headers, kept[i]);
        if (v.n && !h)
            h = o->host->alloc(c->call, KEPT * sizeof *h);
        v = h ? copy(o, c, v) : (pbay_str){NULL, 0};
        if (v.n)
            h[n++] = (pbay_kv){{kept[i], strlen(kept[i])}, v};
    }
    c->head.headers = h;
    c->head.n_headers = n;
    /* JSON where a stream was asked: the whole answer, so all of it is told. */
    if ((c->flags & PBAY_RQ_STREAM) && c->framing == PBAY_FRAME_WHOLE)
        c->want = ~0u;
    return PBAY_OK;
}

/* ------------------------------------------------------------------ record */

static pbay_rc read_record(struct ollama *o, struct call *c, pbay_str data)
{
    pbay_str error;

    if (pbay_json_check(data, NULL) < 0)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        c->framing == PBAY_FRAME_NDJSON
                            ? "a line of the reply is not JSON"
                            : "the reply is not JSON");
    error = pbay_json_get(data, "error");
    if (!ol_absent(error))
        return ol_error_body(o, c, data);
    if (pbay_json_type(data) != 'o')
        return ol_error(o, c, PBAY_E_PROTOCOL, "the reply is no JSON object");
    switch (c->op) {
    case PBAY_OP_CHAT:
        return ol_answer(o, c, data);
    case PBAY_OP_EMBED:
        return ol_embeddings(o, c, data);
    case PBAY_OP_LIST:
        return c->step ? ol_show(o, c, data) : ol_tags(o, c, data);
    case PBAY_OP_SHOW:
        return ol_show(o, c, data);
    case PBAY_OP_PULL:
        return ol_progress(o, c, data);
    case PBAY_OP_PS:
        return ol_running(o, c, data);
    default:
        return ol_health(o, c, data);
    }
}

pbay_rc ol_feed(struct ollama *o, struct call *c, const pbay_record *rec)
{
    pbay_str data = trim(rec->data);

    if (c->failed)
        return PBAY_FAIL;
    c->seen = 1;
    /* One model that cannot be described does not hide the others. */
    if (refused(c) && asks_details(c))
        return PBAY_OK;
    if (c->head.status >= 300 && c->head.status < 400)
        return ol_error_body(o, c,
                             OL("the server sends us elsewhere; base_url must "
                                "be the address itself"));
    if (refused(c))
        return ol_error_body(o, c, data);
    if (c->op == PBAY_OP_RAW) {
        pbay_ends_feed(c->ends, rec->data);
        return ol_content(o, c);
    }
    if (c->op == PBAY_OP_DELETE || c->ended || c->closing)
        return PBAY_OK;
    return read_record(o, c, data);
}

/* ------------------------------------------------------------------- finish */

static pbay_rc next_detail(struct ollama *o, struct call *c)
{
    pbay_rc rc = PBAY_OK;

    if (asks_details(c)) {
        if (refused(c))
            rc = ol_plain_model(o, c);
        c->at++;
    }
    if (rc != PBAY_OK)
        return rc;
    if (c->at < c->n_pending)
        return PBAY_AGAIN;
    /* A call that ends with a refusal has failed, but a list does not fail with
     * its last model: end it with something that works. */
    if (!refused(c) || c->closing)
        return PBAY_OK;
    c->closing = 1;
    return PBAY_AGAIN;
}

pbay_rc ol_finish(struct ollama *o, struct call *c, pbay_rc why)
{
    if ((why != PBAY_OK && why != PBAY_END) || c->failed)
        return PBAY_OK;
    if (c->op == PBAY_OP_RAW)
        return ol_usage(o, c, pbay_ends_find(c->ends, "prompt_eval_count", 1),
                        pbay_ends_find(c->ends, "eval_count", 1), 0);
    if (c->op == PBAY_OP_PULL && !refused(c) && !c->ended)
        return ol_error(o, c, PBAY_E_PROTOCOL,
                        "the server ended the download before it was complete; "
                        "pull again, it goes on where it stopped");
    if (!c->seen && !refused(c) && c->op != PBAY_OP_CHAT &&
        c->op != PBAY_OP_DELETE && c->op != PBAY_OP_RAW)
        return ol_error(o, c, PBAY_E_PROTOCOL, "the reply is empty");
    if (c->op == PBAY_OP_LIST && (c->step > 0 || !refused(c)))
        return next_detail(o, c);
    return PBAY_OK;
}
