/* SPDX-License-Identifier: MIT */
/* The operation "moderate" where the provider has no such thing: judged by a
 * chat, see manager/moderate.h. */
#include "admin/control_int.h"
#include "base/limits.h"
#include "base/str.h"
#include "manager/moderate.h"
#include <patchbay/json.h>

static void on_item(void *arg, size_t i, pbay_str json)
{
    struct ctl_conn *c = arg;
    struct buf b;

    (void)i;
    buf_init(&b, LIM_KIB(32));
    buf_addc(&b, "{\"event\":\"item\",\"name\":\"moderation\",\"json\":");
    buf_add(&b, json);
    buf_addc(&b, "}");
    ctl_send(c, buf_str(&b));
    buf_done(&b);
}

static void on_end(void *arg, const struct err *e)
{
    struct ctl_conn *c = arg;
    struct moderate_job *job = c->moderation;
    struct buf b;

    c->moderation = NULL;
    buf_init(&b, LIM_KIB(64));
    buf_addc(&b, "{\"report\":");
    if (!e)
        ctl_put_report(&b, moderate_report(job));
    buf_addc(&b, "}");
    /* The connection may be closed by what it is told. */
    if (e)
        ctl_error(c, e);
    else
        ctl_ok(c, buf_str(&b));
    buf_done(&b);
    moderate_free(job);
}

static const struct moderate_sink sink = {on_item, on_end};

/* The model's name in the body; empty: none. */
static pbay_str model_of(struct ctl_conn *c)
{
    pbay_str v = pbay_json_find(c->members, c->n_members, "model");
    char *p = v.n ? arena_bytes(&c->text_arena, v.n) : NULL;
    int64_t n = p ? pbay_json_unescape(v, p, v.n) : -1;

    return n < 0 ? STR_NONE : str_n(p, (size_t)n);
}

bool ctl_moderate(struct ctl_conn *c, const struct err *e)
{
    struct call_request r = {.id = str_c(c->id), .key_name = STR("control")};
    struct err why;

    if (c->op != PBAY_OP_MODERATE || !c->members || !moderate_may_chat(e))
        return false;
    arena_init(&c->text_arena, LIM_KIB(64));
    r.model = model_of(c);
    c->moderation = moderate_start(&c->host->control_seat->manager, &r,
                                   c->members, c->n_members, &sink, c, &why);
    arena_done(&c->text_arena);
    if (!c->moderation)
        return false;
    ctl_send(c, STR("{\"event\":\"warning\",\"field\":\"" MODERATE_FIELD
                    "\",\"text\":\"" MODERATE_WARNING "\"}"));
    return true;
}

void ctl_moderate_drop(struct ctl_conn *c)
{
    struct moderate_job *job = c->moderation;

    c->moderation = NULL;
    moderate_free(job);
}
