/* SPDX-License-Identifier: MIT */
/* A batch under way: so many requests at once, each repeated where that may
 * help, its result written as soon as it is there. */
#include "config.h"

#include "cli/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "cli/signals.h"

#define DEPTH    128
#define WAIT_MS  1000   /* before the first repetition; then twice as long */
#define WAIT_MAX 60000  /* at most, also where Retry-After asks for more */
#define SHOW_US  200000 /* between two lines of progress */

enum slot_state {
    SLOT_FREE,
    SLOT_ASKED,
    SLOT_WAITS
};

struct slot {
    enum slot_state state;
    struct batch_item *item;
    unsigned tries;
    int64_t until_us; /* WAITS */
    int status;       /* of the reply; 0: none */
    int64_t retry_after_ms;
    char id[64]; /* the host's id of the request */
    struct buf text;
    unsigned seed;
};

struct runner {
    struct cli *cli;
    struct batch *b;
    const struct batch_options *o;
    struct slot *slots;
    size_t next, active;
    int64_t shown_us;
    bool drawn;
};

/* --- progress ------------------------------------------------------------ */

static void show(struct runner *r, bool now)
{
    struct out *o = &r->cli->err;
    struct batch *b = r->b;

    if (!o->tty || (!now && clock_us() - r->shown_us < SHOW_US))
        return;
    r->shown_us = clock_us();
    r->drawn = true;
    out_f(
        o, "\r%zu of %zu, %zu failed, %zu under way, %llu tokens in, %llu out",
        b->done, b->n, b->failed, r->active, (unsigned long long)b->sums.input,
        (unsigned long long)b->sums.output);
    out_c(o, "\033[K");
    out_flush(o);
}

static void end_show(struct runner *r)
{
    if (!r->drawn)
        return;
    show(r, true);
    out_c(&r->cli->err, "\n");
    out_flush(&r->cli->err);
}

/* --- asking -------------------------------------------------------------- */

static int ask(struct runner *r, struct slot *s)
{
    struct json_object *args =
        batch_request(r->cli, r->b, s->item, s - r->slots);
    struct client_error e;
    int status = EXIT_OK;

    if (!args)
        return EXIT_FAILED;
    s->state = SLOT_ASKED;
    s->tries++;
    s->status = 0;
    s->retry_after_ms = -1;
    s->id[0] = '\0';
    buf_reset(&s->text, LIM_KIB(64));
    if (client_send(r->cli->host.client, "request", js_text(args), &e))
        status = cli_fail(r->cli, &e);
    json_object_put(args);
    return status;
}

static struct batch_item *next_item(struct runner *r)
{
    while (r->next < r->b->n && r->b->items[r->next].done)
        r->next++;
    return r->next < r->b->n ? &r->b->items[r->next++] : NULL;
}

/* Fill what is free, wake what has waited.  *left_ms: until the next of these,
 * -1: none waits. */
static int go_on(struct runner *r, int *left_ms)
{
    int64_t now = clock_us(), left = -1;
    int status = EXIT_OK;

    for (int64_t i = 0; i < r->o->at_once && !status; i++) {
        struct slot *s = &r->slots[i];
        if (s->state == SLOT_WAITS && s->until_us <= now) {
            status = ask(r, s);
        } else if (s->state == SLOT_WAITS) {
            int64_t ms = (s->until_us - now) / 1000 + 1;
            left = left < 0 || ms < left ? ms : left;
        } else if (s->state == SLOT_FREE && (s->item = next_item(r)) != NULL) {
            s->tries = 0;
            r->active++;
            status = ask(r, s);
        }
    }
    *left_ms = (int)left;
    return status;
}

/* --- results ------------------------------------------------------------- */

/* What another try may mend.  The host has tried other targets by then. */
static bool may_repeat(const struct slot *s, bool whole)
{
    return !whole || s->status == 408 || s->status == 429 || s->status >= 500;
}

static void wait_some(struct slot *s)
{
    int64_t ms = WAIT_MS << (s->tries < 7 ? s->tries - 1 : 6);

    ms = ms > WAIT_MAX ? WAIT_MAX : ms;
    ms = ms / 2 + rand_r(&s->seed) % (ms / 2 + 1);
    if (s->retry_after_ms > ms)
        ms = s->retry_after_ms < WAIT_MAX ? s->retry_after_ms : WAIT_MAX;
    s->state = SLOT_WAITS;
    s->until_us = clock_us() + ms * 1000;
}

/* JSON as it came, in one line: its line feeds stand between values. */
static int put_body(struct buf *b, pbay_str text)
{
    struct json_object *o = NULL;
    bool is = js_parse(text, DEPTH, &o, NULL) == 0;
    size_t at = b->n;
    int rc;

    json_object_put(o);
    if (!is)
        return buf_json(b, text);
    rc = buf_add(b, text);
    for (char *p = b->p + b->off; !rc && at < b->n; at++)
        if (p[at] == '\n' || p[at] == '\r')
            p[at] = ' ';
    return rc;
}

static int put_result(struct buf *b, const struct slot *s, bool whole,
                      struct json_object *report)
{
    int rc = buf_addc(b, "{\"id\":") | buf_json(b, str_c(s->id)) |
             buf_addc(b, ",\"custom_id\":") | buf_json(b, str_c(s->item->id));

    if (whole) {
        rc |= buf_printf(b, ",\"response\":{\"status_code\":%d,", s->status);
        rc |= buf_addc(b, "\"request_id\":") | buf_json(b, str_c(s->id)) |
              buf_addc(b, ",\"body\":") | put_body(b, buf_str(&s->text)) |
              buf_addc(b, "},\"error\":null");
    } else {
        rc |=
            buf_addc(b, ",\"response\":null,\"error\":{\"code\":\"broken_off\","
                        "\"message\":\"the answer broke off\"}");
    }
    rc |= buf_printf(b,
                     ",\"patchbay\":{\"line\":%d,\"request_sha256\":\"%s\","
                     "\"tries\":%u",
                     s->item->line, s->item->sha, s->tries);
    if (report) {
        rc |= buf_addc(b, ",\"provider\":") |
              buf_json(b, js_str(report, "provider", STR("")));
        rc |= buf_addc(b, ",\"model\":") |
              buf_json(b, js_str(report, "model", STR("")));
        rc |= buf_printf(b, ",\"first_ms\":%lld,\"total_ms\":%lld,\"usage\":",
                         (long long)js_int(report, "first_ms", -1),
                         (long long)js_int(report, "total_ms", -1));
        rc |= js_get(report, "usage")
                  ? buf_add(b, js_text(js_get(report, "usage")))
                  : buf_addc(b, "null");
    }
    return rc | buf_addc(b, "}}");
}

static int finish(struct runner *r, struct slot *s, bool whole,
                  struct json_object *report)
{
    struct json_object *o = NULL;
    struct buf b;
    int status = EXIT_OK;

    if (may_repeat(s, whole) && s->tries <= r->o->retries) {
        wait_some(s);
        return EXIT_OK;
    }
    buf_init(&b, LIM_CTL_LINE * 2);
    if (put_result(&b, s, whole, report))
        status = cli_error(r->cli, EXIT_FAILED, "out of memory");
    else
        status = batch_append(r->cli, r->b, s->item, buf_str(&b));
    if (!status) {
        bool ok = whole && s->status >= 200 && s->status <= 299;
        s->item->failed = !ok;
        r->b->failed += !ok;
        if (js_parse(buf_str(&b), DEPTH, &o, NULL) == 0)
            batch_count(&r->b->sums, o);
        json_object_put(o);
    }
    buf_done(&b);
    s->state = SLOT_FREE;
    r->active--;
    return status;
}

static void take_head(struct slot *s, struct json_object *ev)
{
    struct json_object *h = js_get(ev, "headers");
    const char *after = js_cstr(h, "retry-after", "");
    uint64_t seconds;

    s->status = (int)js_int(ev, "status", 0);
    snprintf(s->id, sizeof(s->id), "%s", js_cstr(h, "x-request-id", ""));
    if (!str_u64(str_c(after), &seconds) && seconds < 86400)
        s->retry_after_ms = (int64_t)seconds * 1000;
}

static int take_event(struct runner *r, struct json_object *ev)
{
    const char *name = js_cstr(ev, "event", "");
    int64_t n = js_int(ev, "n", -1);
    struct slot *s = n >= 0 && n < r->o->at_once ? &r->slots[n] : NULL;

    if (!s || s->state != SLOT_ASKED)
        return EXIT_OK;
    if (!strcmp(name, "head"))
        take_head(s, ev);
    else if (!strcmp(name, "data") &&
             buf_add(&s->text, js_str(ev, "text", STR(""))))
        return cli_error(r->cli, EXIT_FAILED, "%s:%d: the answer is too large",
                         r->b->in_path, s->item->line);
    else if (!strcmp(name, "over"))
        return finish(r, s, js_bool(ev, "whole", false), js_get(ev, "report"));
    return EXIT_OK;
}

/* --- the run ------------------------------------------------------------- */

static int loop(struct runner *r)
{
    struct json_object *ev;
    struct client_error e;
    int left, rc, status = go_on(r, &left);

    while (!status && r->active) {
        show(r, false);
        rc = client_wait(r->cli->host.client, left, &e);
        if (rc > 0)
            rc = client_next(r->cli->host.client, &ev, &e) > 0 ? 1 : -1;
        if (rc < 0)
            return cli_fail(r->cli, &e);
        if (rc > 0)
            status = take_event(r, ev);
        if (!status)
            status = go_on(r, &left);
    }
    return status;
}

int batch_run(struct cli *cli, struct batch *b, const struct batch_options *o)
{
    struct runner r = {.cli = cli, .b = b, .o = o};
    struct client_error e;
    int status;

    r.slots = calloc((size_t)o->at_once, sizeof(*r.slots));
    if (!r.slots)
        return cli_error(cli, EXIT_FAILED, "out of memory");
    for (int64_t i = 0; i < o->at_once; i++) {
        buf_init(&r.slots[i].text, LIM_CLI_ANSWER);
        r.slots[i].seed = (unsigned)clock_us() + (unsigned)i;
    }
    if (client_send(cli->host.client, "http", STR("{}"), &e))
        status = cli_fail(cli, &e);
    else
        status = loop(&r);
    end_show(&r);
    for (int64_t i = 0; i < o->at_once; i++)
        buf_done(&r.slots[i].text);
    free(r.slots);
    return status;
}
