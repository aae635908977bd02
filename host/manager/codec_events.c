/* SPDX-License-Identifier: MIT */
/* Events as canonical JSON lines, and the rules they must keep. */
#include "manager/codec_events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/codec_driver.h"
#include <patchbay/json.h>

static const char *const event_names[] = {
    "",        "begin",  "text",    "reasoning", "refusal", "call",
    "block",   "vector", "item",    "usage",     "error",   "stop",
    "content", "limits", "warning", "annotation"};
static const char *const stop_names[] = {"",       "end",   "length", "tool",
                                         "filter", "pause", "context"};
static const char *const kind_names[] = {
    "",           "invalid", "auth",     "permission", "not_found",
    "too_large",  "context", "filter",   "rate",       "quota",
    "overloaded", "loading", "upstream", "protocol"};
static const char *const scope_names[] = {"", "request", "model", "key",
                                          "provider"};
#define NAME(list, i) \
    ((i) < sizeof(list) / sizeof(*(list)) ? (list)[i] : "unknown")

const char *driver_event_name(uint32_t type)
{
    return type <= PBAY_EV_ANNOTATION ? event_names[type] : "";
}

void events_init(struct events *e, uint32_t op)
{
    memset(e, 0, sizeof(*e));
    e->op = op;
    buf_init(&e->open.text, LIM_REPLY);
    buf_init(&e->open.head, LIM_MIB(1));
}

void events_done(struct events *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->lines[i]);
    free(e->lines);
    free(e->called);
    buf_done(&e->open.text);
    buf_done(&e->open.head);
}

/* --- lines --------------------------------------------------------------- */

static void keep(struct events *e, pbay_str line)
{
    char *p = str_dup(line);

    if (e->n == e->room) {
        size_t room = e->room ? e->room * 2 : 32;
        char **lines = realloc(e->lines, room * sizeof(*lines));
        if (!lines) {
            free(p);
            e->oom = true;
            return;
        }
        e->lines = lines;
        e->room = room;
    }
    if (p)
        e->lines[e->n++] = p;
    else
        e->oom = true;
}

void events_flush(struct events *e)
{
    struct events_open *o = &e->open;

    if (!o->type)
        return;
    o->type = 0;
    if (o->text.n) {
        buf_addc(&o->head, ",\"text\":");
        buf_json(&o->head, buf_str(&o->text));
    }
    if (buf_addc(&o->head, "}") < 0)
        e->oom = true;
    keep(e, buf_str(&o->head));
    buf_reset(&o->head, LIM_KIB(4));
    buf_reset(&o->text, LIM_KIB(4));
}

void events_line(struct events *e, pbay_str json)
{
    events_flush(e);
    keep(e, json);
}

void events_violation(struct events *e, const char *what)
{
    char line[256];

    snprintf(line, sizeof(line), "{\"violation\":\"%s\"}", what);
    events_line(e, str_c(line));
}

/* --- members ------------------------------------------------------------- */

static void put_text(struct buf *b, const char *name, pbay_str s)
{
    if (!s.n)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_json(b, s);
}

static void put_number(struct buf *b, const char *name, int64_t v)
{
    if (v)
        buf_printf(b, ",\"%s\":%" PRId64, name, v);
}

static void put_word(struct buf *b, const char *name, const char *word)
{
    if (word[0])
        buf_printf(b, ",\"%s\":\"%s\"", name, word);
}

static void put_json(struct buf *b, pbay_str json)
{
    if (!json.n)
        return;
    buf_addc(b, ",\"json\":");
    buf_add(b, json);
}

static void put_usage(struct buf *b, const pbay_usage *u)
{
    const struct {
        uint32_t bit;
        const char *name;
        uint64_t v;
    } counts[] = {
        {PBAY_U_INPUT, "input", u->input},
        {PBAY_U_CACHE_READ, "cache_read", u->cache_read},
        {PBAY_U_CACHE_WRITE, "cache_write", u->cache_write},
        {PBAY_U_CACHE_WRITE_LONG, "cache_write_long", u->cache_write_long},
        {PBAY_U_OUTPUT, "output", u->output},
        {PBAY_U_REASONING, "reasoning", u->reasoning}};

    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        if (u->known & counts[i].bit)
            buf_printf(b, ",\"%s\":%" PRIu64, counts[i].name, counts[i].v);
    if (u->known & PBAY_U_COST)
        buf_printf(b, ",\"cost_nano\":%" PRId64 ",\"currency\":\"%.3s\"",
                   u->cost_nano, u->currency);
}

static void put_error(struct buf *b, const pbay_error *x)
{
    put_word(b, "kind", NAME(kind_names, x->kind));
    put_word(b, "scope", NAME(scope_names, x->scope));
    put_number(b, "status", x->http_status);
    if (x->retry_after_ms >= 0)
        buf_printf(b, ",\"retry_after_ms\":%" PRId64, x->retry_after_ms);
    put_number(b, "should_retry", x->should_retry);
    put_text(b, "code", x->code);
    put_text(b, "type", x->type);
    put_text(b, "param", x->param);
    put_text(b, "message", x->message);
    put_text(b, "request_id", x->request_id);
}

static void put_vector(struct buf *b, const pbay_event *ev)
{
    if (ev->code == PBAY_VEC_BASE64) {
        put_word(b, "form", "base64");
        put_text(b, "text", ev->text);
        return;
    }
    put_word(b, "form", "f32");
    buf_addc(b, ",\"values\":[");
    for (size_t i = 0; i + sizeof(float) <= ev->text.n; i += sizeof(float)) {
        float f;
        memcpy(&f, ev->text.p + i, sizeof(f));
        buf_printf(b, "%s%.9g", i ? "," : "", (double)f);
    }
    buf_addc(b, "]");
}

static void put_event(struct buf *b, const pbay_event *ev)
{
    buf_printf(b, "{\"ev\":\"%s\"", driver_event_name(ev->type));
    put_number(b, "choice", ev->choice);
    put_number(b, "index", ev->index);
    put_text(b, "id", ev->id);
    if (ev->type == PBAY_EV_STOP)
        put_word(b, "why", NAME(stop_names, ev->code));
    put_text(b, "name", ev->name);
    put_json(b, ev->json);
    if (ev->type == PBAY_EV_VECTOR)
        put_vector(b, ev);
    if (ev->usage)
        put_usage(b, ev->usage);
    if (ev->error)
        put_error(b, ev->error);
}

/* --- rules --------------------------------------------------------------- */

/* Whole characters of UTF-8 only? */
static bool utf8(pbay_str s)
{
    struct buf b;
    char *back;
    int64_t n = -1;

    if (!s.n)
        return true;
    /* What is not UTF-8 comes back as something else. */
    buf_init(&b, s.n * 6 + 16);
    back = malloc(s.n * 6 + 16);
    if (back && buf_json(&b, s) == 0)
        n = pbay_json_unescape(buf_str(&b), back, s.n * 6 + 16);
    buf_done(&b);
    bool same = n == (int64_t)s.n && memcmp(back, s.p, s.n) == 0;
    free(back);
    return same;
}

static bool begun_call(struct events *e, const pbay_event *ev)
{
    void *more;

    for (size_t i = 0; i < e->n_called; i++)
        if (e->called[i].choice == ev->choice &&
            e->called[i].index == ev->index)
            return true;
    more = realloc(e->called, (e->n_called + 1) * sizeof(*e->called));
    if (!more) {
        e->oom = true;
        return false;
    }
    e->called = more;
    e->called[e->n_called].choice = ev->choice;
    e->called[e->n_called++].index = ev->index;
    return false;
}

static void check_stop(struct events *e, const pbay_event *ev)
{
    uint8_t bit = (uint8_t)(1u << (ev->choice & 7));

    e->stops++;
    if (e->op != PBAY_OP_CHAT)
        events_violation(e, "STOP in an operation that is not chat");
    if (ev->code < PBAY_STOP_END || ev->code > PBAY_STOP_CONTEXT)
        events_violation(e, "STOP with an unknown code");
    if (ev->choice >= 8 * sizeof(e->stopped))
        return;
    if (e->stopped[ev->choice / 8] & bit)
        events_violation(e, "STOP twice for one choice");
    e->stopped[ev->choice / 8] |= bit;
}

static bool of_answer(uint32_t type)
{
    return (type >= PBAY_EV_TEXT && type <= PBAY_EV_BLOCK) ||
           type == PBAY_EV_ANNOTATION;
}

static void check(struct events *e, const pbay_event *ev)
{
    if (e->failed)
        events_violation(e, "an event after ERROR");
    if (!utf8(ev->text) && ev->type != PBAY_EV_VECTOR)
        events_violation(e, "text that is not whole UTF-8 characters");
    if (!utf8(ev->id) || !utf8(ev->name))
        events_violation(e, "an id or name that is not UTF-8");
    if (ev->json.n && pbay_json_check(ev->json, NULL) < 0)
        events_violation(e, "json that is not JSON");
    if (of_answer(ev->type) && ev->choice < 8 * sizeof(e->stopped) &&
        e->stopped[ev->choice / 8] & 1u << (ev->choice & 7))
        events_violation(e, "content after the choice's STOP");
    if (ev->type == PBAY_EV_BEGIN && e->begun)
        events_violation(e, "BEGIN twice");
    if (ev->type == PBAY_EV_CALL && !begun_call(e, ev) &&
        (!ev->id.n || !ev->name.n))
        events_violation(e, "a tool call begins without id or name");
    if (ev->type == PBAY_EV_STOP)
        check_stop(e, ev);
    if ((ev->type == PBAY_EV_USAGE) != (ev->usage != NULL) ||
        (ev->type == PBAY_EV_ERROR) != (ev->error != NULL))
        events_violation(e, "usage or error missing or out of place");
    if (ev->error &&
        (ev->error->kind < PBAY_E_INVALID || ev->error->kind > PBAY_E_PROTOCOL))
        events_violation(e, "ERROR with an unknown kind");
    if (ev->error && !utf8(ev->error->message))
        events_violation(e, "an error message that is not UTF-8");
}

/* --- taking one in ------------------------------------------------------- */

static bool joins(const struct events_open *o, const pbay_event *ev)
{
    if (o->type != ev->type || o->choice != ev->choice || ev->json.n ||
        ev->id.n || ev->name.n)
        return false;
    return ev->type != PBAY_EV_CALL || o->index == ev->index;
}

void events_add(struct events *e, const pbay_event *ev)
{
    struct events_open *o = &e->open;

    e->count++;
    if (!PBAY_HAS(ev, error) || ev->type < PBAY_EV_BEGIN ||
        ev->type > PBAY_EV_ANNOTATION) {
        events_violation(e, "an event of unknown size or type");
        return;
    }
    check(e, ev);
    if (!joins(o, ev)) {
        events_flush(e);
        put_event(&o->head, ev);
        o->type = ev->type;
        o->choice = ev->choice;
        o->index = ev->index;
    }
    if (ev->type != PBAY_EV_VECTOR && buf_add(&o->text, ev->text) < 0)
        e->oom = true;
    /* Only text goes on; and what carries json of its own is complete. */
    if (!of_answer(ev->type) || ev->type == PBAY_EV_BLOCK || ev->json.n)
        events_flush(e);
    e->begun |= ev->type == PBAY_EV_BEGIN;
    e->failed |= ev->type == PBAY_EV_ERROR;
}
