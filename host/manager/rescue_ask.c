/* SPDX-License-Identifier: MIT */
/* Who goes on with an answer, and what they are asked; see rescue.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/health.h"
#include "manager/rescue_int.h"
#include <patchbay/json.h>

/* --- what to ask --------------------------------------------------------- */

int rescue_canonical(const struct rescue *s, struct call_body *body)
{
    const struct call_request *r = s->ask;
    struct err e;

    *body = (struct call_body){r->body, r->members, r->n_members};
    err_clear(&e);
    return r->translate ? r->translate(r->translate_arg, body, &e) : 0;
}

/* How many of the last bytes begin a character and do not end it. */
static size_t half_character(pbay_str s)
{
    for (size_t n = 1; n <= 3 && n <= s.n; n++) {
        unsigned char c = (unsigned char)s.p[s.n - n];
        if (c < 0x80)
            return 0;
        if (c >= 0xc0)
            return n < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? n : 0;
    }
    return 0;
}

/* What is asked to be gone on with: some providers want no turn to end with
 * white space. */
static pbay_str to_go_on_with(pbay_str s)
{
    s.n -= half_character(s);
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

/* The output limit without what has been used up of it. */
static int put_limit(struct buf *b, pbay_str value, uint64_t used)
{
    int64_t most;

    if (pbay_json_i64(value, &most) < 0 || most < 1)
        return buf_add(b, value);
    most = used < (uint64_t)most ? most - (int64_t)used : 1;
    return buf_printf(b, "%" PRId64, most);
}

static int put_body(const struct rescue *s, struct buf *b,
                    const struct call_body *body, pbay_str text)
{
    pbay_str rest = buf_str(&s->sent);
    uint64_t used;
    int rc = buf_addc(b, "{");

    rest = str_n(rest.p + s->shown_to, rest.n - s->shown_to);
    used = s->shown + tokens_of(rest);
    for (size_t i = 0; i < body->n_members; i++) {
        const pbay_kv *m = &body->members[i];
        rc |= buf_addc(b, i ? ",\"" : "\"");
        rc |= buf_add(b, m->k);
        rc |= buf_addc(b, "\":");
        if (str_is(m->k, "messages"))
            rc |= put_messages(b, m->v, text);
        else if (str_is(m->k, "max_tokens") ||
                 str_is(m->k, "max_completion_tokens"))
            rc |= put_limit(b, m->v, used);
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
    tokens_init(&s->said);
}

/* 0, or -1: it cannot be put so. */
static int ask_to_go_on(struct rescue *s)
{
    pbay_str text = to_go_on_with(buf_str(&s->sent));
    struct rescue_body *own = &s->bodies[!s->body];
    pbay_kv found[LIM_MEMBERS];
    struct call_body body;

    buf_reset(&own->text, 0);
    if (!text.n || rescue_canonical(s, &body) < 0 ||
        put_body(s, &own->text, &body, text) < 0 ||
        pbay_json_members(buf_str(&own->text), found, LIM_MEMBERS,
                          &own->n_members, NULL) < 0)
        return -1;
    free(own->members);
    own->members = malloc(own->n_members * sizeof(*found));
    if (!own->members)
        return -1;
    memcpy(own->members, found, own->n_members * sizeof(*found));
    s->body = !s->body;
    asks(s, true);
    s->match = text.n;
    s->again.go_on = true;
    s->again.dialect = STR("canonical/1");
    s->again.body = buf_str(&own->text);
    s->again.members = own->members;
    s->again.n_members = own->n_members;
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

/* 0: well, 1: thought to fail, or has asked for time; -1: taken out. */
static int standing(const struct rescue *s, const struct target *t)
{
    int64_t until;

    if (!s->m->health)
        return 0;
    switch (health_look(s->m->health, t->instance->name, t->model,
                        clock_now(s->m->loop->clock), &until)) {
    case HEALTH_GO:
        return 0;
    case HEALTH_HELD:
        return -1;
    default:
        return 1;
    }
}

static bool choose(struct rescue *s, int well, size_t *next)
{
    const struct plan *p = s->plan;

    for (size_t i = s->broken + 1; i < p->n; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if (((s->continued | s->restarted) & bit) ||
            standing(s, &p->targets[i]) != well ||
            !takes_prefill(&p->targets[i]) || ask_to_go_on(s) < 0)
            continue;
        s->continued |= bit;
        *next = i;
        return true;
    }
    for (size_t i = s->broken + 1; i < p->n; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if ((s->restarted & bit) || standing(s, &p->targets[i]) != well)
            continue;
        s->restarted |= bit;
        asks(s, false);
        *next = i;
        return true;
    }
    return false;
}

bool rescue_choose(struct rescue *s, size_t *next)
{
    return choose(s, 0, next) || choose(s, 1, next);
}
