/* SPDX-License-Identifier: MIT */
/* Events to legacy completions, streamed or whole.  Reasoning and tool calls
 * have no place in them: the first is left out, the second make the answer one
 * that cannot be shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/completions.h"
#include "dialect/openai.h"

#define CHOICES_MAX 128

struct choice {
    struct buf text;
    uint32_t stop; /* 0: not yet */
};

struct cp_render {
    struct dialog *x;
    char id[128], model[256];
    int64_t created;
    struct choice *choices;
    size_t n, kept;
};

static const char *finish_word(uint32_t stop)
{
    return stop == PBAY_STOP_LENGTH || stop == PBAY_STOP_CONTEXT ? "length"
           : stop == PBAY_STOP_FILTER ? "content_filter"
                                      : "stop";
}

static void copy(char *dst, size_t room, pbay_str s)
{
    s = str_head(s, room - 1);
    if (s.n)
        memcpy(dst, s.p, s.n);
    dst[s.n] = '\0';
}

static void *render_new(struct dialog *x)
{
    struct cp_render *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->x = x;
    r->created = clock_wall(x->d->manager->loop->clock) / 1000;
    snprintf(r->id, sizeof(r->id), "cmpl-%s", x->id + 4);
    copy(r->model, sizeof(r->model), x->model);
    return r;
}

static void render_free(void *arg)
{
    struct cp_render *r = arg;

    for (size_t i = 0; r && i < r->n; i++)
        buf_done(&r->choices[i].text);
    if (r)
        free(r->choices);
    free(r);
}

static int begin(void *arg, pbay_str id, pbay_str model, struct buf *out)
{
    struct cp_render *r = arg;

    (void)out;
    if (id.n)
        copy(r->id, sizeof(r->id), id);
    if (model.n)
        copy(r->model, sizeof(r->model), model);
    return 0;
}

static struct choice *choice_at(struct cp_render *r, uint32_t i)
{
    struct choice *v;

    if (i >= CHOICES_MAX)
        return NULL;
    if (i < r->n)
        return &r->choices[i];
    v = realloc(r->choices, (i + 1) * sizeof(*v));
    if (!v)
        return NULL;
    for (size_t j = r->n; j <= i; j++) {
        v[j].stop = 0;
        buf_init(&v[j].text, LIM_REPLY);
    }
    r->choices = v;
    r->n = i + 1;
    return &r->choices[i];
}

static int head(struct cp_render *r, struct buf *o)
{
    int rc = buf_addc(o, "{\"id\":") | buf_json(o, str_c(r->id));

    rc |= buf_printf(o, ",\"object\":\"text_completion\",\"created\":%lld,",
                     (long long)r->created);
    rc |= buf_addc(o, "\"model\":") | buf_json(o, str_c(r->model));
    return rc | buf_addc(o, ",\"choices\":[");
}

static int put_choice(struct buf *o, size_t index, pbay_str text, uint32_t stop)
{
    int rc = buf_addc(o, "{\"text\":") | buf_json(o, text);

    rc |= buf_printf(
        o, ",\"index\":%zu,\"logprobs\":null,\"finish_reason\":", index);
    return rc | (stop ? buf_printf(o, "\"%s\"}", finish_word(stop))
                      : buf_addc(o, "null}"));
}

static int put_usage(struct buf *o, const pbay_usage *u)
{
    unsigned long long in = u->known & PBAY_U_INPUT ? u->input : 0;
    unsigned long long out = u->known & PBAY_U_OUTPUT ? u->output : 0;

    if (!(u->known & (PBAY_U_INPUT | PBAY_U_OUTPUT)))
        return buf_addc(o, ",\"usage\":null");
    return buf_printf(o,
                      ",\"usage\":{\"prompt_tokens\":%llu,"
                      "\"completion_tokens\":%llu,\"total_tokens\":%llu}",
                      in, out, in + out);
}

static int chunk(struct cp_render *r, uint32_t index, pbay_str text,
                 uint32_t stop, struct buf *o)
{
    return buf_addc(o, "data: ") | head(r, o) |
           put_choice(o, index, text, stop) | buf_addc(o, "]}\n\n");
}

static int keep(struct cp_render *r, struct choice *c, pbay_str text)
{
    r->kept += text.n;
    return r->kept > LIM_REPLY ? -1 : buf_add(&c->text, text);
}

static int event(void *arg, const pbay_event *ev, struct buf *out)
{
    struct cp_render *r = arg;
    struct choice *c;

    if (ev->type == PBAY_EV_CALL)
        return -1;
    if (ev->type != PBAY_EV_TEXT && ev->type != PBAY_EV_REFUSAL &&
        ev->type != PBAY_EV_STOP)
        return 0;
    c = choice_at(r, ev->choice);
    if (!c)
        return -1;
    if (ev->type == PBAY_EV_STOP) {
        c->stop = ev->code;
        return r->x->stream ? chunk(r, ev->choice, STR(""), ev->code, out) : 0;
    }
    return r->x->stream ? chunk(r, ev->choice, ev->text, 0, out)
                        : keep(r, c, ev->text);
}

static int end_stream(struct cp_render *r, const pbay_usage *u, struct buf *o)
{
    int rc = 0;

    if (r->x->include_usage) {
        rc |= buf_addc(o, "data: ") | head(r, o) | buf_addc(o, "]");
        rc |= put_usage(o, u) | buf_addc(o, "}\n\n");
    }
    return rc | buf_addc(o, "data: [DONE]\n\n");
}

static int end(void *arg, const pbay_usage *u, struct buf *o)
{
    struct cp_render *r = arg;
    int rc;

    if (r->x->stream)
        return end_stream(r, u, o);
    rc = head(r, o);
    for (size_t i = 0; i < r->n; i++) {
        const struct choice *c = &r->choices[i];
        rc |= i ? buf_addc(o, ",") : 0;
        rc |= put_choice(o, i, buf_str(&c->text), c->stop);
    }
    rc |= buf_addc(o, "]") | put_usage(o, u);
    return rc | buf_addc(o, "}");
}

const struct chat_form cp_form = {
    .want = PBAY_WANT(PBAY_EV_BEGIN) | PBAY_WANT(PBAY_EV_TEXT) |
            PBAY_WANT(PBAY_EV_REFUSAL) | PBAY_WANT(PBAY_EV_CALL),
    .error_json = oa_error_json,
    .render_new = render_new,
    .render_free = render_free,
    .begin = begin,
    .event = event,
    .end = end,
    .rescue = true,
};
