/* SPDX-License-Identifier: MIT */
/* openrouter.so: what a message has beside OpenAI's.
 *
 * reasoning_details must come back with the next turn as they were.  In a
 * stream they come in fragments, which are joined here: those of equal type and
 * index are one, their texts joined, of the rest the last value that is not
 * null.  A detail that came in one piece goes on byte for byte. */
#include <string.h>

#include "openrouter.h"

#define DETAILS_MAX 1024u
#define MEMBERS_MAX 12u

struct detail {
    struct detail *next;
    int64_t index; /* -1: none */
    pbay_str type; /* as written, in quotes */
    pbay_str raw;  /* the first fragment */
    pbay_kv members[MEMBERS_MAX];
    uint32_t n_members;
    int joined;
    pbay_out text; /* between the quotes, once joined */
    void *with[2];
};

struct details {
    struct detail *first, **last;
    uint32_t n;
};

static pbay_str copy(const struct openai *o, struct call *c, pbay_str s)
{
    char *p = o->host->alloc(c->call, s.n ? s.n : 1);

    if (p && s.n)
        memcpy(p, s.p, s.n);
    return (pbay_str){p, p ? s.n : 0};
}

static int same(pbay_str a, pbay_str b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static int is_key(pbay_str key, const char *name)
{
    return key.n == strlen(name) && memcmp(key.p, name, key.n) == 0;
}

/* The member that grows. */
static int is_text_key(pbay_str key)
{
    return is_key(key, "text") || is_key(key, "summary") || is_key(key, "data");
}

static struct detail *find(const struct details *all, pbay_str fragment,
                           pbay_str type, int64_t index)
{
    pbay_str id = pbay_json_get(fragment, "id");
    struct detail *d, *found = NULL;

    for (d = all->first; d; d = d->next)
        if (d->index == index && same(d->type, type))
            found = d;
    if (!found || index >= 0)
        return found;
    /* Without an index: what follows its like, unless it has a name. */
    if (found->next || pbay_json_is(type, "reasoning.encrypted"))
        return NULL;
    if (pbay_json_type(id) == 's' && !same(id, pbay_json_get(found->raw, "id")))
        return NULL;
    return found;
}

static pbay_rc add(struct openai *o, struct call *c, struct details *all,
                   pbay_str fragment, int64_t index)
{
    struct detail *d;
    pbay_str key, value;
    size_t pos = 0;

    if (all->n == DETAILS_MAX)
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the reply has more reasoning_details than can be");
    d = o->host->alloc(c->call, sizeof *d);
    if (!d)
        return PBAY_NOMEM;
    d->raw = copy(o, c, fragment);
    if (!d->raw.p)
        return PBAY_NOMEM;
    d->type = pbay_json_get(d->raw, "type");
    d->index = index;
    while (d->n_members < MEMBERS_MAX &&
           pbay_json_next(d->raw, &pos, &key, &value))
        d->members[d->n_members++] = (pbay_kv){key, value};
    *(all->last ? all->last : &all->first) = d;
    all->last = &d->next;
    all->n++;
    return PBAY_OK;
}

static void append(struct detail *d, pbay_str value)
{
    if (pbay_json_type(value) == 's')
        pbay_out_raw(&d->text, (pbay_str){value.p + 1, value.n - 2});
}

/* Its text is copied out when there is more of it. */
static void start_joining(const struct openai *o, struct call *c,
                          struct detail *d)
{
    d->joined = 1;
    d->with[0] = (void *)(uintptr_t)o;
    d->with[1] = c;
    d->text = (pbay_out){.grow = oai_grow, .arg = d->with};
    for (uint32_t i = 0; i < d->n_members; i++)
        if (is_text_key(d->members[i].k))
            append(d, d->members[i].v);
}

static pbay_rc join(const struct openai *o, struct call *c, struct detail *d,
                    pbay_str fragment)
{
    pbay_str key, value;
    size_t pos = 0;

    if (!d->joined)
        start_joining(o, c, d);
    while (pbay_json_next(fragment, &pos, &key, &value)) {
        uint32_t i = 0;
        while (i < d->n_members && !same(d->members[i].k, key))
            i++;
        if (i == MEMBERS_MAX)
            continue;
        if (i < d->n_members) {
            if (is_text_key(key)) {
                append(d, value);
                continue;
            }
            if (pbay_json_type(value) == '0' || same(d->members[i].v, value))
                continue;
        } else {
            d->members[i].k = copy(o, c, key);
            d->n_members++;
            if (is_text_key(key))
                append(d, value);
        }
        d->members[i].v = copy(o, c, value);
        if (!d->members[i].v.p || !d->members[i].k.p)
            return PBAY_NOMEM;
    }
    return d->text.failed ? PBAY_NOMEM : PBAY_OK;
}

static pbay_rc keep(struct openai *o, struct call *c, struct choice *ch,
                    pbay_str fragment)
{
    struct details *all = ch->more;
    struct detail *d;
    pbay_str type = pbay_json_get(fragment, "type");
    int64_t index;

    if (pbay_json_type(fragment) != 'o' || pbay_json_type(type) != 's')
        return PBAY_OK;
    if (!all) {
        all = ch->more = o->host->alloc(c->call, sizeof *all);
        if (!all)
            return PBAY_NOMEM;
    }
    if (pbay_json_i64(pbay_json_get(fragment, "index"), &index) < 0 ||
        index < 0)
        index = -1;
    d = find(all, fragment, type, index);
    return d ? join(o, c, d, fragment) : add(o, c, all, fragment, index);
}

/* --------------------------------------------------------------- the message
 */

static int filled(pbay_str value)
{
    return pbay_json_type(value) == 's' && value.n > 2;
}

/* Reasoning that stands in the details only. */
static pbay_rc visible(struct openai *o, struct call *c,
                       const struct choice *ch, pbay_str fragment)
{
    pbay_event ev = {.type = PBAY_EV_REASONING, .choice = ch->index};
    pbay_str type = pbay_json_get(fragment, "type"), text = {NULL, 0};

    if (pbay_json_is(type, "reasoning.text"))
        text = pbay_json_get(fragment, "text");
    else if (pbay_json_is(type, "reasoning.summary"))
        text = pbay_json_get(fragment, "summary");
    return filled(text) ? oai_emit_text(o, c, &ev, text) : PBAY_OK;
}

/* Things that no event carries are said to be missing, once each. */
static pbay_rc warn(struct openai *o, struct call *c, pbay_str message)
{
    static const pbay_str names[] = {PBAY_LIT("images"), PBAY_LIT("audio"),
                                     PBAY_LIT("annotations")};
    unsigned *warned = c->more;
    pbay_str f[3];
    pbay_rc rc = PBAY_OK;

    oai_fields(message, names, f, 3);
    for (size_t i = 0; i < 3 && rc == PBAY_OK; i++) {
        pbay_event ev = {.type = PBAY_EV_WARNING,
                         .name = names[i],
                         .text = PBAY_LIT("the answer has some; they cannot "
                                          "be told in this request's form")};
        char type = pbay_json_type(f[i]);
        pbay_str v;
        size_t pos = 0;
        if ((type != 'a' && type != 'o') ||
            !pbay_json_next(f[i], &pos, NULL, &v))
            continue;
        if (!warned) {
            warned = c->more = o->host->alloc(c->call, sizeof *warned);
            if (!warned)
                return PBAY_NOMEM;
        }
        if (!(*warned & 1u << i))
            rc = oai_emit(o, c, &ev);
        *warned |= 1u << i;
    }
    return rc;
}

pbay_rc or_message(struct openai *o, struct call *c, struct choice *ch,
                   pbay_str message)
{
    static const pbay_str names[] = {PBAY_LIT("reasoning"),
                                     PBAY_LIT("reasoning_content"),
                                     PBAY_LIT("reasoning_details")};
    pbay_str f[3], fragment;
    size_t pos = 0;
    int told, shown = oai_wants(c, PBAY_EV_REASONING);
    pbay_rc rc = PBAY_OK;

    oai_fields(message, names, f, 3);
    told = filled(f[0]) || filled(f[1]);
    if (pbay_json_type(f[2]) == 'a')
        while (rc == PBAY_OK && pbay_json_next(f[2], &pos, NULL, &fragment)) {
            if (shown && !told)
                rc = visible(o, c, ch, fragment);
            if (rc == PBAY_OK && oai_wants(c, PBAY_EV_BLOCK))
                rc = keep(o, c, ch, fragment);
        }
    /* Passed on, the client sees them itself. */
    if (rc == PBAY_OK && oai_wants(c, PBAY_EV_TEXT))
        rc = warn(o, c, message);
    return rc;
}

/* ---------------------------------------------------------------- the blocks
 */

static pbay_str whole(struct openai *o, struct call *c, const struct detail *d)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};

    if (!d->joined)
        return d->raw;
    for (uint32_t i = 0; i < d->n_members; i++) {
        pbay_str key = d->members[i].k;
        pbay_out_cstr(&w, i ? ",\"" : "{\"");
        pbay_out_raw(&w, key);
        pbay_out_cstr(&w, "\":");
        if (is_text_key(key) && d->text.n) {
            pbay_out_cstr(&w, "\"");
            pbay_out_raw(&w, (pbay_str){d->text.p, d->text.n});
            pbay_out_cstr(&w, "\"");
        } else {
            pbay_out_raw(&w, d->members[i].v);
        }
    }
    pbay_out_cstr(&w, "}");
    return w.failed ? (pbay_str){NULL, 0} : (pbay_str){w.p, w.n};
}

pbay_rc or_before_stop(struct openai *o, struct call *c, struct choice *ch)
{
    const struct details *all = ch->more;
    uint32_t n = 0;
    pbay_rc rc = PBAY_OK;

    if (!all)
        return PBAY_OK;
    for (const struct detail *d = all->first; d && rc == PBAY_OK; d = d->next) {
        pbay_event ev = {
            .type = PBAY_EV_BLOCK, .choice = ch->index, .index = n++};
        ev.name = pbay_text(o->host, c->call, d->type);
        ev.json = whole(o, c, d);
        if (!ev.json.p || !ev.name.p)
            return PBAY_NOMEM;
        rc = oai_emit(o, c, &ev);
    }
    return rc;
}
