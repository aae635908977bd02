/* SPDX-License-Identifier: MIT */
/* Calls that come by the control socket: events as lines, then a report. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/control_int.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "manager/count.h"
#include "manager/embed.h"
#include <patchbay/json.h>

static void put_text(struct buf *b, const char *name, pbay_str v)
{
    if (!v.n)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, v);
}

static const char *stop_name(uint32_t code)
{
    static const char *const names[] = {"end",    "end",   "length", "tool",
                                        "filter", "pause", "context"};
    return code < sizeof(names) / sizeof(*names) ? names[code] : "end";
}

static void put_usage(struct buf *b, const pbay_usage *u)
{
    const char *sep = "";

    if (!u->known) {
        buf_addc(b, "null");
        return;
    }
    buf_addc(b, "{");
#define FIELD(bit, name, field)                   \
    if (u->known & (bit)) {                       \
        buf_printf(b, "%s\"" name "\":%llu", sep, \
                   (unsigned long long)u->field); \
        sep = ",";                                \
    }
    FIELD(PBAY_U_INPUT, "input", input)
    FIELD(PBAY_U_OUTPUT, "output", output)
    FIELD(PBAY_U_CACHE_READ, "cache_read", cache_read)
    FIELD(PBAY_U_CACHE_WRITE, "cache_write", cache_write)
    FIELD(PBAY_U_REASONING, "reasoning", reasoning)
#undef FIELD
    if (u->known & PBAY_U_COST) {
        buf_printf(b, "%s\"cost_nano\":%lld,\"currency\":", sep,
                   (long long)u->cost_nano);
        buf_json(b, str_c(u->currency));
        sep = ",";
    }
    buf_printf(b, "%s\"estimated\":%s}", sep,
               u->flags & PBAY_U_ESTIMATED ? "true" : "false");
}

static void call_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    struct ctl_conn *c = arg;
    struct buf b;

    buf_init(&b, LIM_MIB(1));
    buf_addc(&b, "{\"event\":\"begin\"");
    put_text(&b, "id", h->reply_id);
    put_text(&b, "model", h->model.n ? h->model : r->model);
    put_text(&b, "provider", str_c(r->provider));
    buf_addc(&b, "}");
    ctl_send(c, buf_str(&b));
    buf_done(&b);
}

static void call_bytes(void *arg, pbay_str raw)
{
    (void)arg;
    (void)raw; /* never: these calls ask for events */
}

static void put_vector(struct buf *b, const pbay_event *ev)
{
    size_t need = (ev->text.n + 2) / 3 * 4;
    char *at;

    buf_addc(b, ",\"base64\":\"");
    if (ev->code == PBAY_VEC_BASE64) {
        buf_add(b, ev->text);
    } else if ((at = buf_space(b, need + 1)) != NULL) {
        EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)ev->text.p,
                        (int)ev->text.n);
        buf_grew(b, need);
    }
    buf_addc(b, "\"");
}

static const char *event_name(uint32_t type)
{
    switch (type) {
    case PBAY_EV_TEXT:
        return "text";
    case PBAY_EV_REASONING:
        return "reasoning";
    case PBAY_EV_REFUSAL:
        return "refusal";
    case PBAY_EV_CALL:
        return "call";
    case PBAY_EV_VECTOR:
        return "vector";
    case PBAY_EV_ITEM:
        return "item";
    case PBAY_EV_USAGE:
        return "usage";
    case PBAY_EV_STOP:
        return "stop";
    case PBAY_EV_WARNING:
        return "warning";
    default:
        return NULL;
    }
}

static void call_event(void *arg, const pbay_event *ev)
{
    struct ctl_conn *c = arg;
    const char *name = event_name(ev->type);
    struct buf b;

    if (!name)
        return;
    buf_init(&b, LIM_CTL_LINE);
    buf_printf(&b, "{\"event\":\"%s\"", name);
    switch (ev->type) {
    case PBAY_EV_ITEM:
        put_text(&b, "name", ev->name);
        if (pbay_json_check(ev->json, NULL) == 0) {
            buf_addc(&b, ",\"json\":");
            buf_add(&b, ev->json);
        }
        break;
    case PBAY_EV_USAGE:
        buf_addc(&b, ",\"usage\":");
        put_usage(&b, ev->usage);
        break;
    case PBAY_EV_WARNING:
        put_text(&b, "field", ev->name);
        put_text(&b, "text", ev->text);
        break;
    default:
        buf_printf(&b, ",\"choice\":%u", ev->choice);
        if (ev->type == PBAY_EV_CALL)
            buf_printf(&b, ",\"index\":%u", ev->index);
        put_text(&b, "id", ev->id);
        put_text(&b, "name", ev->name);
        if (ev->type == PBAY_EV_STOP)
            buf_printf(&b, ",\"reason\":\"%s\"", stop_name(ev->code));
        if (ev->type == PBAY_EV_VECTOR)
            put_vector(&b, ev);
        else
            put_text(&b, "text", ev->text);
    }
    buf_addc(&b, "}");
    ctl_send(c, buf_str(&b));
    buf_done(&b);
}

void ctl_put_report(struct buf *b, const struct call_report *r)
{
    buf_addc(b, "{\"request_id\":");
    buf_json(b, r->id);
    buf_addc(b, ",\"provider\":");
    buf_json(b, str_c(r->provider));
    buf_addc(b, ",\"model\":");
    buf_json(b, r->model);
    put_text(b, "model_answered", r->model_answered);
    buf_addc(b, ",\"reason\":");
    buf_json(b, str_c(r->reason));
    buf_printf(b,
               ",\"attempts\":%u,\"first_ms\":%lld,\"total_ms\":%lld,"
               "\"usage\":",
               r->attempts, (long long)r->first_ms, (long long)r->total_ms);
    put_usage(b, &r->usage);
    buf_addc(b, "}");
}

static void relisted(void *arg)
{
    (void)arg;
}

/* Nobody counts: then the host does, by estimate.  False: it may not. */
static bool estimate(struct ctl_conn *c, const struct err *e)
{
    struct buf b;

    if (c->op != PBAY_OP_COUNT || !count_may_estimate(e))
        return false;
    buf_init(&b, LIM_KIB(1));
    buf_printf(&b,
               "{\"event\":\"item\",\"name\":\"count\",\"json\":{"
               "\"input_tokens\":%llu,\"estimated\":true}}",
               (unsigned long long)tokens_of_chat(c->members, c->n_members));
    ctl_send(c, buf_str(&b));
    buf_done(&b);
    ctl_ok(c, STR("{\"report\":null}"));
    return true;
}

static void call_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct ctl_conn *c = arg;
    struct buf b;

    c->call = NULL;
    if (e && (estimate(c, e) || ctl_moderate(c, e)))
        return;
    if (e) {
        ctl_error(c, e);
        return;
    }
    /* Its models are others now. */
    if (c->op == PBAY_OP_PULL || c->op == PBAY_OP_DELETE)
        listing_start(&c->host->control_seat->manager, r->provider, -1,
                      relisted, NULL);
    buf_init(&b, LIM_MIB(1));
    buf_addc(&b, "{\"report\":");
    ctl_put_report(&b, r);
    buf_addc(&b, "}");
    ctl_ok(c, buf_str(&b));
    buf_done(&b);
}

/* `provider test` wants a verdict, not events. */
static void test_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct ctl_conn *c = arg;
    struct buf b;

    c->call = NULL;
    buf_init(&b, LIM_KIB(16));
    buf_printf(&b, "{\"ok\":%s,\"detail\":", e ? "false" : "true");
    buf_json(&b, !e              ? STR("the provider answered")
                 : e->message[0] ? str_c(e->message)
                                 : str_c(err_text(e)));
    if (e) {
        buf_addc(&b, ",\"kind\":");
        buf_json(&b, str_c(err_class(e->kind)->name));
    }
    buf_printf(&b, ",\"ms\":%lld}", (long long)r->total_ms);
    ctl_ok(c, buf_str(&b));
    buf_done(&b);
}

static void test_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    (void)arg;
    (void)h;
    (void)r;
}

static void test_event(void *arg, const pbay_event *ev)
{
    (void)arg;
    (void)ev;
}

static const struct call_sink event_sink = {call_begin, call_bytes, call_event,
                                            call_end};
static const struct call_sink test_sink = {test_begin, call_bytes, test_event,
                                           test_end};

/* The body as text with its members; false: the error has been sent. */
static bool take_body(struct ctl_conn *c, struct json_object *body,
                      struct call_request *r)
{
    pbay_kv found[LIM_MEMBERS];
    int rc;

    c->body = str_dup(body ? js_text(body) : STR("{}"));
    if (!c->body) {
        ctl_fail(c, ERR_INTERNAL, "out of memory");
        return false;
    }
    r->body = str_c(c->body);
    rc = pbay_json_members(r->body, found, LIM_MEMBERS, &r->n_members, NULL);
    c->members = rc < 0 ? NULL : calloc(r->n_members + 1, sizeof(pbay_kv));
    if (!c->members) {
        ctl_fail(c, ERR_BAD_BODY,
                 "\"body\" is not an object of at most %d "
                 "members",
                 LIM_MEMBERS);
        return false;
    }
    memcpy(c->members, found, r->n_members * sizeof(pbay_kv));
    r->members = c->members;
    c->n_members = r->n_members;
    return true;
}

void ctl_new_id(struct ctl_conn *c)
{
    static uint64_t count;

    snprintf(c->id, sizeof(c->id), "ctl_%llx",
             (unsigned long long)(clock_us() << 8 | (++count & 255)));
}

void ctl_call(struct ctl_conn *c, int op, const char *provider,
              struct json_object *body, bool test)
{
    struct call_request r = {
        .op = op,
        .stream = js_bool(body, "stream", op == PBAY_OP_CHAT),
        .no_pass = true,
        .want = ~0u,
        .dialect = STR("canonical/1"),
        .model = js_str(body, "model", STR_NONE),
        .key_name = STR("control"),
        .instance = provider,
    };
    const struct call_sink *sink = test ? &test_sink : &event_sink;
    int split;
    struct err e;

    ctl_new_id(c);
    r.id = str_c(c->id);
    c->op = op;
    if (c->host->draining) {
        ctl_fail(c, ERR_UNAVAILABLE, "the host is draining");
        return;
    }
    if (!take_body(c, body, &r))
        return;
    split = embed_start(&c->host->control_seat->manager, &r, sink, c, &c->split,
                        &e);
    if (split > 0)
        return;
    if (split == 0)
        c->call = call_start(&c->host->control_seat->manager, &r, sink, c, &e);
    if (!c->call && !estimate(c, &e) && !ctl_moderate(c, &e))
        ctl_error(c, &e);
}

void ctl_call_drop(struct ctl_conn *c)
{
    struct call *call = c->call;

    c->call = NULL;
    if (call)
        call_cancel(call);
    ctl_session_drop(c);
    ctl_text_drop(c);
    ctl_moderate_drop(c);
    listing_forget(c->listing);
    c->listing = NULL;
    free(c->body);
    free(c->members);
    free(c->provider);
    arena_done(&c->wish_arena);
    c->wish = NULL;
    c->body = c->provider = NULL;
    c->members = NULL;
}
