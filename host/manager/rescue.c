/* SPDX-License-Identifier: MIT */
/* Following an answer, and choosing who goes on with it; see rescue.h. */
#include "manager/rescue.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/tokens.h"
#include "manager/usage.h"
#include <patchbay/json.h>

struct rescue {
    const struct call_request *ask; /* the call's */
    const struct plan *plan;
    struct buf sent; /* the text that the client has */
    bool off;        /* what it has cannot be gone on with */

    /* the attempt under way */
    size_t from;  /* what it has added to `sent` begins here */
    size_t match; /* up to here, `sent` is what it repeats ... */
    size_t until; /* ... which it has to do up to here */
    bool active, goes_on;
    bool answered;     /* it has said something */
    bool block_hidden; /* a sealed block was kept back */

    /* all of them */
    size_t broken;                 /* the target that broke first */
    uint32_t continued, restarted; /* bits of targets asked in that way */
    struct err first;
    pbay_usage used;
    struct call_request again;
    struct buf body;
    pbay_kv *members;
};

_Static_assert(PLAN_MAX <= 32, "a bit for each target");

struct rescue *rescue_new(const struct call_request *r, const struct plan *p)
{
    struct rescue *s;

    if (!r->rescue || r->op != PBAY_OP_CHAT || !r->stream || p->n < 2)
        return NULL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->ask = r;
    s->plan = p;
    buf_init(&s->sent, RESCUE_MAX);
    buf_init(&s->body, LIM_HTTP_BODY * 2);
    return s;
}

void rescue_free(struct rescue *s)
{
    if (!s)
        return;
    buf_done(&s->sent);
    buf_done(&s->body);
    free(s->members);
    free(s);
}

/* --- following ----------------------------------------------------------- */

static void give_up(struct rescue *s)
{
    s->off = true;
    buf_done(&s->sent);
    buf_init(&s->sent, RESCUE_MAX);
    s->from = s->match = s->until = 0;
}

static bool repeating(const struct rescue *s)
{
    return s->active && s->match < s->until;
}

/* How much of `text` repeats what was sent and is still to be matched. */
static size_t repeated(const struct rescue *s, pbay_str text)
{
    const char *sent = buf_str(&s->sent).p + s->match;
    size_t left = s->until - s->match, n = 0;

    while (n < text.n && n < left && text.p[n] == sent[n])
        n++;
    return n;
}

static enum rescue_say on_text(struct rescue *s, const pbay_event **ev,
                               pbay_event *room)
{
    pbay_str text = (*ev)->text;
    size_t n;

    if (repeating(s)) {
        n = repeated(s, text);
        s->match += n;
        if (n == text.n)
            return RESCUE_KEEP;
        /* White space that a provider wants no turn to end with was cut off;
         * whoever goes on without it says nothing wrong. */
        if (s->match < s->until && !s->goes_on)
            return RESCUE_WRONG;
        s->match = s->until;
        *room = **ev;
        room->text = text = str_n(text.p + n, text.n - n);
        if (n)
            room->json = STR_NONE; /* of more than is shown */
        *ev = room;
    }
    if (!s->off && buf_add(&s->sent, text) < 0)
        give_up(s);
    return RESCUE_SHOW;
}

enum rescue_say rescue_event(struct rescue *s, const pbay_event **ev,
                             pbay_event *room)
{
    if ((*ev)->type == PBAY_EV_CONTENT)
        return RESCUE_SHOW;
    s->answered = true;
    if ((*ev)->choice) {
        if (repeating(s))
            return RESCUE_WRONG;
        give_up(s);
        return RESCUE_SHOW;
    }
    switch ((*ev)->type) {
    case PBAY_EV_TEXT:
        return on_text(s, ev, room);
    case PBAY_EV_REASONING:
        return s->active ? RESCUE_KEEP : RESCUE_SHOW;
    case PBAY_EV_ANNOTATION: /* it counts from where its answer begins */
        return repeating(s) || (s->active && s->goes_on) ? RESCUE_KEEP
                                                         : RESCUE_SHOW;
    case PBAY_EV_BLOCK:
        if (!repeating(s))
            break;
        s->block_hidden = true;
        return RESCUE_KEEP;
    case PBAY_EV_CALL:
        /* A call may need the block that was sealed before it. */
        if (repeating(s) || s->block_hidden)
            return RESCUE_WRONG;
        break;
    default: /* a refusal, the stop */
        if (repeating(s) && !s->goes_on)
            return RESCUE_WRONG;
    }
    give_up(s);
    return RESCUE_SHOW;
}

/* --- what to ask --------------------------------------------------------- */

/* The request's canonical form, for which the dialect keeps one copy. */
static int canonical(const struct rescue *s, struct call_body *body)
{
    const struct call_request *r = s->ask;
    struct err e;

    *body = (struct call_body){r->body, r->members, r->n_members};
    err_clear(&e);
    return r->translate ? r->translate(r->translate_arg, body, &e) : 0;
}

static pbay_str without_space(pbay_str s)
{
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* The messages without their closing bracket, and one more.  An answer that
 * the client itself had begun is not begun twice. */
static int put_messages(struct buf *b, pbay_str list, pbay_str text)
{
    size_t n = list.n, pos = 0;
    pbay_str any, last = STR_NONE;
    int rc;

    while (pbay_json_next(list, &pos, NULL, &any) > 0)
        last = any;
    if (!last.n || pbay_json_is(pbay_json_get(last, "role"), "assistant"))
        return -1;
    while (n && list.p[n - 1] != ']')
        n--;
    rc = buf_add(b, str_n(list.p, n ? n - 1 : 0));
    rc |= buf_addc(b, ",{\"role\":\"assistant\",\"content\":");
    rc |= buf_json(b, text);
    return rc | buf_addc(b, "}]");
}

static int put_body(struct buf *b, const struct call_body *body, pbay_str text)
{
    int rc = buf_addc(b, "{");

    for (size_t i = 0; i < body->n_members; i++) {
        const pbay_kv *m = &body->members[i];
        rc |= buf_addc(b, i ? ",\"" : "\"");
        rc |= buf_add(b, m->k);
        rc |= buf_addc(b, "\":");
        if (str_is(m->k, "messages"))
            rc |= put_messages(b, m->v, text);
        else
            rc |= buf_add(b, m->v);
    }
    return rc | buf_addc(b, "}");
}

static void asks(struct rescue *s, bool goes_on)
{
    s->again = *s->ask;
    s->again.no_pass = true; /* its own beginning is of no use to the client */
    s->goes_on = goes_on;
    s->answered = s->block_hidden = false;
    s->until = s->sent.n;
    s->match = 0;
    s->from = goes_on ? s->sent.n : 0;
}

/* 0, or -1: it cannot be put so. */
static int ask_to_go_on(struct rescue *s)
{
    pbay_str text = without_space(buf_str(&s->sent));
    pbay_kv found[LIM_MEMBERS];
    struct call_body body;
    size_t n;

    buf_reset(&s->body, 0);
    if (!text.n || canonical(s, &body) < 0 ||
        put_body(&s->body, &body, text) < 0 ||
        pbay_json_members(buf_str(&s->body), found, LIM_MEMBERS, &n, NULL) < 0)
        return -1;
    free(s->members);
    s->members = malloc(n * sizeof(*found));
    if (!s->members)
        return -1;
    memcpy(s->members, found, n * sizeof(*found));
    asks(s, true);
    s->match = text.n;
    s->again.go_on = true;
    s->again.dialect = STR("canonical/1");
    s->again.body = buf_str(&s->body);
    s->again.members = s->members;
    s->again.n_members = n;
    s->again.translate = NULL;
    return 0;
}

/* --- whom to ask --------------------------------------------------------- */

static bool takes_prefill(const struct target *t)
{
    const struct manifest_model *m =
        manifest_model(t->instance->cfg->manifest, t->model);

    for (size_t i = 0; m && m->capabilities && m->capabilities[i]; i++)
        if (strcmp(m->capabilities[i], "prefill") == 0)
            return true;
    return false;
}

static bool choose(struct rescue *s, size_t *next)
{
    const struct plan *p = s->plan;

    for (size_t i = s->broken + 1; i < p->n; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if ((s->continued & bit) || (s->restarted & bit) ||
            !takes_prefill(&p->targets[i]) || ask_to_go_on(s) < 0)
            continue;
        s->continued |= bit;
        *next = i;
        return true;
    }
    for (size_t i = s->broken + 1; i < p->n; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if (s->restarted & bit)
            continue;
        s->restarted |= bit;
        asks(s, false);
        *next = i;
        return true;
    }
    return false;
}

/* It wants no answer that was begun, but may take the request itself. */
static bool refused_prefill(const struct rescue *s, const struct err *e)
{
    return s->goes_on && !s->answered && e &&
           (e->kind == PBAY_E_INVALID || e->kind == ERR_NOT_SUPPORTED);
}

/* What the attempt has used, by estimate where it did not say. */
static void fill_in(const struct rescue *s, pbay_usage *u)
{
    /* What it has said: what it added, and what it repeated. */
    size_t from = s->active && !s->goes_on ? 0 : s->from;
    size_t to = repeating(s) ? s->match : s->sent.n;
    struct call_body body = {s->again.body, s->again.members,
                             s->again.n_members};

    u->size = sizeof(*u);
    if (!(u->known & PBAY_U_OUTPUT) && to > from) {
        u->output = tokens_of(str_n(buf_str(&s->sent).p + from, to - from));
        u->known |= PBAY_U_OUTPUT;
        u->flags |= PBAY_U_ESTIMATED;
    }
    if (!(u->known & PBAY_U_INPUT) && (u->known & PBAY_U_OUTPUT) &&
        ((s->active && s->goes_on) || canonical(s, &body) == 0)) {
        u->input = tokens_of_chat(body.members, body.n_members);
        u->known |= PBAY_U_INPUT;
        u->flags |= PBAY_U_ESTIMATED;
    }
}

bool rescue_next(struct rescue *s, size_t at, const struct err *e,
                 pbay_usage *used, size_t *next)
{
    if (s->off || (e && e->kind == PBAY_E_FILTER))
        return false;
    if (!s->active) {
        if (!e || !err_class(e->kind)->next_target || at + 1 >= s->plan->n)
            return false;
        fill_in(s, used);
        s->first = *e;
        s->broken = at;
        s->active = true;
    } else {
        fill_in(s, used);
        if (!refused_prefill(s, e))
            s->restarted |= UINT32_C(1) << at;
    }
    if (!choose(s, next))
        return false;
    usage_add(&s->used, used);
    return true;
}

/* --- accounts and the end ------------------------------------------------ */

void rescue_total(const struct rescue *s, pbay_usage *used)
{
    if (s && s->used.known)
        usage_add(used, &s->used);
}

const struct call_request *rescue_request(const struct rescue *s,
                                          const struct call_request *r)
{
    return rescue_active(s) ? &s->again : r;
}

bool rescue_active(const struct rescue *s)
{
    return s && s->active;
}

bool rescue_goes_on(const struct rescue *s)
{
    return s->goes_on;
}

bool rescue_has_text(const struct rescue *s)
{
    return s->sent.n > 0;
}

const struct err *rescue_error(const struct rescue *s, const struct err *last)
{
    if (!rescue_active(s) || (last && last->kind == PBAY_E_FILTER))
        return last;
    return &s->first;
}
