/* SPDX-License-Identifier: MIT */
/* OpenAI's language: the reply.  A record is looked at once: is it an error,
 * the end mark, or what kind of answer? */
#include <string.h>

#include "oai.h"

/* The members of a reply or chunk that mean something here. */
struct view {
    pbay_str id, model, choices, usage, error, groq, object, message, detail;
};

void oai_fields(pbay_str object, const pbay_str *names, pbay_str *values,
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

/* 0, or below: the record is not JSON. */
static int view(pbay_str data, struct view *v)
{
    static const pbay_str names[] = {
        PBAY_LIT("id"),     PBAY_LIT("model"),   PBAY_LIT("choices"),
        PBAY_LIT("usage"),  PBAY_LIT("error"),   PBAY_LIT("x_groq"),
        PBAY_LIT("object"), PBAY_LIT("message"), PBAY_LIT("detail")};
    pbay_str f[sizeof names / sizeof *names];

    int rc = pbay_json_pick(data, names, f, sizeof f / sizeof *f, NULL);

    *v = (struct view){f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]};
    return rc;
}

static int is_null(pbay_str value)
{
    return !value.n || pbay_json_type(value) == '0';
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

static int is_text(pbay_str s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* -------------------------------------------------------------------- head */

/* Headers that an error must still know when the head is gone. */
static const pbay_str kept[] = {PBAY_LIT("date"),
                                PBAY_LIT("retry-after"),
                                PBAY_LIT("retry-after-ms"),
                                PBAY_LIT("x-should-retry"),
                                PBAY_LIT("x-request-id"),
                                PBAY_LIT("request-id"),
                                PBAY_LIT("apim-request-id"),
                                PBAY_LIT("x-generation-id"),
                                PBAY_LIT("x-ratelimit-remaining"),
                                PBAY_LIT("x-ratelimit-reset"),
                                PBAY_LIT("x-ratelimit-remaining-requests"),
                                PBAY_LIT("x-ratelimit-reset-requests"),
                                PBAY_LIT("x-ratelimit-remaining-tokens"),
                                PBAY_LIT("x-ratelimit-reset-tokens")};
#define KEPT (sizeof kept / sizeof *kept)

static pbay_str copy(struct openai *o, struct call *c, pbay_str s)
{
    char *p = s.n ? o->host->alloc(c->call, s.n) : NULL;

    if (p)
        memcpy(p, s.p, s.n);
    return (pbay_str){p, p ? s.n : 0};
}

/* Its place in `kept`, or KEPT. */
static size_t place_of(pbay_str name)
{
    size_t i = 0;

    while (i < KEPT &&
           !(kept[i].n == name.n && memcmp(kept[i].p, name.p, name.n) == 0))
        i++;
    return i;
}

static void keep_head(struct openai *o, struct call *c, const pbay_head *head)
{
    pbay_kv *h = NULL;
    size_t n = 0;

    c->head = (pbay_head){.size = sizeof c->head, .status = head->status};
    for (size_t i = 0; i < head->n_headers && n < KEPT; i++) {
        size_t k = place_of(head->headers[i].k);
        pbay_str v;
        if (k == KEPT)
            continue;
        if (!h)
            h = o->host->alloc(c->call, KEPT * sizeof *h);
        v = h ? copy(o, c, head->headers[i].v) : (pbay_str){NULL, 0};
        if (v.n)
            h[n++] = (pbay_kv){kept[k], v};
    }
    c->head.headers = h;
    c->head.n_headers = n;
}

static void put_number(pbay_out *w, const char *name, int64_t v, int *any)
{
    pbay_out_cstr(w, *any ? ",\"" : "\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_i64(w, v);
    *any = 1;
}

/* One of "requests" and "tokens", if the head says anything about it; dash: what
 * stands behind the part of a header's name. */
static int put_limits(pbay_out *w, const pbay_head *head, const char *what,
                      const char *dash, int any)
{
    static const char *const parts[] = {"limit", "remaining", "reset"};
    int inside = 0;

    for (size_t i = 0; i < 3; i++) {
        char name[48] = "x-ratelimit-";
        pbay_str text;
        int64_t v;
        strcat(name, parts[i]);
        strcat(name, dash);
        text = pbay_header(head->headers, head->n_headers, name);
        if (i < 2 ? pbay_json_i64(text, &v) < 0 || v < 0
                  : (v = pbay_reset(head->headers, head->n_headers, text)) < 0)
            continue;
        if (!inside) {
            pbay_out_cstr(w, any ? ",\"" : "\"");
            pbay_out_cstr(w, what);
            pbay_out_cstr(w, "\":{");
        }
        put_number(w, i < 2 ? parts[i] : "reset_ms", v, &inside);
    }
    if (inside)
        pbay_out_cstr(w, "}");
    return inside;
}

static pbay_rc limits(struct openai *o, struct call *c, const pbay_head *head)
{
    char text[512];
    pbay_out w = {.p = text, .room = sizeof text};
    pbay_event ev = {.type = PBAY_EV_LIMITS};
    int any;

    pbay_out_cstr(&w, "{");
    any = put_limits(&w, head, "requests", "-requests", 0) ||
          put_limits(&w, head, "requests", "", 0);
    any |= put_limits(&w, head, "tokens", "-tokens", any);
    pbay_out_cstr(&w, "}");
    ev.json = (pbay_str){w.p, w.n};
    return any && !w.failed ? oai_emit(o, c, &ev) : PBAY_OK;
}

pbay_rc oai_head(struct openai *o, struct call *c, pbay_head *head)
{
    c->framing = head->framing;
    keep_head(o, c, head);
    if (c->op == PBAY_OP_RAW)
        c->more = pbay_ends_new(o->host, c->call, head);
    /* JSON where a stream was asked: the whole answer, so all of it is told. */
    if ((c->flags & PBAY_RQ_STREAM) && c->framing == PBAY_FRAME_WHOLE)
        c->want = ~0u;
    return oai_wants(c, PBAY_EV_LIMITS) ? limits(o, c, head) : PBAY_OK;
}

/* -------------------------------------------------------------------- chat */

/* Is it an error in one of the shapes that have no `error` member? */
static int bare_error(const struct view *v)
{
    if (v->choices.n)
        return 0;
    return pbay_json_is(v->object, "error") || !is_null(v->detail) ||
           pbay_json_type(v->message) == 's';
}

/* Without going through its first item. */
static int empty_list(pbay_str list)
{
    pbay_str inside;

    if (pbay_json_type(list) != 'a')
        return 0;
    inside = trim((pbay_str){list.p + 1, list.n - 1});
    return inside.n == 1; /* the bracket */
}

static pbay_rc answer(struct openai *o, struct call *c, const struct view *v)
{
    pbay_str usage = v->usage;
    pbay_rc rc = oai_begin(o, c, v->id, v->model);

    if (rc == PBAY_OK)
        rc = oai_choices(o, c, v->choices);
    if (rc != PBAY_OK)
        return rc;
    if (is_null(usage))
        usage = pbay_json_get(v->groq, "usage");
    rc = oai_usage(o, c, usage);
    /* The chunk we asked for and the client did not. */
    if (rc == PBAY_OK && (c->flags & PBAY_RQ_PASS) && c->usage_added &&
        pbay_json_type(v->usage) == 'o' && empty_list(v->choices))
        return PBAY_DROP;
    return rc;
}

static pbay_rc feed_chat(struct openai *o, struct call *c, pbay_str data,
                         const struct view *v)
{
    int whole = c->framing == PBAY_FRAME_WHOLE;
    pbay_rc rc;

    if (bare_error(v))
        return oai_error_body(o, c, data);
    if (whole && (pbay_json_type(v->choices) != 'a' || empty_list(v->choices)))
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the reply is no chat completion: it has no choices");
    rc = answer(o, c, v);
    if (rc == PBAY_OK && whole) {
        rc = oai_stops(o, c);
        c->ended = 1;
    }
    return rc;
}

static pbay_rc end_mark(struct openai *o, struct call *c)
{
    pbay_rc rc = PBAY_OK;

    if (c->op == PBAY_OP_CHAT) {
        if (!c->choices)
            return oai_error(o, c, PBAY_E_PROTOCOL,
                             "the reply ended without an answer");
        rc = oai_stops(o, c);
    }
    c->ended = 1;
    return rc == PBAY_OK ? PBAY_END : rc;
}

/* ------------------------------------------------------------------ record */

static pbay_rc read_record(struct openai *o, struct call *c,
                           const pbay_record *rec, pbay_str data)
{
    struct view v;

    if (view(data, &v) < 0)
        return rec->event.n && is_text(rec->event, "error")
                   ? oai_error_body(o, c, data)
                   : oai_error(o, c, PBAY_E_PROTOCOL,
                               c->framing == PBAY_FRAME_SSE
                                   ? "an event of the reply is not JSON"
                                   : "the reply is not JSON");
    if (!is_null(v.error) || is_text(rec->event, "error"))
        return oai_error_body(o, c, data);
    if (!is_null(pbay_json_get(v.groq, "error")))
        return oai_error_body(o, c, v.groq);
    if (c->op != PBAY_OP_CHAT)
        return oai_items(o, c, data);
    if (pbay_json_type(data) == 'a') /* [{"error":{..}}] */
        return oai_error_body(o, c, data);
    if (pbay_json_type(data) != 'o')
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "a part of the reply is no JSON object");
    return feed_chat(o, c, data, &v);
}

pbay_rc oai_feed(struct openai *o, struct call *c, const pbay_record *rec)
{
    pbay_str data = trim(rec->data);

    if (c->failed)
        return PBAY_FAIL;
    if (c->head.status >= 300 && c->head.status < 400)
        return oai_error_body(o, c,
                              OA("the provider sends us elsewhere; base_url "
                                 "must be the address itself"));
    if (c->head.status < 200 || c->head.status > 299)
        return oai_error_body(o, c, data);
    if (c->op == PBAY_OP_RAW) {
        pbay_ends_feed(c->more, rec->data);
        return oai_content(o, c);
    }
    if (c->other_form)
        return data.n ? o->hooks->record(o, c, rec, data) : PBAY_OK;
    if (c->framing == PBAY_FRAME_SSE) {
        if (is_text(data, "[DONE]"))
            return end_mark(o, c);
        /* A name without data, a keep-alive by another means. */
        if (!data.n)
            return PBAY_OK;
    }
    return read_record(o, c, rec, data);
}

pbay_rc oai_finish(struct openai *o, struct call *c, pbay_rc why)
{
    struct choice *ch;

    if (c->op == PBAY_OP_RAW)
        return why == PBAY_OK
                   ? oai_usage(o, c, pbay_ends_find(c->more, "usage", 1))
                   : PBAY_OK;
    if (c->again && (why == PBAY_OK || why == PBAY_END) && !c->failed) {
        c->again = 0;
        return PBAY_AGAIN;
    }
    if (why != PBAY_OK || c->failed || c->ended)
        return PBAY_OK;
    if (c->op == PBAY_OP_IMAGE && c->framing == PBAY_FRAME_SSE && !c->images)
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the stream ended before an image was complete");
    if (c->op != PBAY_OP_CHAT || !o->end_at_finish || !c->choices)
        return PBAY_OK;
    /* The end of the stream is the end mark, if every choice was finished. */
    for (ch = c->choices; ch; ch = ch->next)
        if (!ch->held_stop)
            return PBAY_OK;
    return oai_stops(o, c);
}
