/* SPDX-License-Identifier: MIT */
/* A transport without a network: replies come from scripts, on the loop's
 * clock, so that tests of what waits need not wait. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/transport.h"

struct script {
    struct script *next;
    const char *url;
    const struct tx_fake_step *steps;
    size_t n;
    bool used;
};

struct fake_tx {
    struct tx_base base;
    struct fake_tx *prev, *next;
    const struct tx_ops *ops;
    void *arg;
    const struct tx_fake_step *steps; /* NULL: nobody answers */
    size_t n, at;
    size_t off; /* bytes of the current DATA step already given */
    struct timer timer;
    bool waiting;   /* the timer is a WAIT step's */
    bool paused;
    bool in_call;   /* a callback is on the stack: free on the way out */
    bool cancelled;
    bool ended;     /* inside the last callback */
};

struct fake {
    struct transport base;
    struct script *scripts;
    struct script **last;
    struct fake_tx *open;
    size_t active, cancelled;
    void (*watch)(void *arg, const struct tx_request *r, pbay_str body);
    void *watch_arg;
};

static struct fake *fake_of(struct tx_base *b)
{
    return (struct fake *)b->transport;
}

static void unlink_tx(struct fake_tx *x)
{
    struct fake *f = fake_of(&x->base);

    timer_stop(&x->timer);
    if (x->prev)
        x->prev->next = x->next;
    else
        f->open = x->next;
    if (x->next)
        x->next->prev = x->prev;
    f->active--;
}

static void drop(struct fake_tx *x)
{
    unlink_tx(x);
    free(x);
}

static const char *reason(int kind)
{
    switch (kind) {
    case ERR_NONE:
        return "";
    case ERR_CONNECT:
        return "connection refused (fake)";
    case ERR_CONNECT_TIMEOUT:
        return "no connection in time (fake)";
    case ERR_RESET:
        return "connection closed without a reply (fake)";
    case ERR_TRUNCATED:
        return "connection closed inside the reply (fake)";
    default:
        return "failed (fake)";
    }
}

static void finish(struct fake_tx *x, int kind, const char *why)
{
    struct tx_end end = {.kind = kind, .why = why};

    unlink_tx(x);
    x->ended = true;
    x->ops->end(x->arg, &end);
    free(x);
}

/* The next piece of a DATA step; true when the step is through. */
static bool give_data(struct fake_tx *x, const struct tx_fake_step *s)
{
    size_t left = s->data.n - x->off;
    size_t n = s->piece && s->piece < left ? s->piece : left;
    pbay_str piece = {s->data.n ? s->data.p + x->off : "", n};

    x->off += n;
    if (n)
        x->ops->data(x->arg, piece);
    return x->off == s->data.n;
}

/* One step or piece.  False: nothing more for now, or x is gone. */
static bool step(struct fake_tx *x)
{
    const struct tx_fake_step *s = &x->steps[x->at];
    bool through = true;

    switch (s->what) {
    case FAKE_HEAD:
        x->ops->head(x->arg, s->status, s->headers, s->n_headers);
        break;
    case FAKE_DATA:
        through = give_data(x, s);
        break;
    case FAKE_HANG:
        return false;
    case FAKE_END:
        finish(x, s->end, reason(s->end));
        return false;
    case FAKE_WAIT:
        break;
    }
    if (through) {
        x->at++;
        x->off = 0;
    }
    return true;
}

static void fire(void *arg);

static void later(struct fake_tx *x, int64_t ms)
{
    timer_set(&x->timer, x->base.transport->loop->clock, ms, fire, x);
}

/* Deliver until the script says wait or hang, the exchange is paused or over.
 */
static void fire(void *arg)
{
    struct fake_tx *x = arg;

    x->waiting = false;
    if (!x->steps) {
        finish(x, ERR_CONNECT, "no script answers this URL (fake)");
        return;
    }
    while (!x->paused && x->at < x->n) {
        const struct tx_fake_step *s = &x->steps[x->at];
        bool last = s->what == FAKE_END || s->what == FAKE_HANG, more;

        x->in_call = !last;
        more = step(x);
        if (!more)
            return;
        x->in_call = false;
        if (x->cancelled) {
            drop(x);
            return;
        }
        if (s->what == FAKE_WAIT) {
            x->waiting = true;
            later(x, s->ms);
            return;
        }
    }
    if (!x->paused && x->at == x->n)
        finish(x, ERR_NONE, reason(ERR_NONE));
}

static void show(struct fake *f, const struct tx_request *r)
{
    size_t n = 0, at = 0;
    char *body;

    if (!f->watch)
        return;
    for (size_t i = 0; i < r->n_body; i++)
        n += r->body[i].n;
    body = malloc(n + 1);
    if (!body)
        abort();
    for (size_t i = 0; i < r->n_body; i++) {
        if (r->body[i].n)
            memcpy(body + at, r->body[i].p, r->body[i].n);
        at += r->body[i].n;
    }
    body[n] = '\0';
    f->watch(f->watch_arg, r, str_n(body, n));
    free(body);
}

static struct script *next_script(struct fake *f, pbay_str url)
{
    for (struct script *s = f->scripts; s; s = s->next)
        if (!s->used && str_starts(url, s->url)) {
            s->used = true;
            return s;
        }
    return NULL;
}

static struct tx *fake_start(struct transport *t, const struct tx_profile *p,
                             const struct tx_request *r,
                             const struct tx_ops *ops, void *arg)
{
    struct fake *f = (struct fake *)t;
    struct fake_tx *x = calloc(1, sizeof *x);
    struct script *s;

    (void)p;
    if (!x)
        return NULL;
    x->base.transport = t;
    x->ops = ops;
    x->arg = arg;
    x->next = f->open;
    if (f->open)
        f->open->prev = x;
    f->open = x;
    f->active++;
    show(f, r);
    s = next_script(f, r->url);
    if (s) {
        x->steps = s->steps;
        x->n = s->n;
    }
    later(x, 0);
    return (struct tx *)x;
}

static void fake_cancel(struct tx *tx)
{
    struct fake_tx *x = (struct fake_tx *)tx;

    if (x->ended || x->cancelled)
        return;
    fake_of(&x->base)->cancelled++;
    x->cancelled = true;
    x->paused = true;
    if (!x->in_call)
        drop(x);
}

static void fake_pause(struct tx *tx, bool on)
{
    struct fake_tx *x = (struct fake_tx *)tx;

    if (x->ended || x->cancelled)
        return;
    x->paused = on;
    if (!on && !x->waiting && !x->in_call)
        later(x, 0);
}

static size_t fake_active(const struct transport *t)
{
    return ((const struct fake *)t)->active;
}

static void fake_free(struct transport *t)
{
    struct fake *f = (struct fake *)t;

    while (f->open)
        drop(f->open);
    while (f->scripts) {
        struct script *s = f->scripts;

        f->scripts = s->next;
        free(s);
    }
    free(f);
}

static const struct transport_vt fake_vt = {
    .start = fake_start,
    .cancel = fake_cancel,
    .pause = fake_pause,
    .active = fake_active,
    .free = fake_free,
};

struct transport *transport_fake_new(struct loop *loop)
{
    struct fake *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->base.vt = &fake_vt;
    f->base.loop = loop;
    f->last = &f->scripts;
    return &f->base;
}

void transport_fake_script(struct transport *t, const char *url,
                           const struct tx_fake_step *steps, size_t n)
{
    struct fake *f = (struct fake *)t;
    struct script *s = calloc(1, sizeof *s);

    if (!s)
        abort(); /* a test without its script would show nothing */
    s->url = url;
    s->steps = steps;
    s->n = n;
    *f->last = s;
    f->last = &s->next;
}

void transport_fake_watch(struct transport *t,
                          void (*fn)(void *arg, const struct tx_request *r,
                                     pbay_str body),
                          void *arg)
{
    struct fake *f = (struct fake *)t;

    f->watch = fn;
    f->watch_arg = arg;
}

size_t transport_fake_cancelled(const struct transport *t)
{
    return ((const struct fake *)t)->cancelled;
}
