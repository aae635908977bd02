/* SPDX-License-Identifier: MIT */
/* One run: its memory, its waits that a cancelled call interrupts, its events,
 * and the faults it was asked for. */
#include "lb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void lb_run_begin(struct lb_run *r, struct lb_instance *in, pbay_call *call,
                  const pbay_request *req)
{
    *r = (struct lb_run){.in = in,
                         .host = in->host,
                         .call = call,
                         .req = req,
                         .script = in->script,
                         .next_us = now_us()};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->waiter.woken, &attr);
    pthread_condattr_destroy(&attr);
    r->waiter.call = call;
    pthread_mutex_lock(&in->lock);
    r->waiter.next = in->waiters;
    if (in->waiters)
        in->waiters->prev = &r->waiter;
    in->waiters = &r->waiter;
    pthread_mutex_unlock(&in->lock);
}

void lb_run_end(struct lb_run *r)
{
    struct lb_waiter *w = &r->waiter;
    pthread_mutex_lock(&r->in->lock);
    if (w->prev)
        w->prev->next = w->next;
    else
        r->in->waiters = w->next;
    if (w->next)
        w->next->prev = w->prev;
    pthread_mutex_unlock(&r->in->lock);
    pthread_cond_destroy(&w->woken);
    while (r->blocks) {
        struct lb_block *b = r->blocks;
        r->blocks = b->next;
        free(b);
    }
}

void lb_wake(struct lb_instance *in, const pbay_call *call)
{
    pthread_mutex_lock(&in->lock);
    for (struct lb_waiter *w = in->waiters; w; w = w->next) {
        if (w->call == call) {
            w->wake = true;
            pthread_cond_signal(&w->woken);
        }
    }
    pthread_mutex_unlock(&in->lock);
}

void *lb_alloc(struct lb_run *r, size_t n)
{
    if (n > SIZE_MAX - sizeof(struct lb_block))
        return NULL;
    struct lb_block *b = malloc(sizeof *b + n);
    if (!b)
        return NULL;
    b->next = r->blocks;
    r->blocks = b;
    return b->data;
}

static char *grow(void *arg, char *old, size_t n, size_t room)
{
    char *p = lb_alloc(arg, room);
    if (p && n)
        memcpy(p, old, n);
    return p;
}

pbay_out lb_out(struct lb_run *r)
{
    return (pbay_out){.grow = grow, .arg = r};
}

pbay_str lb_field(const struct lb_run *r, const char *name)
{
    pbay_str v = r->req->n_members
                     ? pbay_json_find(r->req->members, r->req->n_members, name)
                     : pbay_json_get(r->req->body, name);
    return pbay_json_type(v) == '0' ? (pbay_str){NULL, 0} : v;
}

pbay_str lb_text(struct lb_run *r, pbay_str value)
{
    if (pbay_json_type(value) != 's')
        return (pbay_str){NULL, 0};
    char *p = lb_alloc(r, value.n);
    int64_t n = p ? pbay_json_unescape(value, p, value.n) : -1;
    return n < 0 ? (pbay_str){NULL, 0} : (pbay_str){p, (size_t)n};
}

pbay_rc lb_emit(struct lb_run *r, pbay_event *ev)
{
    ev->size = sizeof *ev;
    return r->host->emit(r->call, ev);
}

pbay_rc lb_item(struct lb_run *r, const char *kind, uint32_t index,
                const pbay_out *json)
{
    if (json->failed)
        return PBAY_NOMEM;
    pbay_event ev = {.type = PBAY_EV_ITEM,
                     .index = index,
                     .name = {kind, strlen(kind)},
                     .json = {json->p, json->n}};
    return lb_emit(r, &ev);
}

pbay_rc lb_invalid(struct lb_run *r, const char *param, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pbay_error e = {.size = sizeof e,
                    .kind = PBAY_E_INVALID,
                    .scope = PBAY_SCOPE_REQUEST,
                    .http_status = 400,
                    .retry_after_ms = -1,
                    .param = {param, strlen(param)},
                    .message = {text, strlen(text)}};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};
    lb_emit(r, &ev);
    return PBAY_FAIL;
}

pbay_rc lb_sleep_until(struct lb_run *r, int64_t us)
{
    struct timespec until = {.tv_sec = us / 1000000,
                             .tv_nsec = us % 1000000 * 1000};
    int rc = 0;
    pthread_mutex_lock(&r->in->lock);
    while (!r->waiter.wake && !r->host->cancelled(r->call) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&r->waiter.woken, &r->in->lock, &until);
    bool over = r->waiter.wake || r->host->cancelled(r->call);
    pthread_mutex_unlock(&r->in->lock);
    return over ? PBAY_STOPPED : PBAY_OK;
}

static pbay_rc fail(struct lb_run *r)
{
    static const char text[] = "loopback was asked to fail like this";
    pbay_error e = {.size = sizeof e,
                    .kind = r->script.error,
                    .http_status = r->script.status,
                    .retry_after_ms = r->script.retry_after_ms,
                    .code = LB_STR("loopback_fault"),
                    .message = {text, sizeof text - 1},
                    .request_id = r->req->id};
    pbay_event ev = {.type = PBAY_EV_ERROR, .error = &e};
    lb_emit(r, &ev);
    return PBAY_FAIL;
}

/* The fault itself, now. */
static pbay_rc strike(struct lb_run *r)
{
    switch (r->script.fault) {
    case LB_ERROR:
        return fail(r);
    case LB_CUT:
        return PBAY_END;
    case LB_STALL:
        while (lb_sleep_until(r, now_us() + 3600 * INT64_C(1000000)) == PBAY_OK)
            ;
        return PBAY_STOPPED;
    case LB_SLOW:
    case LB_NO_FAULT:
        break;
    }
    return PBAY_OK;
}

pbay_rc lb_first(struct lb_run *r)
{
    uint64_t call = atomic_fetch_add(&r->in->n_calls, 1) + 1;
    if (r->script.every > 1 && call % (uint64_t)r->script.every != 0)
        r->script.fault = LB_NO_FAULT;
    r->next_us += r->script.delay_ms * 1000;
    pbay_rc rc = r->script.delay_ms ? lb_sleep_until(r, r->next_us) : PBAY_OK;
    if (rc == PBAY_OK && r->script.fault_at == 0)
        rc = strike(r);
    return rc;
}

pbay_rc lb_step(struct lb_run *r)
{
    const struct lb_script *s = &r->script;
    pbay_rc rc = PBAY_OK;
    if (s->fault_at && r->tokens == s->fault_at)
        rc = strike(r);
    bool slow = s->fault == LB_SLOW && r->tokens >= s->fault_at;
    if (rc == PBAY_OK && r->tokens && (s->rate > 0 || slow)) {
        r->next_us += slow ? 1000000 : (int64_t)(1e6 / s->rate);
        rc = lb_sleep_until(r, r->next_us);
    }
    r->tokens++;
    return rc;
}

pbay_rc lb_last(struct lb_run *r)
{
    return r->script.fault_at >= r->tokens && r->script.fault_at ? strike(r)
                                                                 : PBAY_OK;
}

pbay_rc lb_usage(struct lb_run *r)
{
    if (r->script.no_usage)
        return PBAY_OK;
    pbay_usage u = {.size = sizeof u,
                    .known = PBAY_U_INPUT | PBAY_U_OUTPUT | PBAY_U_REASONING,
                    .input = (uint64_t)r->input,
                    .output = (uint64_t)r->tokens,
                    .reasoning = (uint64_t)r->reasoned,
                    .flags = PBAY_U_ESTIMATED};
    pbay_event ev = {.type = PBAY_EV_USAGE, .usage = &u};
    return lb_emit(r, &ev);
}

/* FNV-1a, then the finaliser of splitmix64 so that all bits count. */
uint64_t lb_hash(pbay_str s, uint64_t seed)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

pbay_str lb_cut(pbay_str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return (pbay_str){s.p, max};
}
