/* SPDX-License-Identifier: MIT */
/* What is told about an answer: route, tokens and times, or all of it as JSON.
 */
#include "config.h"

#include "cli/answer.h"

#include <errno.h>

#include "base/str.h"

static void tell_tokens(struct out *o, struct json_object *usage)
{
    int64_t cached = js_int(usage, "cache_read", 0);
    int64_t reasoning = js_int(usage, "reasoning", 0);

    if (!usage) {
        out_c(o, "tokens: not reported\n");
        return;
    }
    out_f(o, "tokens: %s%lld in",
          js_bool(usage, "estimated", false) ? "about " : "",
          (long long)js_int(usage, "input", 0));
    if (cached)
        out_f(o, " (%lld cached)", (long long)cached);
    out_f(o, ", %lld out", (long long)js_int(usage, "output", 0));
    if (reasoning)
        out_f(o, " (%lld reasoning)", (long long)reasoning);
    if (js_get(usage, "cost_nano")) {
        out_f(o, "; cost %.9g ", (double)js_int(usage, "cost_nano", 0) / 1e9);
        out_text(o, js_str(usage, "currency", STR("")));
    }
    out_c(o, "\n");
}

void answer_report(struct cli *cli, const struct answer *a)
{
    struct out *o = &cli->err;
    struct json_object *r = a->report;
    pbay_str answered = js_str(r, "model_answered", STR(""));
    pbay_str model = js_str(r, "model", STR(""));

    if (!model.n) /* the provider's default */
        model = answered;
    out_flush(&cli->out);
    out_fresh_line(o);
    out_c(o, "route:  ");
    out_text(o, js_str(r, "provider", STR("?")));
    out_c(o, "/");
    out_text(o, model);
    out_c(o, " (");
    out_text(o, js_str(r, "reason", STR("no rule named")));
    if (js_int(r, "attempts", 1) != 1)
        out_f(o, "; %lld attempts", (long long)js_int(r, "attempts", 1));
    out_c(o, ")");
    if (answered.n && !str_eq(answered, model)) {
        out_c(o, ", answered by ");
        out_text(o, answered);
    }
    out_c(o, "\n");
    tell_tokens(o, js_typed(r, "usage", json_type_object));
    out_c(o, "time:   ");
    if (js_int(r, "first_ms", -1) >= 0)
        out_f(o, "%lld ms to the first token, ",
              (long long)js_int(r, "first_ms", 0));
    out_f(o, "%lld ms in all; request ", (long long)js_int(r, "total_ms", 0));
    out_text(o, js_str(r, "request_id", STR("?")));
    out_c(o, "\n");
    out_flush(o);
}

static int add_text(struct json_object *o, const char *name,
                    const struct buf *b)
{
    return b->n ? js_add_str(o, name, buf_str(b)) : 0;
}

static int add_error(struct json_object *o, const struct client_error *e)
{
    struct json_object *err = json_object_new_object();

    if (!err || js_add_str(err, "kind", str_c(e->kind)) ||
        js_add_str(err, "message", str_c(e->text))) {
        json_object_put(err);
        return -ENOMEM;
    }
    return js_add(o, "error", err);
}

static int add_call(struct json_object *list, const struct answer_call *call)
{
    struct json_object *c = json_object_new_object();
    int rc = c ? 0 : -ENOMEM;

    if (!rc && call->id)
        rc = js_add_str(c, "id", str_c(call->id));
    if (!rc && call->name)
        rc = js_add_str(c, "name", str_c(call->name));
    rc = rc ? rc : js_add_str(c, "arguments", buf_str(&call->arguments));
    if (!rc && json_object_array_add(list, c))
        rc = -ENOMEM;
    if (rc)
        json_object_put(c);
    return rc;
}

static int add_calls(struct json_object *o, const struct answer *a)
{
    struct json_object *list = json_object_new_array();
    int rc = list ? 0 : -ENOMEM;

    for (size_t i = 0; i < a->n_calls && !rc; i++)
        rc = add_call(list, &a->calls[i]);
    if (!rc)
        return js_add(o, "tool_calls", list);
    json_object_put(list);
    return rc;
}

struct json_object *answer_json(const struct answer *a,
                                const struct client_error *error)
{
    struct json_object *o = json_object_new_object();
    int rc = o ? js_add_str(o, "text", buf_str(&a->text)) : -ENOMEM;

    rc = rc ? rc : add_text(o, "reasoning", &a->reasoning);
    rc = rc ? rc : add_text(o, "refusal", &a->refusal);
    if (!rc && a->calls)
        rc = add_calls(o, a);
    if (!rc && a->stop)
        rc = js_add_str(o, "stop", str_c(a->stop));
    if (!rc && a->warnings)
        rc = js_add(o, "warnings", json_object_get(a->warnings));
    if (!rc && a->report)
        rc = js_add(o, "report", json_object_get(a->report));
    if (!rc && error)
        rc = add_error(o, error);
    if (!rc)
        return o;
    json_object_put(o);
    return NULL;
}
