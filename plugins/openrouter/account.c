/* SPDX-License-Identifier: MIT */
/* openrouter.so: what the account and its key have left, and what an answer has
 * cost. */
#include <string.h>

#include "openrouter.h"

/* ----------------------------------------------------------------- requests */

static pbay_rc build_generation(struct openai *o, struct call *c,
                                const pbay_request *req, pbay_exchange *x)
{
    static const char path[] = "/generation?id=";
    static const char hex[] = "0123456789ABCDEF";
    pbay_str id = pbay_text(o->host, c->call,
                            pbay_json_find(req->members, req->n_members, "id"));
    size_t n = sizeof path - 1;
    char *p;

    if (!id.n) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "id",
                         "which answer? Its id starts with gen-");
    }
    p = o->host->alloc(c->call, n + 3 * id.n);
    if (!p)
        return PBAY_NOMEM;
    memcpy(p, path, n);
    for (size_t i = 0; i < id.n; i++) {
        unsigned char b = (unsigned char)id.p[i];
        if ((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') ||
            (b >= 'a' && b <= 'z') || (b && strchr("-._~", b))) {
            p[n++] = (char)b;
        } else {
            p[n++] = '%';
            p[n++] = hex[b >> 4];
            p[n++] = hex[b & 15];
        }
    }
    oai_get(x, (pbay_str){p, n});
    return PBAY_OK;
}

pbay_rc or_build_account(struct openai *o, struct call *c,
                         const pbay_request *req, pbay_exchange *x)
{
    pbay_str of = pbay_json_find(req->members, req->n_members, "of");

    if (req->op == PBAY_OP_GENERATION)
        return build_generation(o, c, req, x);
    if (req->op == PBAY_OP_CREDITS && of.n && !pbay_json_is(of, "key") &&
        !pbay_json_is(of, "account")) {
        c->failed = 1;
        return pbay_fail(o->host, c->call, PBAY_E_INVALID, "of",
                         "it must be \"account\" or \"key\"");
    }
    /* The account's credits are for management keys; what kind of key it is,
     * the key's own page says. */
    c->more = pbay_json_is(of, "key") ? c : NULL; /* and nothing else */
    oai_get(x, req->op == PBAY_OP_CREDITS &&
                       (req->step || pbay_json_is(of, "account"))
                   ? OA("/credits")
                   : OA("/key"));
    return PBAY_OK;
}

/* ------------------------------------------------------------------ replies */

static void put(pbay_out *w, const char *name, pbay_str value)
{
    if (!value.n || pbay_json_type(value) == '0')
        return;
    pbay_out_cstr(w, w->n > 1 ? ",\"" : "\"");
    pbay_out_cstr(w, name);
    pbay_out_cstr(w, "\":");
    pbay_out_raw(w, value);
}

static void put_as(pbay_out *w, const char *name, pbay_str object,
                   const char *theirs, char type)
{
    pbay_str v = pbay_json_get(object, theirs);

    if (pbay_json_type(v) == type)
        put(w, name, v);
}

/* credits - usage, exactly; left out where that does not fit. */
static void put_left(pbay_out *w, pbay_str total, pbay_str used)
{
    static const int64_t nano = 1000000000;
    char digits[16];
    int64_t a, b, left;
    int n = 9;

    if (!oai_nano(total, &a) || !oai_nano(used, &b))
        return;
    left = a - b;
    pbay_out_cstr(w, left < 0 ? ",\"remaining\":-" : ",\"remaining\":");
    left = left < 0 ? -left : left;
    pbay_out_i64(w, left / nano);
    left %= nano;
    for (int i = 8; i >= 0; i--) {
        digits[i] = (char)('0' + left % 10);
        left /= 10;
    }
    while (n && digits[n - 1] == '0')
        n--;
    if (n) {
        pbay_out_cstr(w, ".");
        pbay_out_raw(w, (pbay_str){digits, (size_t)n});
    }
}

static pbay_rc account_item(struct openai *o, struct call *c, pbay_str data)
{
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str total = pbay_json_get(data, "total_credits");
    pbay_str used = pbay_json_get(data, "total_usage");

    if (pbay_json_type(total) != 'n' || pbay_json_type(used) != 'n')
        return oai_error(o, c, PBAY_E_PROTOCOL, "the reply has no credits");
    pbay_out_cstr(&w, "{");
    put(&w, "total", total);
    put(&w, "used", used);
    put_left(&w, total, used);
    put(&w, "currency", OA("\"USD\""));
    put(&w, "of", OA("\"account\""));
    pbay_out_cstr(&w, "}");
    if (w.failed)
        return PBAY_NOMEM;
    return oai_item(o, c, "credits", 0, (pbay_str){w.p, w.n});
}

/* The key's label is a part of the key, and stays here. */
static pbay_rc key_item(struct openai *o, struct call *c, pbay_str data)
{
    static const char *const more[] = {
        "limit_reset",  "usage_daily",
        "usage_weekly", "usage_monthly",
        "byok_usage",   "is_free_tier",
        "expires_at",   "free_model_daily_requests"};
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};

    pbay_out_cstr(&w, "{");
    put_as(&w, "total", data, "limit", 'n');
    put_as(&w, "used", data, "usage", 'n');
    put_as(&w, "remaining", data, "limit_remaining", 'n');
    put(&w, "currency", OA("\"USD\""));
    put(&w, "of", OA("\"key\""));
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        put(&w, more[i], pbay_json_get(data, more[i]));
    pbay_out_cstr(&w, "}");
    if (w.failed)
        return PBAY_NOMEM;
    return oai_item(o, c, "credits", 0, (pbay_str){w.p, w.n});
}

static pbay_rc credits(struct openai *o, struct call *c, pbay_str data)
{
    if (pbay_json_get(data, "total_credits").n)
        return account_item(o, c, data);
    if (pbay_json_type(pbay_json_get(data, "usage")) != 'n')
        return oai_error(o, c, PBAY_E_PROTOCOL, "the reply has no credits");
    if (!c->step && !c->more &&
        (pbay_json_true(pbay_json_get(data, "is_management_key")) ||
         pbay_json_true(pbay_json_get(data, "is_provisioning_key")))) {
        c->again = 1;
        return PBAY_OK;
    }
    return key_item(o, c, data);
}

static pbay_rc health(struct openai *o, struct call *c, pbay_str data)
{
    pbay_str left = pbay_json_get(data, "limit_remaining");
    pbay_str used = pbay_json_get(data, "usage");
    char text[256];
    pbay_out w = {.p = text, .room = sizeof text};

    if (pbay_json_type(used) != 'n' || used.n > 64 || left.n > 64)
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the reply does not describe a key");
    pbay_out_cstr(&w, "{\"ok\":true,\"detail\":\"");
    pbay_out_raw(&w, used);
    pbay_out_cstr(&w, " USD used, ");
    if (pbay_json_type(left) == 'n') {
        pbay_out_raw(&w, left);
        pbay_out_cstr(&w, " USD left of the key's limit\"}");
    } else {
        pbay_out_cstr(&w, "the key has no limit\"}");
    }
    return oai_item(o, c, "health", 0, (pbay_str){w.p, w.n});
}

/* The billed (native) counts, under the names that usage has here. */
static pbay_rc generation(struct openai *o, struct call *c, pbay_str data)
{
    static const struct {
        const char *name, *theirs;
        char type;
    } members[] = {{"id", "id", 's'},
                   {"model", "model", 's'},
                   {"provider", "provider_name", 's'},
                   {"created", "created_at", 's'},
                   {"streamed", "streamed", 'b'},
                   {"cancelled", "cancelled", 'b'},
                   {"finish_reason", "finish_reason", 's'},
                   {"native_finish_reason", "native_finish_reason", 's'},
                   {"input", "native_tokens_prompt", 'n'},
                   {"cache_read", "native_tokens_cached", 'n'},
                   {"output", "native_tokens_completion", 'n'},
                   {"reasoning", "native_tokens_reasoning", 'n'},
                   {"latency_ms", "latency", 'n'},
                   {"generation_ms", "generation_time", 'n'}};
    void *with[2] = {o, c};
    pbay_out w = {.grow = oai_grow, .arg = with};
    pbay_str cost = pbay_json_get(data, "total_cost");
    int64_t nano;

    if (pbay_json_type(pbay_json_get(data, "id")) != 's')
        return oai_error(o, c, PBAY_E_PROTOCOL,
                         "the reply does not describe a generation");
    pbay_out_cstr(&w, "{");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        put_as(&w, members[i].name, data, members[i].theirs, members[i].type);
    if (pbay_json_type(cost) == 'n' && oai_nano(cost, &nano)) {
        pbay_out_cstr(&w, ",\"cost_nano\":");
        pbay_out_i64(&w, nano);
        pbay_out_cstr(&w, ",\"currency\":\"USD\"");
    }
    put(&w, "raw", data);
    pbay_out_cstr(&w, "}");
    if (w.failed)
        return PBAY_NOMEM;
    return oai_item(o, c, "generation", 0, (pbay_str){w.p, w.n});
}

pbay_rc or_account(struct openai *o, struct call *c, pbay_str body)
{
    pbay_str data = pbay_json_get(body, "data");

    switch (c->op) {
    case PBAY_OP_CREDITS:
        return credits(o, c, data);
    case PBAY_OP_GENERATION:
        return generation(o, c, data);
    default:
        return health(o, c, data);
    }
}
