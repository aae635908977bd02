/* SPDX-License-Identifier: MIT */
/* What a guard sees of an answer, holds back of it, and thinks of it.  See
 * guard.h; guard_repair.c has the request for a repair. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "manager/guard_int.h"
#include <patchbay/json.h>

/* --- the schema ---------------------------------------------------------- */

/* Of {"type":"json_schema","schema":..}. */
static pbay_str schema_of(pbay_str format)
{
    return pbay_json_is(pbay_json_get(format, "type"), "json_schema")
               ? pbay_json_get(format, "schema")
               : STR_NONE;
}

/* Where the client's own API has the schema, and what it calls the place. */
static pbay_str find_schema(const struct call_request *r, const char **where)
{
    pbay_str v, s = STR_NONE;

    if (r->op != PBAY_OP_CHAT)
        return STR_NONE;
    if (str_starts(r->dialect, "anthropic.")) {
        v = pbay_json_find(r->members, r->n_members, "output_config");
        *where = "output_config.format";
        s = schema_of(pbay_json_get(v, "format"));
    } else if (str_starts(r->dialect, "ollama.")) {
        *where = "format";
        v = pbay_json_find(r->members, r->n_members, "format");
        s = pbay_json_type(v) == 'o' ? v : STR_NONE;
    } else if (str_starts(r->dialect, "openai.responses")) {
        v = pbay_json_find(r->members, r->n_members, "text");
        *where = "text.format";
        s = schema_of(pbay_json_get(v, "format"));
    } else {
        v = pbay_json_find(r->members, r->n_members, "response_format");
        *where = "response_format";
        if (pbay_json_is(pbay_json_get(v, "type"), "json_schema"))
            s = pbay_json_get(pbay_json_get(v, "json_schema"), "schema");
    }
    return pbay_json_type(s) == '0' ? STR_NONE : s;
}

static void drop_held(struct guard *g)
{
    struct tape_item *it;

    while ((it = g->first) != NULL) {
        g->first = it->next;
        tape_item_free(it);
    }
    g->last = &g->first;
    g->held_bytes = 0;
}

static void forget(struct guard *g)
{
    drop_held(g);
    g->lost = g->large = false;
    for (size_t i = 0; i < g->n_choices; i++)
        buf_done(&g->choices[i].text);
    g->n_choices = 0;
    g->many = g->bad = g->unsure = false;
    buf_reset(&g->faults, 0);
}

void guard_free(struct guard *g)
{
    if (!g)
        return;
    forget(g);
    buf_done(&g->faults);
    buf_done(&g->answer);
    arena_done(&g->arena);
    free(g);
}

int guard_new(const struct call_request *r, const struct cfg_structured *cfg,
              struct guard **out, struct err *e)
{
    static const struct cfg_structured own = {SCHEMA_CHECK_REPAIR,
                                              SCHEMA_STREAMS_HOLD, false};
    const char *where = "";
    pbay_str schema = r->schema;
    struct guard *g;
    char why[512];

    *out = NULL;
    if (schema.n)
        cfg = &own;
    else if (cfg->check != SCHEMA_CHECK_OFF)
        schema = find_schema(r, &where);
    if (!schema.n)
        return 0;
    g = calloc(1, sizeof(*g));
    if (!g) {
        err_set(e, ERR_INTERNAL, "out of memory");
        return -1;
    }
    arena_init(&g->arena, GUARD_MEMORY);
    g->cfg = *cfg;
    g->text = schema;
    g->held = !r->stream || cfg->streams == SCHEMA_STREAMS_HOLD;
    g->last = &g->first;
    buf_init(&g->faults, LIM_KIB(16));
    *out = g;
    if (schema_compile(schema, &g->arena, &g->schema, why, sizeof(why)) == 0)
        return 0;
    g->schema = NULL;
    g->unsupported = arena_dup(&g->arena, str_c(why));
    if (cfg->pass_unsupported)
        return 0;
    guard_free(g);
    *out = NULL;
    err_set(e, PBAY_E_INVALID, "the JSON schema for the answer: %s", why);
    snprintf(e->param, sizeof(e->param), "%s", where);
    strcpy(e->code, "invalid_json_schema");
    return -1;
}

/* --- what comes ---------------------------------------------------------- */

static struct guard_choice *choice_of(struct guard *g, uint32_t i)
{
    for (size_t k = 0; k < g->n_choices; k++)
        if (g->choices[k].number == i)
            return &g->choices[k];
    if (g->n_choices == GUARD_CHOICES) {
        g->many = true;
        return NULL;
    }
    g->choices[g->n_choices] = (struct guard_choice){.number = i};
    buf_init(&g->choices[g->n_choices].text, SCHEMA_VALUE);
    return &g->choices[g->n_choices++];
}

/* A choice is over: what is it? */
static void check(struct guard *g, struct guard_choice *ch)
{
    enum schema_result is =
        ch->lost ? SCHEMA_UNKNOWN
                 : schema_check(g->schema, buf_str(&ch->text), &g->faults);

    if (is == SCHEMA_INVALID)
        g->bad = true;
    else if (is == SCHEMA_UNKNOWN)
        g->unsure = true;
}

void guard_event(struct guard *g, const pbay_event *ev)
{
    struct guard_choice *ch;

    if (!g->schema || (ev->type != PBAY_EV_TEXT && ev->type != PBAY_EV_CALL &&
                       ev->type != PBAY_EV_REFUSAL && ev->type != PBAY_EV_STOP))
        return;
    ch = choice_of(g, ev->choice);
    if (!ch)
        return;
    if (ev->type == PBAY_EV_TEXT && buf_add(&ch->text, ev->text) < 0)
        ch->lost = true;
    else if (ev->type == PBAY_EV_CALL ||
             (ev->type == PBAY_EV_REFUSAL && ev->text.n))
        ch->other = true;
    else if (ev->type == PBAY_EV_STOP && ev->code <= PBAY_STOP_END &&
             !ch->other && !ch->over)
        check(g, ch);
    if (ev->type == PBAY_EV_STOP)
        ch->over = true;
}

bool guard_withholds(const struct guard *g)
{
    return g->bad && !g->held && g->cfg.streams == SCHEMA_STREAMS_ERROR &&
           g->cfg.check != SCHEMA_CHECK_WARN;
}

void guard_again(struct guard *g, bool own)
{
    forget(g);
    if (own)
        g->repairing = false;
}

/* --- what is held back --------------------------------------------------- */

static void keep(struct guard *g, struct tape_item *it)
{
    if (!it || g->lost || g->large) {
        tape_item_free(it);
        g->lost = g->lost || !it;
        return;
    }
    /* A stream has no end that would have to come. */
    g->held_bytes += it->size;
    if (g->held_bytes > LIM_REPLY) {
        tape_item_free(it);
        drop_held(g);
        g->large = true;
        return;
    }
    *g->last = it;
    g->last = &it->next;
}

static void held_begin(void *arg, const struct call_head *h,
                       const struct call_report *r)
{
    keep(arg, tape_begin(h, r));
}

static void held_bytes(void *arg, pbay_str raw)
{
    keep(arg, tape_bytes(raw));
}

static void held_event(void *arg, const pbay_event *ev)
{
    keep(arg, tape_event(ev));
}

/* The answer's begin, with what is to be said of it. */
static void tell_begin(struct guard *g, const struct tape_item *it)
{
    struct call_report r = it->begin->report;
    /* Read only, as the others are. */
    struct call_warning w = {(struct call_warning *)(uintptr_t)r.warnings,
                             STR("response_format"), g->warning};

    r.attempts = g->attempts;
    if (g->warning.n)
        r.warnings = &w;
    g->behind->begin(g->behind_arg, &it->begin->head, &r);
}

static void held_end(void *arg, const struct err *e,
                     const struct call_report *r)
{
    struct guard *g = arg;
    struct err lost;
    /* Of a failure, only the provider's own error body is of interest. */
    bool show = g->first && (!e || (g->first->kind == TAPE_BEGIN &&
                                    g->first->begin->head.error_body));

    if (g->lost) {
        err_clear(&lost);
        err_set(&lost, ERR_INTERNAL, "there is no memory for the answer");
        e = &lost;
        show = false;
    } else if (g->large && !e) {
        err_clear(&lost);
        err_set(&lost, ERR_REPLY_TOO_LARGE,
                "%s: the answer is larger than what is held for a check "
                "against its JSON schema",
                r->provider);
        e = &lost;
        show = false;
    }
    g->attempts = r->attempts;
    for (struct tape_item *it = g->first; show && it && !g->deaf; it = it->next)
        if (it->kind == TAPE_BEGIN)
            tell_begin(g, it);
        else
            tape_tell(it, g->behind, g->behind_arg, r->id, r->total_ms);
    if (!g->deaf)
        g->behind->end(g->behind_arg, e, r);
}

static const struct call_sink held_sink = {held_begin, held_bytes, held_event,
                                           held_end};

void guard_deaf(struct guard *g)
{
    if (g)
        g->deaf = true;
}

bool guard_holds(const struct guard *g)
{
    return g && g->held;
}

const struct call_sink *guard_sink(struct guard *g,
                                   const struct call_sink *behind, void *arg)
{
    g->behind = behind;
    g->behind_arg = arg;
    return &held_sink;
}

/* --- what it thinks of it ------------------------------------------------ */

static void warn(struct guard *g, const struct call_report *r, pbay_str what)
{
    g->warning = arena_dup(&g->arena, what);
    log_line(LOG_WARN, "schema", "the answer is passed on all the same",
             log_str("id", r->id), log_cstr("provider", r->provider),
             log_str("model", r->model), log_str("why", what), LOG_END);
}

bool guard_judge(struct guard *g, const struct call_report *r, struct err *e)
{
    pbay_str faults = buf_str(&g->faults), first = str_cut(&faults, '\n');
    bool lenient = g->cfg.check == SCHEMA_CHECK_WARN ||
                   (!g->held && g->cfg.streams == SCHEMA_STREAMS_WARN);

    g->warning = STR_NONE;
    if (g->unsupported.n)
        warn(g, r, g->unsupported);
    else if (!g->bad && (g->unsure || g->many))
        warn(g, r,
             STR("the answer is too large to be checked against the JSON "
                 "schema"));
    else if (g->bad && lenient)
        warn(g, r,
             arena_printf(&g->arena,
                          "the answer does not match the JSON schema: %.*s",
                          STR_ARG(str_head(first, 160))));
    if (!g->bad || lenient)
        return true;
    err_clear(e);
    err_set(e, ERR_SCHEMA,
            "%s: the answer does not match the JSON schema%s: %.*s",
            r->provider, g->repairing ? ", asked for it again" : "",
            STR_ARG(str_head(first, 400)));
    return false;
}
