/* SPDX-License-Identifier: MIT */
/* Reading a request body of the OpenAI dialect: one scan, no tree.  Aliases of
 * parameters are renamed in place; everything else stays as the client wrote
 * it. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "dialect/openai.h"
#include <patchbay/json.h>

/* name NULL: a context size, which no OpenAI-compatible endpoint takes. */
static const struct alias {
    pbay_str key;
    const char *alias, *name;
} aliases[] = {
#define ALIAS(alias, name)           \
    {                                \
        PBAY_LIT(alias), alias, name \
    }
    ALIAS("temp", "temperature"),
    ALIAS("nucleus_sampling", "top_p"),
    ALIAS("max_length", "max_completion_tokens"),
    ALIAS("context", NULL),
    ALIAS("context_length", NULL),
    ALIAS("ctx_size", NULL),
#undef ALIAS
};

static const struct alias *alias_of(pbay_str key)
{
    for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++)
        if (str_eq(key, aliases[i].key))
            return &aliases[i];
    return NULL;
}

/* The same value, white space aside?  Both were checked to be JSON. */
static bool same_value(pbay_str a, pbay_str b)
{
    double p, q;

    if (str_eq(a, b))
        return true;
    return pbay_json_f64(a, &p) == 0 && pbay_json_f64(b, &q) == 0 && !(p < q) &&
           !(q < p);
}

/* One alias: renamed, dropped beside an equal value, or refused. */
static int alias_apply(struct dialog *x, size_t i, const struct alias *al,
                       bool *changed, struct err *e)
{
    pbay_str other;

    if (!al->name || x->op != PBAY_OP_CHAT) {
        dl_bad(e, al->alias, "unsupported_parameter",
               "\"%s\" is not something this endpoint takes; remove it",
               al->alias);
        return -1;
    }
    other = pbay_json_find(x->members, x->n_members, al->name);
    if (!other.p && strcmp(al->alias, "max_length") == 0)
        other = pbay_json_find(x->members, x->n_members, "max_tokens");
    if (other.p && !same_value(other, x->members[i].v)) {
        dl_bad(
            e, al->alias, "invalid_value",
            "\"%s\" is an alias and stands beside its name with another value; "
            "send one of them",
            al->alias);
        return -1;
    }
    x->members[i].k = other.p ? STR_NONE : str_c(al->name);
    *changed = true;
    return 0;
}

/* What each operation cannot do without. */
static int required(struct dialog *x, struct err *e)
{
    const char *name = x->op == PBAY_OP_CHAT    ? "messages"
                       : x->op == PBAY_OP_IMAGE ? "prompt"
                                                : "input";
    pbay_str v = pbay_json_find(x->members, x->n_members, name);

    if (!v.p) {
        dl_bad(e, name, "missing_required_parameter",
               "missing required parameter: \"%s\"", name);
        return -1;
    }
    if (x->op == PBAY_OP_CHAT && pbay_json_type(v) != 'a') {
        dl_bad(e, name, "invalid_type", "\"%s\" must be an array", name);
        return -1;
    }
    return 0;
}

static int read_stream_options(struct dialog *x, struct err *e)
{
    pbay_str v = pbay_json_find(x->members, x->n_members, "stream_options");
    char type = pbay_json_type(v);

    if (!v.p || type == '0')
        return 0;
    if (type != 'o') {
        dl_bad(e, "stream_options", "invalid_type", "\"%s\" must be an object",
               "stream_options");
        return -1;
    }
    x->include_usage = pbay_json_true(pbay_json_get(v, "include_usage"));
    return 0;
}

int oa_read_body(struct dialog *x, pbay_str body, struct err *e)
{
    bool changed = false;

    x->body = body;
    if (dl_scan(x, e) < 0)
        return -1;
    for (size_t i = 0; i < x->n_members; i++) {
        const struct alias *al = alias_of(x->members[i].k);
        if (al && alias_apply(x, i, al, &changed, e) < 0)
            return -1;
        if (!str_is(x->members[i].k, "fallbacks") ||
            (x->op != PBAY_OP_CHAT && x->op != PBAY_OP_EMBED))
            continue;
        if (dl_take_fallbacks(x, i, e) < 0)
            return -1;
        changed = true;
    }
    if (changed && dl_rebuild(x, e) < 0)
        return -1;
    if (required(x, e) < 0 || dl_read_model(x, e) < 0 ||
        dl_read_bool(x, "stream", &x->stream, e) < 0 ||
        read_stream_options(x, e) < 0)
        return -1;
    return 0;
}
