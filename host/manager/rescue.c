/* SPDX-License-Identifier: MIT */
/* Following an answer, and choosing who goes on with it; see rescue.h. */
#include "manager/rescue_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/account.h"
#include "manager/usage.h"
#include <patchbay/json.h>

_Static_assert(PLAN_MAX <= 32, "a bit for each target");

/* Does it ask for one answer, and of nothing but words?  Sounds and pictures
 * are no events of a passed stream. */
static bool one_of_words(const struct call_request *r)
{
    pbay_str n = pbay_json_find(r->members, r->n_members, "n");
    pbay_str kinds = pbay_json_find(r->members, r->n_members, "modalities");
    pbay_str kind;
    size_t pos = 0;
    int64_t choices;

    if (pbay_json_i64(n, &choices) == 0 && choices > 1)
        return false;
    while (pbay_json_next(kinds, &pos, NULL, &kind) > 0)
        if (!pbay_json_is(kind, "text"))
            return false;
    return true;
}

struct rescue *rescue_new(const struct manager *m, const struct call_request *r,
                          const struct plan *p)
{
    struct rescue *s;

    if (!r->rescue || r->op != PBAY_OP_CHAT || !r->stream || p->n < 2 ||
        !one_of_words(r))
        return NULL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->m = m;
    s->ask = r;
    s->plan = p;
    buf_init(&s->sent, RESCUE_MAX);
    for (int i = 0; i < 2; i++)
        buf_init(&s->bodies[i].text, LIM_HTTP_BODY * 2);
    return s;
}

void rescue_free(struct rescue *s)
{
    if (!s)
        return;
    buf_done(&s->sent);
    for (int i = 0; i < 2; i++) {
        buf_done(&s->bodies[i].text);
        free(s->bodies[i].members);
    }
    free(s);
}

/* --- following ----------------------------------------------------------- */

static void give_up(struct rescue *s)
{
    s->off = true;
    buf_done(&s->sent);
    buf_init(&s->sent, RESCUE_MAX);
    s->match = s->until = s->shown_to = s->record_from = 0;
}

/* Does it still have to say what the client has?  White space that was cut off
 * is no more than skipped. */
static bool repeating(const struct rescue *s)
{
    return s->active && !s->goes_on && s->match < s->until;
}

/* How much of `text` the client has. */
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

    if (s->active && s->match < s->until) {
        n = repeated(s, text);
        s->match += n;
        if (n == text.n)
            return RESCUE_KEEP;
        if (repeating(s))
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

/* Something else than text, behind which the answer cannot be gone on with. */
static enum rescue_say on_other(struct rescue *s)
{
    if (repeating(s))
        return RESCUE_WRONG;
    give_up(s);
    return RESCUE_SHOW;
}

enum rescue_say rescue_event(struct rescue *s, const pbay_event **ev,
                             pbay_event *room)
{
    if ((*ev)->type == PBAY_EV_CONTENT)
        return RESCUE_SHOW;
    s->answered = true;
    if (s->active && (*ev)->type != PBAY_EV_STOP)
        tokens_add(&s->said, (*ev)->text);
    if ((*ev)->choice)
        return on_other(s);
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
            return on_other(s);
        s->block_hidden = true;
        return RESCUE_KEEP;
    case PBAY_EV_CALL:
        /* A call may need the block that was sealed before it. */
        return s->block_hidden ? RESCUE_WRONG : on_other(s);
    default: /* a refusal, the stop */
        return on_other(s);
    }
}

void rescue_record(struct rescue *s, uint64_t number)
{
    if (s->record == number)
        return;
    s->record = number;
    s->record_from = s->sent.n;
}

void rescue_withheld(struct rescue *s, uint64_t number)
{
    if (s->record == number && s->record_from < s->sent.n)
        s->sent.n = s->record_from;
}

/* --- what follows ---------------------------------------------------- */

/* It wants no answer that was begun, but may take the request itself. */
static bool refused_prefill(const struct rescue *s, const struct err *e)
{
    return s->goes_on && !s->answered && e &&
           (e->kind == PBAY_E_INVALID || e->kind == ERR_NOT_SUPPORTED);
}

/* What the attempt has said, in tokens. */
static uint64_t said(const struct rescue *s)
{
    return s->active ? tokens_sum(&s->said) : tokens_of(buf_str(&s->sent));
}

/* What it was asked, in tokens. */
static uint64_t asked(struct rescue *s)
{
    struct call_body body;

    if (s->active && s->goes_on)
        return tokens_of_chat(s->again.members, s->again.n_members);
    if (!s->prompt && rescue_canonical(s, &body) == 0)
        s->prompt = tokens_of_chat(body.members, body.n_members);
    return s->prompt;
}

/* What the attempt has used, by estimate where it did not say; or where it
 * broke and has said it long before, at its beginning, say. */
static void fill_in(struct rescue *s, pbay_usage *u, bool broke)
{
    uint64_t out = said(s);

    u->size = sizeof(*u);
    if (out &&
        (!(u->known & PBAY_U_OUTPUT) || (broke && u->output < out / 2))) {
        u->output = out;
        u->known |= PBAY_U_OUTPUT;
        u->flags |= PBAY_U_ESTIMATED;
        u->known &= ~(uint32_t)PBAY_U_COST; /* of less than this */
    }
    if (!(u->known & PBAY_U_INPUT) && (u->known & PBAY_U_OUTPUT)) {
        u->input = asked(s);
        u->known |= PBAY_U_INPUT;
        u->flags |= PBAY_U_ESTIMATED;
    }
}

/* Each at its own target's price. */
static void add_up(struct rescue *s, size_t at, pbay_usage *used)
{
    if (!used->known)
        return;
    if (!account_cost(&s->plan->targets[at], used, s->m->loop->clock))
        s->unpriced = true;
    usage_add(&s->used, used);
}

bool rescue_next(struct rescue *s, size_t at, const struct err *e,
                 pbay_usage *used, size_t *next)
{
    bool first = !s->active;

    if (s->off || (e && e->kind == PBAY_E_FILTER))
        return false;
    if (first &&
        (!e || !err_class(e->kind)->next_target || at + 1 >= s->plan->n))
        return false;
    fill_in(s, used, true);
    if (first) {
        s->first = *e;
        s->broken = at;
        s->shown = used->known & PBAY_U_OUTPUT ? used->output : 0;
        s->shown_to = s->sent.n;
        s->active = true;
    } else if (!refused_prefill(s, e)) {
        s->restarted |= UINT32_C(1) << at;
    }
    if (!rescue_choose(s, next))
        return false;
    add_up(s, at, used);
    return true;
}

/* --- accounts and the end ------------------------------------------------ */

void rescue_fill(struct rescue *s, pbay_usage *used)
{
    if (rescue_active(s))
        fill_in(s, used, false);
}

bool rescue_total(struct rescue *s, size_t at, pbay_usage *used)
{
    if (!s || !s->used.known)
        return true;
    add_up(s, at, used);
    *used = s->used;
    if (s->unpriced)
        used->known &= ~(uint32_t)PBAY_U_COST;
    return !s->unpriced;
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

const struct err *rescue_error(const struct rescue *s, const struct err *last)
{
    if (!rescue_active(s) || (last && last->kind == PBAY_E_FILTER))
        return last;
    return &s->first;
}
