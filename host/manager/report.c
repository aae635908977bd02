/* SPDX-License-Identifier: MIT */
/* Copies of what is reported of a call, for those who outlive it. */
#include "manager/call.h"

#include "base/str.h"

static bool dup(struct arena *a, pbay_str *s)
{
    pbay_str from = *s;

    if (!from.p)
        return true;
    *s = arena_dup(a, from);
    return s->p != NULL;
}

static bool dup_c(struct arena *a, const char **s)
{
    pbay_str copy;

    if (!*s)
        return true;
    copy = arena_dup(a, str_c(*s));
    *s = copy.p;
    return copy.p != NULL;
}

static bool dup_warnings(struct arena *a, const struct call_warning **list)
{
    const struct call_warning *from = *list;
    struct call_warning *last = NULL;

    *list = NULL;
    for (; from; from = from->next) {
        struct call_warning *w = arena_alloc(a, sizeof(*w));
        if (!w)
            return false;
        w->name = from->name;
        w->text = from->text;
        if (!dup(a, &w->name) || !dup(a, &w->text))
            return false;
        if (last)
            last->next = w;
        else
            *list = w;
        last = w;
    }
    return true;
}

bool call_report_copy(struct call_report *to, const struct call_report *from,
                      struct arena *a)
{
    *to = *from;
    return dup(a, &to->id) && dup_c(a, &to->provider) && dup(a, &to->model) &&
           dup(a, &to->model_answered) && dup_c(a, &to->reason) &&
           dup_c(a, &to->route) && dup_c(a, &to->arm) && dup(a, &to->usage.units) &&
           dup_warnings(a, &to->warnings);
}
