/* SPDX-License-Identifier: MIT */
/* Asking once more for an answer that does not match its schema: the same
 * conversation, with that answer and what is wrong with it behind. */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/guard_int.h"
#include "manager/usage.h"
#include <patchbay/json.h>

#define SCHEMA_SHOWN LIM_KIB(32) /* of the schema, in the request's words */

static int put_words(struct buf *b, const struct guard *g)
{
    struct buf words;
    int rc;

    buf_init(&words, LIM_KIB(128));
    rc =
        buf_addc(&words, "Your answer is not what the JSON schema asks for:\n");
    rc |= buf_add(&words, buf_str(&g->faults));
    if (g->text.n <= SCHEMA_SHOWN) {
        rc |= buf_addc(&words, "The schema is:\n");
        rc |= buf_add(&words, g->text);
        rc |= buf_addc(&words, "\n");
    }
    rc |= buf_addc(&words,
                   "Answer again, with nothing but the JSON value: no other "
                   "words, no code fence.");
    rc |= buf_json(b, buf_str(&words));
    buf_done(&words);
    return rc;
}

/* The messages without their closing bracket, and two more. */
static int put_messages(struct buf *b, const struct guard *g, pbay_str list)
{
    size_t n = list.n, pos = 0;
    pbay_str any;
    int rc;

    while (n && list.p[n - 1] != ']')
        n--;
    rc = buf_add(b, str_n(list.p, n ? n - 1 : 0));
    if (pbay_json_next(list, &pos, NULL, &any) > 0)
        rc |= buf_addc(b, ",");
    if (g->choices[0].text.n) { /* some providers take no empty message */
        rc |= buf_addc(b, "{\"role\":\"assistant\",\"content\":");
        rc |= buf_json(b, buf_str(&g->choices[0].text));
        rc |= buf_addc(b, "},");
    }
    rc |= buf_addc(b, "{\"role\":\"user\",\"content\":");
    rc |= put_words(b, g);
    return rc | buf_addc(b, "}]");
}

static int put_body(struct buf *b, const struct guard *g,
                    const struct call_body *body)
{
    int rc = buf_addc(b, "{");

    for (size_t i = 0; i < body->n_members; i++) {
        const pbay_kv *m = &body->members[i];
        rc |= buf_addc(b, i ? ",\"" : "\"");
        rc |= buf_add(b, m->k);
        rc |= buf_addc(b, "\":");
        if (str_is(m->k, "messages"))
            rc |= put_messages(b, g, m->v);
        else
            rc |= buf_add(b, m->v);
    }
    return rc | buf_addc(b, "}");
}

bool guard_repairs(struct guard *g, const struct call_request *r,
                   const pbay_usage *used)
{
    struct call_body body = {r->body, r->members, r->n_members};
    pbay_kv found[LIM_MEMBERS];
    pbay_kv *members;
    struct err e;
    size_t n;

    if (g->cfg.check != SCHEMA_CHECK_REPAIR || !g->held || g->repaired ||
        g->n_choices != 1)
        return false;
    g->repaired = true;
    /* What this host cannot say in its own form cannot be asked for again. */
    if (r->translate && r->translate(r->translate_arg, &body, &e) < 0)
        return false;
    buf_init(&g->answer, LIM_HTTP_BODY * 2);
    if (put_body(&g->answer, g, &body) < 0 ||
        pbay_json_members(buf_str(&g->answer), found, LIM_MEMBERS, &n, NULL) <
            0)
        return false;
    members = arena_alloc(&g->arena, n * sizeof(*members));
    if (!members)
        return false;
    memcpy(members, found, n * sizeof(*members));
    g->again = *r;
    g->again.dialect = STR("canonical/1");
    g->again.no_pass = true;
    g->again.body = buf_str(&g->answer);
    g->again.members = members;
    g->again.n_members = n;
    g->again.translate = NULL;
    usage_add(&g->used, used);
    g->repairing = true;
    return true;
}

const struct call_request *guard_request(const struct guard *g,
                                         const struct call_request *r)
{
    return g && g->repairing ? &g->again : r;
}

bool guard_total(const struct guard *g, pbay_usage *used)
{
    if (!g->used.known)
        return false;
    usage_add(used, &g->used);
    return true;
}
