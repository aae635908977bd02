/* SPDX-License-Identifier: MIT */
/* Running a codec over a transcript: the calls in their order, and a host that
 * takes back at once what it lent. */
#include "manager/codec_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/framing.h"
#include "manager/codec_events.h"
#include <patchbay/json.h>

#define LENT_AWAY 0xdb /* what lent memory holds when it is over */

struct driver {
    pbay_host host;
    const pbay_plugin *plugin;
    const pbay_codec *codec;
    void *inst;
    char logged[512]; /* the last line the plugin logged */
};

enum phase {
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_END,
    PHASE_OVER
};

/* What the plugin knows as struct pbay_call. */
struct driver_call {
    struct driver *d;
    const struct transcript *t;
    struct driver_how how;
    struct arena arena; /* the plugin's */
    struct arena own;
    void *state;
    pbay_request req;
    char *lent_body; /* the request's, until finish() */
    pbay_exchange x;
    struct buf exchange;
    struct events events;
    struct buf passed;
    struct framing framing;
    bool framed;
    enum phase phase;
    size_t step;     /* exchange of the transcript */
    struct buf body; /* of the reply, in the form asked for */
    size_t at;       /* bytes of it that were fed */
    size_t piece;    /* piece of the transcript, when fed as recorded */
    uint32_t reply_framing;
    int status;
    bool saw_end, broken, cut;
    bool passes; /* the reply goes to the client as it is */
    unsigned dropped;
};

static struct driver_call *of(const pbay_call *call)
{
    return (struct driver_call *)(uintptr_t)call;
}

static pbay_call *as_call(struct driver_call *c)
{
    return (pbay_call *)(void *)c;
}

/* --- the host that the plugin sees --------------------------------------- */

static const void *host_extension(const pbay_host *h, pbay_str id)
{
    (void)h;
    (void)id;
    return NULL;
}

static void host_log(const pbay_host *h, int32_t level, pbay_str msg)
{
    struct driver *d = h->priv;

    (void)level;
    snprintf(d->logged, sizeof(d->logged), "%.*s", STR_ARG(msg));
}

static void *host_alloc(pbay_call *call, size_t n)
{
    return arena_alloc(&of(call)->arena, n);
}

static pbay_rc host_emit(pbay_call *call, const pbay_event *ev)
{
    struct driver_call *c = of(call);

    if (c->how.stop_after && c->events.count >= c->how.stop_after)
        return PBAY_STOPPED;
    events_add(&c->events, ev);
    return PBAY_OK;
}

static int32_t host_cancelled(const pbay_call *call)
{
    const struct driver_call *c = of(call);

    return c->how.stop_after && c->events.count >= c->how.stop_after;
}

/* --- instances ----------------------------------------------------------- */

void driver_free(struct driver *d)
{
    if (!d)
        return;
    if (d->codec && d->plugin->destroy)
        d->plugin->destroy(d->inst);
    free(d);
}

struct driver *driver_new(const pbay_plugin *plugin, pbay_str config, char *err,
                          size_t room)
{
    static const pbay_str ext = PBAY_LIT(PBAY_EXT_CODEC);
    struct driver *d = calloc(1, sizeof(*d));

    if (!d) {
        snprintf(err, room, "out of memory");
        return NULL;
    }
    d->plugin = plugin;
    d->host = (pbay_host){.size = sizeof(d->host),
                          .abi_major = PBAY_ABI_MAJOR,
                          .abi_minor = PBAY_ABI_MINOR,
                          .priv = d,
                          .extension = host_extension,
                          .log = host_log,
                          .alloc = host_alloc,
                          .emit = host_emit,
                          .cancelled = host_cancelled};
    if (plugin->create(&d->host, config, &d->inst) != PBAY_OK) {
        snprintf(err, room, "the plugin made no instance: %s",
                 d->logged[0] ? d->logged : "it did not say why");
        driver_free(d);
        return NULL;
    }
    d->codec = plugin->extension ? plugin->extension(d->inst, ext) : NULL;
    if (!d->codec) {
        snprintf(err, room, "the plugin is no codec");
        if (plugin->destroy)
            plugin->destroy(d->inst);
        free(d);
        return NULL;
    }
    return d;
}

/* --- lending ------------------------------------------------------------- */

/* A copy with nothing behind it. */
static char *lend(pbay_str s)
{
    char *p = malloc(s.n ? s.n : 1);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static void take_back(char *p, size_t n)
{
    if (p && n)
        memset(p, LENT_AWAY, n);
    free(p);
}

/* --- build --------------------------------------------------------------- */

static int set_request(struct driver_call *c)
{
    const struct transcript *t = c->t;
    pbay_kv *members;
    int rc;

    c->lent_body = lend(t->request);
    members = arena_alloc(&c->own, LIM_MEMBERS * sizeof(*members));
    if (!c->lent_body || !members)
        return -ENOMEM;
    c->req = (pbay_request){.size = sizeof(c->req),
                            .op = t->op,
                            .flags = t->flags,
                            .want = c->how.no_wants ? 0 : t->want,
                            .id = STR("req_replay"),
                            .model = t->model,
                            .dialect = t->dialect,
                            .content_type = t->content_type,
                            .body = str_n(c->lent_body, t->request.n),
                            .method = t->method,
                            .path = t->path,
                            .query = t->query,
                            .model_config = STR("{}"),
                            .members = members};
    rc = pbay_json_members(c->req.body, members, LIM_MEMBERS, &c->req.n_members,
                           NULL);
    return rc < 0 && rc != PBAY_JSON_TYPE && t->request.n ? -EINVAL : 0;
}

static void write_exchange(struct driver_call *c)
{
    struct buf *b = &c->exchange, whole;

    buf_init(&whole, LIM_HTTP_BODY);
    buf_reset(b, LIM_KIB(4));
    buf_addc(b, "{\"exchange\":{\"method\":");
    buf_json(b, c->x.method);
    buf_addc(b, ",\"path\":");
    buf_json(b, c->x.path);
    buf_addc(b, ",\"headers\":[");
    for (size_t i = 0; i < c->x.n_headers; i++) {
        buf_addc(b, i ? ",[" : "[");
        buf_json(b, c->x.headers[i].k);
        buf_addc(b, ",");
        buf_json(b, c->x.headers[i].v);
        buf_addc(b, "]");
    }
    buf_addc(b, "]");
    for (size_t i = 0; i < c->x.n_body; i++)
        buf_add(&whole, c->x.body[i]);
    if (whole.n) {
        buf_addc(b, ",\"body\":");
        buf_json(b, buf_str(&whole));
    }
    if (buf_addc(b, "}}") < 0)
        c->events.oom = true;
    buf_done(&whole);
}

/* A body in a recording has lost its line ends. */
static bool same_body(const struct driver_call *c, pbay_str want)
{
    size_t k = 0;

    for (size_t i = 0; i < c->x.n_body; i++)
        for (size_t j = 0; j < c->x.body[i].n; j++) {
            char b = c->x.body[i].p[j];
            if (b == '\n' || b == '\r')
                continue;
            while (k < want.n && (want.p[k] == '\n' || want.p[k] == '\r'))
                k++;
            if (k == want.n || want.p[k++] != b)
                return false;
        }
    while (k < want.n && (want.p[k] == '\n' || want.p[k] == '\r'))
        k++;
    return k == want.n;
}

/* Is what the codec described what was sent then?  A recording may have more
 * headers (the configured ones) and a whole URL. */
static bool same_exchange(const struct driver_call *c,
                          const struct transcript_exchange *x)
{
    pbay_str path = x->path;

    if (!x->method.n)
        return true;
    if (str_starts(path, "http") && path.n >= c->x.path.n)
        path = str_n(path.p + path.n - c->x.path.n, c->x.path.n);
    if (!str_eq(x->method, c->x.method) || !str_eq(path, c->x.path))
        return false;
    for (size_t i = 0; i < c->x.n_headers; i++) {
        size_t k = 0;
        while (k < x->n_sent && !(str_ieq(x->sent[k].k, c->x.headers[i].k) &&
                                  str_eq(x->sent[k].v, c->x.headers[i].v)))
            k++;
        if (k == x->n_sent)
            return false;
    }
    return same_body(c, x->body);
}

static void over(struct driver_call *c, const char *how)
{
    char line[96];
    int n = snprintf(line, sizeof(line), "{\"end\":\"%s\"", how);

    if (c->t->flags & PBAY_RQ_PASS)
        n += snprintf(line + n, sizeof(line) - (size_t)n, ",\"dropped\":%u",
                      c->dropped);
    snprintf(line + n, sizeof(line) - (size_t)n, "}");
    events_line(&c->events, str_c(line));
    c->phase = PHASE_OVER;
}

static pbay_rc finish(struct driver_call *c, pbay_rc why)
{
    unsigned before = c->events.count;
    pbay_rc rc = PBAY_OK;

    if (c->d->codec->finish)
        rc = c->d->codec->finish(c->d->inst, c->state, as_call(c), why);
    if (why < 0 && c->events.count != before)
        events_violation(&c->events,
                         "finish() emits though the exchange failed");
    return rc;
}

static void build(struct driver_call *c)
{
    pbay_rc rc;

    memset(&c->x, 0, sizeof(c->x));
    c->x.size = sizeof(c->x);
    rc = c->d->codec->build(c->d->inst, c->state, as_call(c), &c->req, &c->x);
    if (rc < 0 || c->events.failed) {
        finish(c, PBAY_FAIL);
        over(c, rc == PBAY_NOSYS   ? "nosys"
                : c->events.failed ? "error"
                                   : "failed");
        return;
    }
    write_exchange(c);
    if (c->step >= c->t->n_exchanges || !c->t->exchanges[c->step].status) {
        finish(c, PBAY_FAIL);
        over(c, "truncated");
        return;
    }
    if (!same_exchange(c, &c->t->exchanges[c->step])) {
        events_violation(&c->events, "the exchange differs");
        events_line(&c->events, buf_str(&c->exchange));
    }
    c->phase = PHASE_HEAD;
}

/* --- the reply ----------------------------------------------------------- */

static uint32_t proposed(const struct driver_call *c,
                         const struct transcript_exchange *x)
{
    pbay_str type = STR_NONE;

    for (size_t i = 0; i < x->n_headers; i++)
        if (str_is(x->headers[i].k, "content-type"))
            type = x->headers[i].v;
    type = str_trim(str_cut(&type, ';'));
    if (c->x.framing == PBAY_FRAME_SSE || c->x.framing == PBAY_FRAME_NDJSON) {
        if (str_ieq(type, STR("application/json")))
            return PBAY_FRAME_WHOLE;
        if (str_ieq(type, STR("text/event-stream")))
            return PBAY_FRAME_SSE;
        if (str_ieq(type, STR("application/x-ndjson")))
            return PBAY_FRAME_NDJSON;
    }
    return c->x.framing;
}

/* The headers are lent for the call of head() alone. */
static pbay_rc give_head(struct driver_call *c,
                         const struct transcript_exchange *x, pbay_head *head)
{
    pbay_kv *h = calloc(x->n_headers + 1, sizeof(*h));
    pbay_rc rc;

    if (!h) {
        c->events.oom = true;
        return PBAY_NOMEM;
    }
    for (size_t i = 0; i < x->n_headers; i++) {
        h[i].k = str_n(lend(x->headers[i].k), x->headers[i].k.n);
        h[i].v = str_n(lend(x->headers[i].v), x->headers[i].v.n);
        c->events.oom |= !h[i].k.p || !h[i].v.p;
    }
    head->headers = h;
    head->n_headers = c->events.oom ? 0 : x->n_headers;
    rc = c->d->codec->head
             ? c->d->codec->head(c->d->inst, c->state, as_call(c), head)
             : PBAY_OK;
    for (size_t i = 0; i < x->n_headers; i++) {
        take_back((char *)(uintptr_t)h[i].k.p, h[i].k.n);
        take_back((char *)(uintptr_t)h[i].v.p, h[i].v.n);
    }
    take_back((char *)h, x->n_headers * sizeof(*h));
    return rc;
}

static void fill_body(struct driver_call *c,
                      const struct transcript_exchange *x)
{
    bool crlf = c->how.crlf && c->reply_framing == PBAY_FRAME_SSE;
    char before = 0;
    int rc = 0;

    buf_reset(&c->body, LIM_KIB(64));
    for (size_t i = 0; i < x->n_data; i++) {
        pbay_str s = x->data[i];
        if (!crlf) {
            rc |= buf_add(&c->body, s);
            continue;
        }
        for (size_t k = 0; k < s.n; k++) {
            if (s.p[k] == '\n' && before != '\r')
                rc |= buf_addc(&c->body, "\r");
            before = s.p[k];
            rc |= buf_add(&c->body, str_n(s.p + k, 1));
        }
    }
    c->events.oom |= rc < 0;
}

static void on_head(struct driver_call *c)
{
    const struct transcript_exchange *x = &c->t->exchanges[c->step];
    bool ok = x->status >= 200 && x->status < 300;
    pbay_head head = {.size = sizeof(head), .status = x->status};
    pbay_rc rc;

    head.framing = ok ? proposed(c, x) : (uint32_t)PBAY_FRAME_WHOLE;
    c->status = x->status;
    rc = give_head(c, x, &head);
    if (rc < 0 || c->events.failed) {
        finish(c, PBAY_FAIL);
        over(c, c->events.failed ? "error" : "failed");
        return;
    }
    if (!ok || head.framing > PBAY_FRAME_SSE)
        head.framing = PBAY_FRAME_WHOLE;
    c->reply_framing = head.framing;
    /* JSON for a stream is rendered as a stream, from its events. */
    c->passes = (c->t->flags & PBAY_RQ_PASS) &&
                (c->x.flags & PBAY_X_REPLY_PASS) && ok &&
                !(c->t->op == PBAY_OP_CHAT && (c->t->flags & PBAY_RQ_STREAM) &&
                  head.framing == PBAY_FRAME_WHOLE);
    framing_init(&c->framing, (int)head.framing,
                 ok ? LIM_REPLY : LIM_ERROR_BODY);
    c->framed = true;
    fill_body(c, x);
    c->phase = PHASE_BODY;
}

static int on_record(void *arg, pbay_str event, pbay_str data, pbay_str raw)
{
    struct driver_call *c = arg;
    pbay_record rec = {.size = sizeof(rec)};
    pbay_rc rc;

    if (c->saw_end)
        return 0;
    rec.event = str_n(lend(event), event.n);
    rec.data = str_n(lend(data), data.n);
    rc = rec.event.p && rec.data.p
             ? c->d->codec->feed(c->d->inst, c->state, as_call(c), &rec)
             : PBAY_NOMEM;
    take_back((char *)(uintptr_t)rec.event.p, event.n);
    take_back((char *)(uintptr_t)rec.data.p, data.n);
    if (rc < 0 || c->events.failed) {
        c->broken = true;
        return 1;
    }
    c->saw_end = rc == PBAY_END;
    if (rc == PBAY_DROP) {
        c->dropped++;
        if (!(c->t->flags & PBAY_RQ_PASS))
            events_violation(&c->events, "DROP without PBAY_RQ_PASS");
    } else if (c->passes && buf_add(&c->passed, raw) < 0) {
        c->events.oom = true;
    }
    return 0;
}

/* How many bytes come next; 0: none. */
static size_t next_piece(struct driver_call *c)
{
    const struct transcript_exchange *x = &c->t->exchanges[c->step];
    size_t left = c->body.n - c->at, n = c->how.piece;

    if (!n && !c->how.crlf && c->piece < x->n_data)
        n = x->data[c->piece++].n;
    if (!n || n > left)
        n = left;
    if (c->step + 1 == c->t->n_exchanges && c->how.cut != SIZE_MAX) {
        size_t until = c->how.cut > c->at ? c->how.cut - c->at : 0;
        if (n > until) {
            n = until;
            c->cut = true;
        }
    }
    return n;
}

static void on_body(struct driver_call *c)
{
    size_t n = next_piece(c);
    char *bytes;
    int rc = 0;

    if (n) {
        /* The framing gives records inside this piece: lent as well. */
        bytes = lend(str_n(buf_str(&c->body).p + c->at, n));
        rc = bytes ? framing_feed(&c->framing, str_n(bytes, n), on_record, c,
                                  NULL)
                   : -ENOMEM;
        take_back(bytes, n);
        c->at += n;
    }
    if (rc < 0)
        c->broken = true;
    if (c->broken || c->cut || c->at == c->body.n || c->saw_end)
        c->phase = PHASE_END;
}

/* A reply that the codec would not have: its own ERROR, or none. */
static void on_broken(struct driver_call *c)
{
    finish(c, PBAY_FAIL);
    over(c, c->events.failed ? "error" : "failed");
}

static bool whole(const struct driver_call *c, pbay_rc why, unsigned before)
{
    if (c->t->op != PBAY_OP_CHAT || why == PBAY_END)
        return true;
    if (c->reply_framing == PBAY_FRAME_WHOLE)
        return c->events.stops > 0;
    return c->events.stops > before;
}

static void next_step(struct driver_call *c)
{
    framing_done(&c->framing);
    c->framed = c->saw_end = c->broken = false;
    c->at = c->piece = 0;
    c->step++;
    c->req.step++;
    build(c);
}

/* The body is complete; what is left of the framing, and what it means. */
static void on_end(struct driver_call *c)
{
    const struct transcript_exchange *x = &c->t->exchanges[c->step];
    bool ok = c->status >= 200 && c->status < 300;
    /* Of a refusal a recording says what it was, not how its body ended. */
    bool cut =
        (c->cut && !c->how.clean) || (ok && x->end.n && !str_is(x->end, "ok"));
    unsigned before;
    pbay_rc rc;

    if (!c->broken && !c->saw_end && !cut)
        framing_end(&c->framing, on_record, c);
    if (c->broken) {
        on_broken(c);
        return;
    }
    if (cut && !c->saw_end) {
        finish(c, PBAY_FAIL);
        over(c, "truncated");
        return;
    }
    before = c->events.stops;
    rc = finish(c, c->saw_end ? PBAY_END : PBAY_OK);
    if (rc == PBAY_AGAIN && !c->events.failed)
        next_step(c);
    else if (c->events.failed)
        over(c, "error");
    else if (rc < 0 || !ok)
        over(c, "failed");
    else
        over(c, whole(c, c->saw_end ? PBAY_END : PBAY_OK, before)
                    ? "ok"
                    : "truncated");
}

/* --- calls --------------------------------------------------------------- */

static void call_free(struct driver_call *c)
{
    if (c->framed)
        framing_done(&c->framing);
    take_back(c->lent_body, c->t->request.n);
    take_back(c->state, c->state ? c->d->codec->state_size : 0);
    arena_done(&c->arena);
    arena_done(&c->own);
    buf_done(&c->exchange);
    buf_done(&c->body);
    buf_done(&c->passed);
    events_done(&c->events);
    free(c);
}

struct driver_call *driver_start(struct driver *d, const struct transcript *t,
                                 const struct driver_how *how)
{
    struct driver_call *c = calloc(1, sizeof(*c));
    size_t size = (d->codec->state_size + 15u) & ~(size_t)15;

    if (!c)
        return NULL;
    c->d = d;
    c->t = t;
    c->how = *how;
    arena_init(&c->arena, how->memory ? how->memory : LIM_CALL_ARENA);
    arena_init(&c->own, LIM_MIB(1));
    buf_init(&c->exchange, LIM_MIB(128));
    buf_init(&c->body, LIM_REPLY);
    buf_init(&c->passed, LIM_REPLY);
    events_init(&c->events, t->op);
    if (size) {
        c->state = aligned_alloc(16, size);
        if (c->state)
            memset(c->state, 0, size);
    }
    if ((size && !c->state) || set_request(c) == -ENOMEM) {
        call_free(c);
        return NULL;
    }
    build(c);
    return c;
}

bool driver_step(struct driver_call *c)
{
    switch (c->phase) {
    case PHASE_HEAD:
        on_head(c);
        break;
    case PHASE_BODY:
        on_body(c);
        break;
    case PHASE_END:
        on_end(c);
        break;
    case PHASE_OVER:
        break;
    }
    return c->phase != PHASE_OVER;
}

int driver_finish(struct driver_call *c, struct driver_result *out)
{
    int rc;

    if (c->phase != PHASE_OVER) {
        finish(c, PBAY_STOPPED);
        over(c, "cancelled");
    }
    events_flush(&c->events);
    rc = c->events.oom ? -ENOMEM : 0;
    if (out) {
        out->lines = c->events.lines;
        out->n = c->events.n;
        out->passed = c->passed;
        c->events.lines = NULL;
        c->events.n = 0;
        buf_init(&c->passed, 0);
    }
    call_free(c);
    return rc;
}

int driver_replay(struct driver *d, const struct transcript *t,
                  const struct driver_how *how, struct driver_result *out)
{
    struct driver_call *c = driver_start(d, t, how);

    if (!c)
        return -ENOMEM;
    while (driver_step(c))
        ;
    return driver_finish(c, out);
}

void driver_result_done(struct driver_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->lines[i]);
    free(r->lines);
    buf_done(&r->passed);
    memset(r, 0, sizeof(*r));
}

pbay_str driver_exchange(const struct driver_call *c)
{
    return buf_str(&c->exchange);
}
