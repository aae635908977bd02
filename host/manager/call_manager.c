/* SPDX-License-Identifier: MIT */
/* A loop's manager and the snapshots that its calls hold. */
#include "manager/call.h"

void manager_hold(struct manager *m, struct snapshot *s)
{
    s->refs[m->loop->id]++;
}

void manager_release(struct manager *m, struct snapshot *s)
{
    if (--s->refs[m->loop->id] == 0 && s != m->current)
        m->released(m, s, m->arg);
}

void manager_adopt(struct manager *m, struct snapshot *s)
{
    struct snapshot *old = m->current;

    if (old == s)
        return;
    m->current = s;
    if (old && old->refs[m->loop->id] == 0)
        m->released(m, old, m->arg);
}
