/* SPDX-License-Identifier: MIT */
/* llamacpp.so: fields of a request that llama-server accepts and then ignores,
 * though they change the answer.  They are refused by name, left out with a
 * warning, or said in a way that it understands.  What it refuses itself, and
 * what nobody knows, goes up as it is. */
#include <string.h>

#include "llama.h"

static pbay_str find(const pbay_request *req, const char *name)
{
    return pbay_json_find(req->members, req->n_members, name);
}

static int set(pbay_str value)
{
    return value.n && pbay_json_type(value) != '0';
}

static void drop(struct edits *e, const char *name)
{
    oai_edit(e, (pbay_str){name, strlen(name)}, (pbay_str){NULL, 0});
}

static pbay_rc warn(struct llama *l, struct call *c, const char *name,
                    const char *text)
{
    pbay_event ev = {.type = PBAY_EV_WARNING,
                     .name = {name, strlen(name)},
                     .text = {text, strlen(text)}};

    return oai_emit(&l->oai, c, &ev);
}

static pbay_rc refuse(struct llama *l, struct call *c, const char *name,
                      const char *message)
{
    c->failed = 1;
    return pbay_fail(l->oai.host, c->call, PBAY_E_INVALID, name, message);
}

/* A field that is not to be had: by configuration an error or a warning. */
static pbay_rc lacks(struct llama *l, struct call *c, struct edits *e,
                     const char *name)
{
    static const char what[] =
        ": llama-server has no such thing; leave it out, or set unsupported = "
        "\"drop\" for this provider";
    char text[192];
    pbay_out w = {.p = text, .room = sizeof text - 1};

    if (l->drop) {
        drop(e, name);
        return warn(l, c, name, "dropped: llama-server has no such thing");
    }
    pbay_out_cstr(&w, name);
    pbay_out_cstr(&w, what);
    text[w.n] = '\0';
    return refuse(l, c, name, text);
}

/* ------------------------------------------------------------- tool choice */

/* Is the tool's name one of those allowed? */
static int allowed(pbay_str choice, pbay_str list, pbay_str tool)
{
    pbay_str name = pbay_json_get(pbay_json_get(tool, "function"), "name");
    pbay_str one = pbay_json_get(pbay_json_get(choice, "function"), "name");
    size_t pos = 0;

    if (!list.n)
        return name.n && name.n == one.n && !memcmp(name.p, one.p, name.n);
    while (pbay_json_next(list, &pos, NULL, &one)) {
        one = pbay_json_get(pbay_json_get(one, "function"), "name");
        if (name.n && name.n == one.n && !memcmp(name.p, one.p, name.n))
            return 1;
    }
    return 0;
}

/* llama-server takes any object for "auto".  So the tools that may not be
 * called are left out, and of the rest one is required. */
static pbay_rc tool_choice(struct llama *l, struct call *c,
                           const pbay_request *req, struct edits *e)
{
    void *with[2] = {l, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str choice = find(req, "tool_choice"), tool, list = {NULL, 0};
    pbay_str mode = OA("\"required\"");
    size_t pos = 0, n = 0;

    if (pbay_json_type(choice) != 'o')
        return PBAY_OK;
    if (pbay_json_is(pbay_json_get(choice, "type"), "allowed_tools")) {
        pbay_str all = pbay_json_get(choice, "allowed_tools");
        list = pbay_json_get(all, "tools");
        if (!pbay_json_is(pbay_json_get(all, "mode"), "required"))
            mode = OA("\"auto\"");
        if (pbay_json_type(list) != 'a')
            return refuse(l, c, "tool_choice", "allowed_tools has no tools");
    } else if (!pbay_json_is(pbay_json_get(choice, "type"), "function")) {
        return refuse(l, c, "tool_choice",
                      "llama-server knows tools of the type function only");
    }
    pbay_out_cstr(&w, "[");
    while (pbay_json_next(find(req, "tools"), &pos, NULL, &tool))
        if (allowed(choice, list, tool)) {
            if (n++)
                pbay_out_cstr(&w, ",");
            pbay_out_raw(&w, tool);
        }
    pbay_out_cstr(&w, "]");
    if (w.failed)
        return PBAY_NOMEM;
    if (!n)
        return refuse(l, c, "tool_choice",
                      "none of the tools has the name that is chosen");
    oai_edit(e, OA("tools"), (pbay_str){w.p, w.n});
    oai_edit(e, OA("tool_choice"), mode);
    return PBAY_OK;
}

/* ----------------------------------------------------------------- the rest */

static int asks_for_audio(pbay_str list)
{
    pbay_str v;
    size_t pos = 0;

    while (pbay_json_next(list, &pos, NULL, &v))
        if (!pbay_json_is(v, "text"))
            return 1;
    return 0;
}

/* Does this value of a known field ask for something that is not there? */
static int matters(const char *name, pbay_str v)
{
    if (strcmp(name, "modalities") == 0)
        return asks_for_audio(v);
    if (strcmp(name, "service_tier") == 0)
        return !pbay_json_is(v, "auto") && !pbay_json_is(v, "default");
    if (strcmp(name, "store") == 0)
        return pbay_json_true(v);
    return 1;
}

/* About who asks: nobody at the other end wants to know.  Told only where the
 * client did not write the body itself. */
static pbay_rc bookkeeping(struct llama *l, struct call *c,
                           const pbay_request *req, struct edits *e)
{
    static const char *const names[] = {"user", "metadata", "safety_identifier",
                                        "prompt_cache_key",
                                        "prompt_cache_retention"};
    pbay_rc rc = PBAY_OK;

    if (req->flags & PBAY_RQ_PASS)
        return PBAY_OK;
    for (size_t i = 0; rc == PBAY_OK && i < sizeof names / sizeof *names; i++) {
        if (!set(find(req, names[i])))
            continue;
        drop(e, names[i]);
        rc = warn(l, c, names[i], "dropped: llama-server has no use for it");
    }
    return rc;
}

static pbay_rc edit_chat(struct llama *l, struct call *c,
                         const pbay_request *req, struct edits *e)
{
    static const char *const names[] = {
        "audio",        "modalities",    "web_search_options",
        "functions",    "function_call", "verbosity",
        "service_tier", "store",         "prediction"};
    pbay_rc rc = tool_choice(l, c, req, e);

    for (size_t i = 0; rc == PBAY_OK && i < sizeof names / sizeof *names; i++) {
        pbay_str v = find(req, names[i]);
        if (set(v) && matters(names[i], v))
            rc = lacks(l, c, e, names[i]);
    }
    return rc == PBAY_OK ? bookkeeping(l, c, req, e) : rc;
}

pbay_rc ll_edits(struct openai *o, struct call *c, const pbay_request *req,
                 struct edits *e)
{
    struct llama *l = (struct llama *)(void *)o;

    if (req->op == PBAY_OP_CHAT)
        return edit_chat(l, c, req, e);
    /* Vectors are of the model's own length, whatever is asked. */
    if (req->op == PBAY_OP_EMBED && set(find(req, "dimensions")))
        return lacks(l, c, e, "dimensions");
    return PBAY_OK;
}
