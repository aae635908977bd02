/* SPDX-License-Identifier: MIT */
/* POST /v1/batch: {"requests":[{"custom_id","url","body"},..],
 * "max_concurrent":N}.  Each is a request from inside, with the rights of the
 * client's key; its result is a line as soon as it is there.  Nothing is kept
 * here: who leaves ends what is under way.  Batches that are to outlive that
 * are the command line's (`patchbay batch`), those of a provider behind the raw
 * door. */
#include "dialect/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include "http/inner.h"
#include <patchbay/json.h>

#define AT_ONCE     8 /* unless said otherwise */
#define AT_ONCE_MAX 64
#define ANSWER_MAX  LIM_MIB(16) /* of one request */
/* A line has to fit behind what the client has not yet read. */
#define LINE_MAX (LIM_OUT_MAX - LIM_MIB(8))

struct batch;

struct job {
    struct batch *batch;
    struct http_inner *inner; /* under way */
    struct dialect_inside inside;
    pbay_str id, url, body; /* id, body: JSON of the request */
    int status;
    bool lost, whole, waits; /* waits: to be told */
    char request_id[64];
    struct buf text;
};

struct batch {
    struct dialog *x;
    struct job *jobs; /* in the arena, like this */
    size_t n, next, running, waiting, done, failed, at_once;
    uint64_t input, output;
    bool slow; /* the client is */
    bool told;
};

static void go_on(struct batch *b);

/* --- results ------------------------------------------------------------- */

/* In one line: line feeds stand between values of JSON. */
static int put_body(struct buf *b, pbay_str text)
{
    size_t at = b->n;
    int rc;

    if (pbay_json_check(text, NULL) < 0)
        return buf_json(b, text);
    rc = buf_add(b, text);
    for (char *p = b->p + b->off; !rc && at < b->n; at++)
        if (p[at] == '\n' || p[at] == '\r')
            p[at] = ' ';
    return rc;
}

static void put_report(struct buf *b, const struct dialect_inside *in)
{
    const pbay_usage *u = &in->report.usage;

    buf_addc(b, ",\"patchbay\":{\"provider\":");
    buf_json(b, str_c(in->provider));
    buf_addc(b, ",\"model\":");
    buf_json(b, str_c(in->model));
    buf_printf(b, ",\"total_ms\":%lld,\"input_tokens\":",
               (long long)in->report.total_ms);
    if (u->known & PBAY_U_INPUT)
        buf_printf(b, "%llu,\"output_tokens\":", (unsigned long long)u->input);
    else
        buf_addc(b, "null,\"output_tokens\":");
    if (u->known & PBAY_U_OUTPUT)
        buf_printf(b, "%llu,\"cost\":", (unsigned long long)u->output);
    else
        buf_addc(b, "null,\"cost\":");
    if (u->known & PBAY_U_COST) {
        buf_printf(b, "{\"nano\":%lld,\"currency\":", (long long)u->cost_nano);
        buf_json(b, str_c(u->currency));
        buf_addc(b, "}}");
    } else {
        buf_addc(b, "null}");
    }
}

static int put_result(struct buf *b, struct job *j)
{
    buf_printf(b,
               "{\"index\":%zu,\"custom_id\":", (size_t)(j - j->batch->jobs));
    buf_add(b, j->id.n ? j->id : STR("null"));
    if (j->whole) {
        buf_printf(
            b, ",\"response\":{\"status_code\":%d,\"request_id\":", j->status);
        buf_json(b, str_c(j->request_id));
        buf_addc(b, ",\"body\":");
        if (put_body(b, buf_str(&j->text)) < 0)
            return -1;
        buf_addc(b, "},\"error\":null");
    } else {
        buf_addc(b, ",\"response\":null,\"error\":{\"code\":");
        buf_addc(b, j->lost ? "\"reply_too_large\",\"message\":\"the answer is "
                              "larger than a batch takes\"}"
                            : "\"broken_off\",\"message\":\"the answer broke "
                              "off\"}");
    }
    if (j->inside.reported)
        put_report(b, &j->inside);
    return buf_addc(b, "}\n");
}

static void write_line(struct batch *b, struct buf *line)
{
    if (http_reply_write(b->x->req, buf_str(line)) > LIM_OUT_HIGH)
        b->slow = true;
    buf_done(line);
}

static void tell(struct batch *b, struct job *j)
{
    struct buf line;

    j->waits = false;
    buf_init(&line, LINE_MAX);
    if (put_result(&line, j) < 0) {
        buf_reset(&line, LINE_MAX);
        j->whole = false;
        j->lost = true;
        put_result(&line, j);
    }
    b->failed += !j->whole || j->status < 200 || j->status > 299;
    buf_done(&j->text);
    write_line(b, &line);
}

/* Those that were over while the client was slow. */
static void tell_waiting(struct batch *b)
{
    for (size_t i = 0; b->waiting && !b->slow && i < b->next; i++)
        if (b->jobs[i].waits) {
            b->waiting--;
            tell(b, &b->jobs[i]);
        }
}

static void end_batch(struct batch *b)
{
    struct buf line;

    buf_init(&line, LIM_KIB(4));
    buf_printf(&line,
               "{\"object\":\"batch\",\"requests\":%zu,\"answered\":%zu,"
               "\"failed\":%zu,\"usage\":{\"input_tokens\":%llu,"
               "\"output_tokens\":%llu}}\n",
               b->n, b->n - b->failed, b->failed, (unsigned long long)b->input,
               (unsigned long long)b->output);
    write_line(b, &line);
    http_reply_end(b->x->req);
}

/* --- the sink of one ----------------------------------------------------- */

static void on_head(void *arg, int status, const pbay_kv *headers, size_t n)
{
    struct job *j = arg;

    j->status = status;
    for (size_t i = 0; i < n; i++)
        if (str_ieq(headers[i].k, STR("x-request-id"))) {
            pbay_str v = str_head(headers[i].v, sizeof(j->request_id) - 1);
            memcpy(j->request_id, v.p, v.n);
            j->request_id[v.n] = '\0';
        }
}

static size_t on_data(void *arg, pbay_str bytes)
{
    struct job *j = arg;

    if (buf_add(&j->text, bytes) < 0)
        j->lost = true;
    return 0;
}

static void job_over(struct job *j, bool whole)
{
    struct batch *b = j->batch;
    const pbay_usage *u = &j->inside.report.usage;

    j->inner = NULL;
    j->whole = whole && !j->lost;
    b->running--;
    b->done++;
    if (j->inside.reported) {
        b->input += u->known & PBAY_U_INPUT ? u->input : 0;
        b->output += u->known & PBAY_U_OUTPUT ? u->output : 0;
    }
    if (b->slow) {
        j->waits = true;
        b->waiting++;
    } else {
        tell(b, j);
    }
}

static void on_end(void *arg, bool whole)
{
    struct job *j = arg;

    job_over(j, whole);
    go_on(j->batch);
}

static const struct http_inner_sink sink = {on_head, on_data, on_end};

/* --- all of them --------------------------------------------------------- */

static void start_job(struct batch *b, struct job *j)
{
    static const pbay_kv type = {PBAY_LIT("content-type"),
                                 PBAY_LIT("application/json")};
    struct http_inner_request r = {.method = STR("POST"),
                                   .target = j->url,
                                   .headers = &type,
                                   .n_headers = 1,
                                   .body = j->body,
                                   .owner = &j->inside};
    char text[LIM_KIB(1)];
    const char *why;
    struct err e;

    buf_init(&j->text, ANSWER_MAX);
    b->running++;
    j->inner = http_inner_start(b->x->d->manager->loop, dialect_handle, b->x->d,
                                &r, &sink, j, &why);
    if (j->inner)
        return;
    err_clear(&e);
    err_set(&e, ERR_BAD_BODY, "%s", why);
    j->status = err_class(e.kind)->status;
    buf_add(&j->text, str_n(text, oa_error_json(NULL, &e, text, sizeof(text))));
    job_over(j, true);
}

static void go_on(struct batch *b)
{
    tell_waiting(b);
    while (b->next < b->n && b->running < b->at_once && !b->slow)
        start_job(b, &b->jobs[b->next++]);
    if (b->done < b->n || b->waiting || b->told)
        return;
    b->told = true;
    end_batch(b);
}

static void drain(struct dialog *x)
{
    struct batch *b = x->own;

    b->slow = false;
    go_on(b);
}

static void drop(struct dialog *x)
{
    struct batch *b = x->own;

    for (size_t i = 0; i < b->next; i++) {
        struct http_inner *inner = b->jobs[i].inner;
        b->jobs[i].inner = NULL;
        http_inner_free(inner);
        buf_done(&b->jobs[i].text);
    }
}

/* --- the request --------------------------------------------------------- */

/* Neither the raw door nor another batch. */
static bool url_ok(pbay_str url)
{
    return (str_starts(url, "/v1/") || str_starts(url, "/api/")) &&
           !str_starts(url, "/v1/batch");
}

/* What is wrong with a request; NULL: nothing. */
static const char *read_job(struct dialog *x, struct job *j, pbay_str v)
{
    pbay_str url = pbay_json_get(v, "url");
    pbay_str method = pbay_json_get(v, "method");
    char *p = arena_bytes(&x->req->arena, url.n + 1);
    int64_t n;

    j->id = pbay_json_get(v, "custom_id");
    j->body = pbay_json_get(v, "body");
    j->url = STR("/v1/chat/completions");
    j->inside.rights = x->rights;
    j->inside.key_name = x->key_name;
    if (pbay_json_type(v) != 'o')
        return "has to be an object";
    if (j->id.n && pbay_json_type(j->id) != 's')
        return "has a \"custom_id\" that is no text";
    if (method.n && !pbay_json_is(method, "POST"))
        return "has a \"method\" that is not \"POST\"";
    if (url.n) {
        n = p && pbay_json_type(url) == 's' ? pbay_json_unescape(url, p, url.n)
                                            : -1;
        j->url = n < 0 ? STR("") : str_n(p, (size_t)n);
    }
    if (!url_ok(j->url))
        return "has a \"url\" that is none of the API's below /v1/ or /api/, "
               "batches aside";
    if (pbay_json_type(j->body) != 'o')
        return "has no object as \"body\"";
    return pbay_json_true(pbay_json_get(j->body, "stream"))
               ? "asks for a stream, which has no place in a batch"
               : NULL;
}

static int read_list(struct dialog *x, struct batch *b, pbay_str list,
                     struct err *e)
{
    const char *why = NULL;
    size_t pos = 0;
    pbay_str v;

    while (pbay_json_type(list) == 'a' && pbay_json_next(list, &pos, NULL, &v))
        if (b->n++ == LIM_BATCH_HTTP)
            break;
    if (!b->n || b->n > LIM_BATCH_HTTP) {
        dl_bad(e, "requests", "invalid_value",
               "\"requests\" must be a list of 1 to %d requests",
               LIM_BATCH_HTTP);
        return -1;
    }
    b->jobs = arena_alloc(&x->req->arena, b->n * sizeof(*b->jobs));
    pos = 0;
    for (size_t i = 0; b->jobs && i < b->n && !why; i++) {
        b->jobs[i].batch = b;
        pbay_json_next(list, &pos, NULL, &v);
        why = read_job(x, &b->jobs[i], v);
        if (why)
            dl_bad(e, "requests", "invalid_value", "requests[%zu] %s", i, why);
    }
    if (!b->jobs)
        err_set(e, ERR_INTERNAL, "out of memory");
    return b->jobs && !why ? 0 : -1;
}

static int read_batch(struct dialog *x, struct batch *b, struct err *e)
{
    pbay_str v;
    int64_t n = AT_ONCE;

    if (dl_scan(x, e) < 0)
        return -1;
    for (size_t i = 0; i < x->n_members; i++)
        if (!str_is(x->members[i].k, "requests") &&
            !str_is(x->members[i].k, "max_concurrent")) {
            err_set(e, PBAY_E_INVALID,
                    "%.*s: there is no such field here; remove it",
                    STR_ARG(str_head(x->members[i].k, 64)));
            return -1;
        }
    v = pbay_json_find(x->members, x->n_members, "max_concurrent");
    if (v.n && (pbay_json_i64(v, &n) < 0 || n < 1 || n > AT_ONCE_MAX)) {
        dl_bad(e, "max_concurrent", "invalid_value",
               "\"max_concurrent\" must be a number of 1 to %d", AT_ONCE_MAX);
        return -1;
    }
    b->x = x;
    b->at_once = (size_t)n;
    return read_list(x, b, pbay_json_find(x->members, x->n_members, "requests"),
                     e);
}

static void batch(struct dialog *x, pbay_str body)
{
    struct batch *b = arena_alloc(&x->req->arena, sizeof(*b));
    struct err e;

    err_clear(&e);
    x->body = body;
    if (!b)
        err_set(&e, ERR_INTERNAL, "out of memory");
    /* However its URL was written. */
    else if (x->req->inner)
        err_set(&e, PBAY_E_INVALID, "a batch has no place in a batch");
    if (e.kind || read_batch(x, b, &e) < 0) {
        dl_error(x, &e);
        return;
    }
    x->own = b;
    x->drop = drop;
    x->drain = drain;
    dl_add_header(x, "x-request-id", str_c(x->id));
    dl_add_header(x, "content-type", STR("application/x-ndjson"));
    http_reply_begin(x->req, 200, x->headers, x->n_headers);
    go_on(b);
}

const struct dl_route bt_routes[] = {
    {.method = "POST",
     .path = "/v1/batch",
     .right = RIGHT_CHAT,
     .form = &oa_form,
     .take = batch},
    {.method = NULL},
};
