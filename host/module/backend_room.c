/* SPDX-License-Identifier: MIT */
/* Who gets room for a process: those that asked first.  Where none is left, the
 * one unused for longest ends; where all are used, the one unused for longest
 * takes no new calls once somebody has waited LIM_BACKEND_TURN_MS, so that
 * nobody starves. */
#include "module/backend_int.h"

bool be_occupies(const struct backend *b)
{
    return b->state == BE_STARTING || b->state == BE_READY ||
           b->state == BE_STOPPING;
}

enum count {
    NOW,    /* what there is */
    LATER,  /* when those that are stopping have ended */
    AT_LAST /* and those that take nobody new */
};

static bool fits(const struct be_core *c, const struct backend *b,
                 enum count when)
{
    uint64_t memory = b->memory;
    unsigned n = 1;

    for (const struct backend *o = c->all; o; o = o->next) {
        if (o == b || !be_occupies(o) ||
            (when != NOW && o->state == BE_STOPPING) ||
            (when == AT_LAST && o->yields))
            continue;
        n++;
        memory += o->memory;
    }
    return n <= c->caps.max_processes &&
           (!c->caps.max_memory || memory <= c->caps.max_memory);
}

void be_stop(struct backend *b, bool at_once, int64_t now)
{
    b->at_once = at_once || b->state == BE_STARTING;
    be_place_unref(b->place);
    b->place = NULL;
    be_set_state(b, BE_STOPPING, now);
}

/* The one unused for longest that nobody needs now. */
static struct backend *unused(const struct be_core *c)
{
    struct backend *found = NULL;

    for (struct backend *b = c->all; b; b = b->next) {
        bool may = b->state == BE_READY
                       ? !b->held && (b->yields || !b->waiting)
                       : b->state == BE_STARTING && !b->waiting && !b->held;
        if (may && (!found || b->used < found->used))
            found = b;
    }
    return found;
}

/* The one unused for longest of those that are in use. */
static struct backend *busy(const struct be_core *c)
{
    struct backend *found = NULL;

    for (struct backend *b = c->all; b; b = b->next)
        if (b->state == BE_READY && !b->yields &&
            (!found || b->used < found->used))
            found = b;
    return found;
}

static struct backend *first_queued(const struct be_core *c)
{
    struct backend *found = NULL;

    for (struct backend *b = c->all; b; b = b->next)
        if (b->state == BE_QUEUED && (!found || b->since < found->since))
            found = b;
    return found;
}

static void nobody_yields(struct be_core *c)
{
    for (struct backend *b = c->all; b; b = b->next)
        if (b->yields) {
            b->yields = false;
            be_grant(c, b);
        }
}

/* The bound may be a lower one than before. */
static void shrink(struct be_core *c, int64_t now)
{
    struct backend *o;
    unsigned n = 0;

    for (o = c->all; o; o = o->next)
        n += be_occupies(o) && o->state != BE_STOPPING;
    for (; n > c->caps.max_processes && (o = unused(c)); n--)
        be_stop(o, false, now);
}

void be_schedule(struct be_core *c, int64_t now)
{
    struct backend *b, *o;

    shrink(c, now);
    while ((b = first_queued(c)) && fits(c, b, NOW)) {
        b->starts++;
        b->line[0] = '\0';
        be_set_state(b, BE_STARTING, now);
    }
    if (!b) {
        nobody_yields(c);
        return;
    }
    while (!fits(c, b, LATER) && (o = unused(c)))
        be_stop(o, false, now);
    if (now - b->since < LIM_BACKEND_TURN_MS)
        return;
    while (!fits(c, b, AT_LAST) && (o = busy(c)))
        o->yields = true;
}
