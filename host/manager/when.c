/* SPDX-License-Identifier: MIT */
/* Conditions and conversations; see when.h. */
#include "manager/when.h"

#include "base/hash.h"
#include "base/str.h"
#include <patchbay/json.h>

/* --- conditions ---------------------------------------------------------- */

static pbay_str header(const struct ask *q, const char *name)
{
    return q->way && q->way->header ? q->way->header(q->way->arg, name)
                                    : STR_NONE;
}

/* "a|b*" */
static bool any_of(pbay_str patterns, pbay_str v)
{
    while (patterns.p)
        if (str_glob(v, str_cut(&patterns, '|')))
            return true;
    return false;
}

static bool any_tag(pbay_str patterns, pbay_str tags)
{
    while (tags.n)
        if (any_of(patterns, str_trim(str_cut(&tags, ','))))
            return true;
    return false;
}

pbay_str when_user(const struct ask *q)
{
    pbay_str v;

    if (!q->want)
        return STR_NONE;
    v = pbay_json_find(q->want->members, q->want->n_members, "user");
    if (!v.n)
        v = pbay_json_get(
            pbay_json_find(q->want->members, q->want->n_members, "metadata"),
            "user_id");
    return pbay_json_type(v) == 's' ? str_n(v.p + 1, v.n - 2) : STR_NONE;
}

static bool in_time(const struct cfg_term *t, const struct ask *q)
{
    int64_t wall = q->clock ? clock_wall(q->clock) : 0;
    int now = (int)(wall / 60000 % 1440);

    return t->from < t->to ? now >= t->from && now < t->to
                           : now >= t->from || now < t->to;
}

static bool term_holds(const struct cfg_term *t, const struct ask *q)
{
    switch (t->kind) {
    case WHEN_KEY:
        return any_of(t->value, q->way ? q->way->key : STR_NONE);
    case WHEN_USER:
        return any_of(t->value, when_user(q));
    case WHEN_TAG:
        return any_tag(t->value, header(q, "x-patchbay-tags"));
    case WHEN_HEADER:
        return any_of(t->value, header(q, t->name));
    case WHEN_OVER:
        return q->want && want_input(q->want) > t->n;
    case WHEN_UNDER:
        return !q->want || want_input(q->want) < t->n;
    case WHEN_TIME:
        return in_time(t, q);
    }
    return false;
}

bool when_holds(const struct cfg_when *w, const struct ask *q)
{
    for (size_t i = 0; i < w->n; i++)
        if (!term_holds(&w->terms[i], q))
            return false;
    return true;
}

/* --- conversations ------------------------------------------------------- */

/* The messages to the first of the user's.  Whether there is one. */
static bool mix_messages(uint64_t *h, pbay_str list)
{
    size_t pos = 0;
    pbay_str m;

    while (pbay_json_type(list) == 'a' &&
           pbay_json_next(list, &pos, NULL, &m) > 0) {
        *h = hash_add(*h, pbay_json_get(m, "content"));
        if (pbay_json_is(pbay_json_get(m, "role"), "user"))
            return true;
    }
    if (pbay_json_type(list) == 's')
        *h = hash_add(*h, list);
    return pbay_json_type(list) == 's';
}

bool when_session(const struct ask *q, uint64_t *out)
{
    pbay_str named = header(q, "x-patchbay-session");
    const struct want *w = q->want;
    bool any;

    *out = hash_add(HASH_START, q->way ? q->way->key : STR_NONE);
    *out = hash_add(*out, named);
    if (named.n || !w)
        return named.n > 0;
    *out = hash_add(*out, pbay_json_find(w->members, w->n_members, "system"));
    *out = hash_add(*out,
                    pbay_json_find(w->members, w->n_members, "instructions"));
    any =
        mix_messages(out, pbay_json_find(w->members, w->n_members, "messages"));
    return any ||
           mix_messages(out, pbay_json_find(w->members, w->n_members, "input"));
}
