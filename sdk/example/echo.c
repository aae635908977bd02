/* SPDX-License-Identifier: MIT */
/* A small, complete provider: a codec for a server that repeats what it is
 * told, in pieces.
 *
 * Its protocol:   POST /echo  {"say":"..."}
 *            ->   {"piece":"..."}                   a line for each piece
 *                 {"done":true,"words":2}           the last line
 *                 or {"error":"..."} at any point
 *
 * Build it (README.md has the details):
 *   cc -shared -fPIC -fvisibility=hidden -o echo.so echo.c -lpatchbay-sdk
 */
#include <patchbay/json.h>
#include <patchbay/provider.h>
#include <patchbay/wire.h>

#include <stdlib.h>
#include <string.h>

#define MANIFEST                                                        \
    "{\"abi\":\"0.1\",\"id\":\"echo\",\"version\":\"1.0.0\","           \
    "\"license\":\"MIT\",\"name\":\"Echo\",\"kind\":\"codec\","         \
    "\"env\":{\"ECHO_URL\":\"base_url\",\"ECHO_KEY\":\"api_key\"},"     \
    "\"needs\":[\"base_url\"],"                                         \
    "\"models\":[{\"match\":\"echo-*\","                                \
    "\"capabilities\":[\"text\",\"chat\"]}],"                           \
    "\"keys\":[{\"name\":\"loud\",\"type\":\"bool\",\"default\":false," \
    "\"doc\":\"Ask the server to shout\"}]}"

PBAY_PLUGIN_NOTE(MANIFEST);

/* One for each provider block of the configuration; never changed after
 * create(), since calls of it run at once on several threads. */
struct echo {
    const pbay_host *host;
    int loud;
};

/* One for each attempt; the host zeroes it and gives it back every time. */
struct state {
    pbay_head head; /* status only: an error body is judged by it */
};

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct echo *e = calloc(1, sizeof *e);

    if (!e)
        return PBAY_NOMEM;
    e->host = host;
    e->loud = pbay_json_true(pbay_json_get(config, "loud"));
    *inst = e;
    return PBAY_OK;
}

/* The text of the last message; content in parts is more than echo can. */
static pbay_str last_content(const pbay_request *req)
{
    pbay_str list = pbay_json_find(req->members, req->n_members, "messages");
    pbay_str message, last = {NULL, 0};
    size_t pos = 0;

    while (pbay_json_next(list, &pos, NULL, &message))
        last = pbay_json_get(message, "content");
    return last;
}

static pbay_rc build(void *inst, void *st, pbay_call *call,
                     const pbay_request *req, pbay_exchange *x)
{
    static const pbay_kv headers[] = {
        {PBAY_LIT("Content-Type"), PBAY_LIT("application/json")},
        {PBAY_LIT("Accept"), PBAY_LIT("application/x-ndjson")}};
    struct echo *e = inst;
    pbay_str *body, text;

    (void)st;
    if (req->op != PBAY_OP_CHAT)
        return PBAY_NOSYS;
    text = last_content(req);
    if (pbay_json_type(text) != 's')
        return pbay_fail(e->host, call, PBAY_E_INVALID, "messages",
                         "the content of the last message must be a string");
    /* The body in pieces: the client's own text is not copied, only framed. */
    body = e->host->alloc(call, 3 * sizeof *body);
    if (!body)
        return PBAY_NOMEM;
    body[0] = (pbay_str)PBAY_LIT("{\"say\":");
    body[1] = text;
    body[2] = e->loud ? (pbay_str)PBAY_LIT(",\"loud\":true}")
                      : (pbay_str)PBAY_LIT("}");
    x->method = (pbay_str)PBAY_LIT("POST");
    x->path = (pbay_str)PBAY_LIT("/echo");
    x->auth = (pbay_str)PBAY_LIT("bearer"); /* the host knows the key */
    x->headers = headers;
    x->n_headers = sizeof headers / sizeof *headers;
    x->body = body;
    x->n_body = 3;
    x->framing = PBAY_FRAME_NDJSON;
    return PBAY_OK;
}

static pbay_rc head(void *inst, void *st, pbay_call *call, pbay_head *h)
{
    struct state *s = st;

    (void)inst;
    (void)call;
    s->head.size = sizeof s->head;
    s->head.status = h->status; /* its headers are lent for this call only */
    return PBAY_OK;
}

static pbay_rc fail(struct echo *e, struct state *s, pbay_call *call,
                    pbay_str body)
{
    pbay_error err = {.size = sizeof err};
    pbay_event ev = {.size = sizeof ev, .type = PBAY_EV_ERROR, .error = &err};

    pbay_error_body(e->host, call, &s->head, body, &err);
    e->host->emit(call, &ev);
    return PBAY_FAIL;
}

static pbay_rc done(struct echo *e, pbay_call *call, pbay_str line)
{
    pbay_event stop = {
        .size = sizeof stop, .type = PBAY_EV_STOP, .code = PBAY_STOP_END};
    pbay_usage usage = {.size = sizeof usage};
    pbay_event used = {
        .size = sizeof used, .type = PBAY_EV_USAGE, .usage = &usage};
    int64_t words;

    e->host->emit(call, &stop);
    if (pbay_json_i64(pbay_json_get(line, "words"), &words) == 0 &&
        words >= 0) {
        usage.output = (uint64_t)words;
        usage.known = PBAY_U_OUTPUT;
        e->host->emit(call, &used);
    }
    return PBAY_END;
}

static pbay_rc feed(void *inst, void *st, pbay_call *call,
                    const pbay_record *rec)
{
    struct echo *e = inst;
    struct state *s = st;
    pbay_str line = rec->data, piece;
    pbay_event ev = {.size = sizeof ev, .type = PBAY_EV_TEXT};

    if (s->head.status >= 300)
        return fail(e, s, call, line);
    if (pbay_json_check(line, NULL) < 0)
        return pbay_fail(e->host, call, PBAY_E_PROTOCOL, NULL,
                         "a line of the reply is not JSON");
    if (pbay_json_get(line, "error").n)
        return fail(e, s, call, line);
    if (pbay_json_true(pbay_json_get(line, "done")))
        return done(e, call, line);
    piece = pbay_json_get(line, "piece");
    if (pbay_json_type(piece) != 's')
        return PBAY_OK; /* a kind of line that came later: not ours */
    ev.text = pbay_text(e->host, call, piece);
    if (!ev.text.p)
        return PBAY_NOMEM;
    return e->host->emit(call, &ev);
}

static pbay_rc finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    (void)inst;
    (void)st;
    (void)call;
    (void)why;
    return PBAY_OK; /* without the "done" line the host says: truncated */
}

static const pbay_codec codec = {
    .size = sizeof codec,
    .state_size = sizeof(struct state),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT),
    .build = build,
    .head = head,
    .feed = feed,
    .finish = finish,
};

static const void *extension(void *inst, pbay_str id)
{
    (void)inst;
    if (id.n == strlen(PBAY_EXT_CODEC) &&
        memcmp(id.p, PBAY_EXT_CODEC, id.n) == 0)
        return &codec;
    return NULL;
}

static const pbay_plugin plugin = {
    .magic = PBAY_MAGIC,
    .size = sizeof plugin,
    .abi_major = PBAY_ABI_MAJOR,
    .abi_minor = PBAY_ABI_MINOR,
    .flags = PBAY_F_UNLOADABLE,
    .manifest = PBAY_LIT(MANIFEST),
    .create = create,
    .destroy = free,
    .extension = extension,
};

PBAY_EXPORT pbay_entry_fn PBAY_ENTRY(echo);

const pbay_plugin *PBAY_ENTRY(echo)(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major; /* we only know our own; the host compares */
    (void)host_minor;
    return &plugin;
}
