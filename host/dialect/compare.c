/* SPDX-License-Identifier: MIT */
/* POST /v1/compare: one chat to several models, side by side.
 *
 * The body is that of a chat in OpenAI's form, with these members of its own:
 *
 *   models           the models' names, 1 to COMPARE_MAX, in place of `model`
 *   prompt           a text, in place of `messages`
 *   max_concurrent   so many are asked at once (COMPARE_AT_ONCE)
 *   stream           false: one answer at the end; true: events as they come
 *
 * stream_options says nothing here, each answer has its usage.  The rest goes
 * to every model. */
#include "dialect/compare.h"

#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "manager/compare.h"
#include <patchbay/json.h>

/* --- what is asked ------------------------------------------------------- */

static int read_models(struct dialog *x, pbay_str **models, size_t *n,
                       struct err *e)
{
    pbay_str list = pbay_json_find(x->members, x->n_members, "models"), v;
    size_t pos = 0;

    *models = arena_alloc(&x->req->arena, COMPARE_MAX * sizeof(**models));
    for (*n = 0; *models && pbay_json_type(list) == 'a' &&
                 pbay_json_next(list, &pos, NULL, &v) > 0;
         (*n)++) {
        char *p =
            *n < COMPARE_MAX ? arena_bytes(&x->req->arena, v.n + 1) : NULL;
        int64_t len =
            p && pbay_json_type(v) == 's' ? pbay_json_unescape(v, p, v.n) : -1;
        if (len <= 0) {
            *n = 0;
            break;
        }
        (*models)[*n] = str_n(p, (size_t)len);
    }
    if (*n)
        return 0;
    dl_bad(e, "models", "invalid_value",
           "\"models\" must be a list of 1 to %d names of models", COMPARE_MAX);
    return -1;
}

static int read_at_once(struct dialog *x, size_t *out, struct err *e)
{
    pbay_str v = pbay_json_find(x->members, x->n_members, "max_concurrent");
    int64_t n = 0;

    *out = 0;
    if (!v.p || pbay_json_type(v) == '0')
        return 0;
    if (pbay_json_i64(v, &n) < 0 || n < 1 || n > COMPARE_MAX) {
        dl_bad(e, "max_concurrent", "invalid_value",
               "\"max_concurrent\" must be a number of 1 to %d", COMPARE_MAX);
        return -1;
    }
    *out = (size_t)n;
    return 0;
}

static bool is_own(pbay_str name)
{
    static const char *const own[] = {"models", "model",
                                      "prompt", "max_concurrent",
                                      "stream", "stream_options"};

    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (str_is(name, own[i]))
            return true;
    return false;
}

/* The chat that every model gets. */
static int make_chat(struct dialog *x, struct err *e)
{
    pbay_str prompt = pbay_json_find(x->members, x->n_members, "prompt"), chat;
    bool has = pbay_json_find(x->members, x->n_members, "messages").p != NULL;
    bool stream = x->stream;
    struct buf b;
    int rc;

    if (has == (pbay_json_type(prompt) == 's')) {
        dl_bad(e, has ? "prompt" : "messages", "invalid_value",
               "either \"messages\" or a text as \"prompt\" is wanted");
        return -1;
    }
    buf_init(&b, LIM_HTTP_BODY * 2);
    rc = buf_addc(&b, "{\"stream\":true");
    for (size_t i = 0; i < x->n_members && !rc; i++) {
        const pbay_kv *m = &x->members[i];
        if (is_own(m->k))
            continue;
        rc = buf_printf(&b, ",\"%.*s\":", STR_ARG(m->k)) | buf_add(&b, m->v);
    }
    if (!has)
        rc |= buf_addc(&b, ",\"messages\":[{\"role\":\"user\",\"content\":") |
              buf_add(&b, prompt) | buf_addc(&b, "}]");
    rc |= buf_addc(&b, "}");
    chat = rc ? STR_NONE : arena_dup(&x->req->arena, buf_str(&b));
    buf_done(&b);
    if (!chat.p) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    rc = oa_read_body(x, chat, e);
    x->stream = stream;
    return rc;
}

/* --- what comes ---------------------------------------------------------- */

static void pause_all(struct dialog *x, bool on)
{
    if (x->own)
        compare_pause(x->own, on);
}

static void send_event(struct dialog *x, struct buf *b)
{
    if (http_reply_write(x->req, buf_str(b)) > LIM_OUT_HIGH)
        pause_all(x, true);
    buf_done(b);
}

static void on_text(void *arg, size_t i, pbay_str text)
{
    struct dialog *x = arg;
    struct buf b;

    if (!x->stream)
        return;
    buf_init(&b, LIM_REPLY);
    buf_printf(&b, "data: {\"index\":%zu,\"type\":\"text\",\"text\":", i);
    buf_json(&b, text);
    buf_addc(&b, "}\n\n");
    send_event(x, &b);
}

static void on_answer(void *arg, size_t i, const struct compare_answer *a)
{
    struct dialog *x = arg;
    struct buf b;

    if (!x->stream)
        return;
    buf_init(&b, LIM_MIB(1));
    buf_printf(&b, "data: {\"index\":%zu,\"type\":\"end\",", i);
    compare_put(&b, a, false);
    buf_addc(&b, "}\n\n");
    send_event(x, &b);
}

static void on_over(void *arg)
{
    struct dialog *x = arg;
    struct buf b;

    if (x->stream) {
        http_reply_write(x->req, STR("data: [DONE]\n\n"));
        http_reply_end(x->req);
        return;
    }
    buf_init(&b, COMPARE_MAX * (COMPARE_TEXT * 6 + LIM_MIB(1)));
    buf_addc(&b, "{\"object\":\"comparison\",\"id\":");
    buf_json(&b, str_c(x->id));
    buf_addc(&b, ",\"results\":[");
    for (size_t i = 0; i < compare_count(x->own); i++) {
        buf_printf(&b, "%s{\"index\":%zu,", i ? "," : "", i);
        compare_put(&b, compare_answer(x->own, i), true);
        buf_addc(&b, "}");
    }
    if (buf_addc(&b, "]}") < 0) {
        struct err e;
        dl_lost(&e);
        dl_error(x, &e);
    } else {
        dl_json(x, 200, buf_str(&b));
    }
    buf_done(&b);
}

static const struct compare_sink sink = {on_text, on_answer, on_over};

static void drained(struct dialog *x)
{
    pause_all(x, false);
}

static void gone(struct dialog *x)
{
    compare_free(x->own);
    x->own = NULL;
}

/* --- the request --------------------------------------------------------- */

static int read_body(struct dialog *x, pbay_str body, pbay_str **models,
                     size_t *n, size_t *at_once, struct err *e)
{
    bool named;

    x->body = body;
    if (dl_scan(x, e) < 0 || dl_read_bool(x, "stream", &x->stream, e) < 0)
        return -1;
    if (pbay_json_find(x->members, x->n_members, "model").p) {
        dl_bad(e, "model", "invalid_value",
               "\"models\", a list, takes the place of \"model\" here");
        return -1;
    }
    named = pbay_json_find(x->members, x->n_members, "fallbacks").p != NULL;
    if (named || http_header(x->req->head, "x-patchbay-route").n) {
        dl_bad(e, named ? "fallbacks" : "x-patchbay-route", "invalid_value",
               "a comparison asks the models it names; name a route as one of "
               "them");
        return -1;
    }
    if (read_models(x, models, n, e) < 0 || read_at_once(x, at_once, e) < 0)
        return -1;
    return make_chat(x, e);
}

static void compare(struct dialog *x, pbay_str body)
{
    struct call_request r;
    pbay_str *models = NULL;
    size_t n = 0, at_once = 0;
    struct err e;

    err_clear(&e);
    if (read_body(x, body, &models, &n, &at_once, &e) < 0 ||
        dl_request(x, &r, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    r.dialect = STR("canonical/1");
    r.translate = NULL;
    x->own = compare_start(x->d->manager, &r, models, n, at_once, !x->stream,
                           &sink, x);
    dl_add_header(x, "x-request-id", str_c(x->id));
    if (!x->own) {
        err_set(&e, ERR_INTERNAL, "out of memory");
        dl_error(x, &e);
        return;
    }
    x->drop = gone;
    x->drain = drained;
    if (x->stream) {
        dl_add_header(x, "content-type", STR("text/event-stream"));
        dl_add_header(x, "cache-control", STR("no-cache"));
        http_reply_begin(x->req, 200, x->headers, x->n_headers);
    }
}

const struct dl_route cmp_routes[] = {
    {.method = "POST",
     .path = "/v1/compare",
     .op = PBAY_OP_CHAT,
     .right = RIGHT_CHAT,
     .form = &oa_form,
     .take = compare},
    {.method = NULL},
};
