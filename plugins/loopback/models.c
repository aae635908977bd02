/* SPDX-License-Identifier: MIT */
/* The models of loopback, and whether it is well. */
#include "lb.h"

#include <string.h>

/* What every model of loopback can do: it is one program behind all names. */
#define ALL                                                            \
    "[\"streaming\",\"tools\",\"vision\",\"json_schema\",\"prefill\"," \
    "\"reasoning\",\"embeddings\",\"moderation\",\"images\"]"

static const struct {
    const char *id, *name;
} models[] = {
    {"echo", "Says what was said to it"},
    {"lorem", "Says meaningless words, as many as asked for"},
    {"tool", "Calls the first tool it is given"},
    {"json", "Answers in JSON"},
    {"reason", "Thinks aloud, then says what was said to it"},
    {"refuse", "Refuses"},
    {"embed", "For embeddings"},
    {"moderate", "For moderation: flags the word flagme"},
    {"image", "For images"},
};
#define N_MODELS (sizeof models / sizeof *models)

bool lb_model_known(pbay_str name)
{
    for (size_t i = 0; i < N_MODELS; i++)
        if (lb_is(name, models[i].id))
            return true;
    return false;
}

static pbay_rc emit_model(struct lb_run *r, size_t i, uint32_t index)
{
    pbay_out o = lb_out(r);
    pbay_out_cstr(&o, "{\"id\":\"");
    pbay_out_cstr(&o, models[i].id);
    pbay_out_cstr(&o, "\",\"name\":\"");
    pbay_out_cstr(&o, models[i].name);
    pbay_out_cstr(&o, "\",\"owned_by\":\"patchbay\",\"created\":1767225600");
    if (r->in->context_window) {
        pbay_out_cstr(&o, ",\"context_window\":");
        pbay_out_i64(&o, r->in->context_window);
    }
    pbay_out_cstr(&o, ",\"capabilities\":" ALL "}");
    return lb_item(r, "model", index, &o);
}

pbay_rc lb_list(struct lb_run *r)
{
    pbay_str search = lb_field(r, "search");
    uint32_t index = 0;
    if (search.n) {
        search = lb_text(r, search);
        if (!search.p)
            return lb_invalid(r, "search", "search must be a string");
    }
    pbay_rc rc = lb_first(r);
    for (size_t i = 0; i < N_MODELS && rc == PBAY_OK; i++) {
        const char *id = models[i].id;
        if (!search.n || memmem(id, strlen(id), search.p, search.n))
            rc = emit_model(r, i, index++);
    }
    return rc == PBAY_OK ? lb_last(r) : rc;
}

pbay_rc lb_show(struct lb_run *r)
{
    pbay_rc rc = lb_first(r);
    size_t i = 0; /* any_model: an unknown name is "echo" */
    for (size_t k = 0; k < N_MODELS; k++)
        if (lb_is(r->model, models[k].id))
            i = k;
    if (rc == PBAY_OK)
        rc = emit_model(r, i, 0);
    return rc == PBAY_OK ? lb_last(r) : rc;
}

pbay_rc lb_health(struct lb_run *r)
{
    pbay_rc rc = lb_first(r);
    if (rc == PBAY_OK)
        rc = lb_last(r);
    if (rc != PBAY_OK)
        return rc;
    pbay_out o = lb_out(r);
    pbay_out_cstr(&o, "{\"ok\":true,\"detail\":\"runs in this process\"}");
    return lb_item(r, "health", 0, &o);
}
