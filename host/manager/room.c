/* SPDX-License-Identifier: MIT */
/* Targets with room for a prompt; the rules are in room.h. */
#include "manager/room.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "manager/suit.h"

/* --- before anybody is asked ---------------------------------------------- */

/* A quarter: the estimator is up to 15 % off with one tokenizer, and others
 * differ from that one by about as much (base/tokens.h). */
bool room_exceeds(struct want *w, uint64_t window)
{
    return window && want_text(w) / 4 * 3 > window;
}

static bool too_small(const struct target *t, struct model_index *models,
                      struct want *w)
{
    struct suit s;

    suit_window(t->instance, models, t->model, &s);
    /* No token has less than a byte: most requests end here. */
    if (w->body.n && s.window > w->body.n)
        return false;
    return room_exceeds(w, s.window);
}

size_t room_order(struct plan *p, struct model_index *models, struct want *w)
{
    struct target later[PLAN_MAX];
    size_t good = 0, bad = 0;

    if (w->op != PBAY_OP_CHAT || p->n < 2 ||
        (!w->has_text && w->body.n < ROOM_LOOK))
        return 0;
    for (size_t i = 0; i < p->n; i++) {
        struct target t = p->targets[i];
        if (too_small(&t, models, w))
            later[bad++] = t;
        else
            p->targets[good++] = t;
    }
    memcpy(&p->targets[good], later, bad * sizeof(*later));
    return bad;
}

/* --- after one has refused it --------------------------------------------- */

/* The window that has been too small; 0: not known.  A server of one's own may
 * run a model with less than its list says, and one that refuses what would
 * fill no half of that does. */
static uint64_t refused_by(const struct target *t, struct model_index *models,
                           struct want *w)
{
    struct suit s;

    suit_window(t->instance, models, t->model, &s);
    if (s.loose &&
        want_input(w) + want_most(w->members, w->n_members) < s.window / 2)
        return 0;
    return s.window;
}

enum room {
    ROOM_LARGER,
    ROOM_UNKNOWN,
    ROOM_NONE
};

static enum room room_of(const struct target *t, const struct target *small,
                         uint64_t window, struct model_index *models, char *why,
                         size_t room)
{
    struct suit s;

    suit_window(t->instance, models, t->model, &s);
    if (!s.window || !window)
        return ROOM_UNKNOWN;
    if (s.window > window)
        return ROOM_LARGER;
    snprintf(why, room,
             "its window of %llu tokens is not larger than the %llu of %.64s",
             (unsigned long long)s.window, (unsigned long long)window,
             small->instance->name);
    return ROOM_NONE;
}

void room_larger(struct plan *p, size_t at, struct model_index *models,
                 struct want *w, struct room_left *left)
{
    struct target unknown[PLAN_MAX], small = p->targets[at];
    uint64_t window = refused_by(&small, models, w);
    size_t n = at + 1, n_unknown = 0;
    char why[sizeof(left->of[0].why)];

    if (left)
        left->n = 0;
    for (size_t i = at + 1; i < p->n; i++) {
        struct target t = p->targets[i];
        switch (room_of(&t, &small, window, models, why, sizeof(why))) {
        case ROOM_LARGER:
            p->targets[n++] = t;
            break;
        case ROOM_UNKNOWN:
            unknown[n_unknown++] = t;
            break;
        case ROOM_NONE:
            if (!left)
                break;
            left->of[left->n].target = t;
            memcpy(left->of[left->n++].why, why, sizeof(why));
            break;
        }
    }
    memcpy(&p->targets[n], unknown, n_unknown * sizeof(*unknown));
    p->n = n + n_unknown;
}
