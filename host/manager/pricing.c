/* SPDX-License-Identifier: MIT */
/* Who says what a model costs; see pricing.h. */
#include "manager/pricing.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include <patchbay/json.h>

static const struct {
    const char *name;
    size_t at;
} parts[] = {{"input", offsetof(struct price, input)},
             {"output", offsetof(struct price, output)},
             {"cache_read", offsetof(struct price, cache_read)},
             {"cache_write", offsetof(struct price, cache_write)},
             {"cache_write_long", offsetof(struct price, cache_write_long)},
             {"reasoning", offsetof(struct price, reasoning)}};

#define PARTS (sizeof(parts) / sizeof(*parts))

static int64_t *price_part(struct price *p, size_t i)
{
    return (int64_t *)(void *)((char *)p + parts[i].at);
}

/* Of a provider's own list: nano-units for a token.  One that cannot be said
 * exactly is not known. */
static bool listed(pbay_str json, struct price *p)
{
    pbay_str prices = pbay_json_get(json, "prices"), v;

    if (pbay_json_type(prices) != 'o' ||
        !pbay_json_is(pbay_json_get(prices, "currency"), "USD") ||
        pbay_json_true(pbay_json_get(prices, "variable")))
        return false;
    *p = price_unknown;
    for (size_t i = 0; i < PARTS; i++) {
        v = pbay_json_get(prices, parts[i].name);
        if (v.n && price_decimal(v, 6, price_part(p, i)) < 0)
            return false;
    }
    v = pbay_json_get(prices, "request");
    if (v.n && price_decimal(v, 0, &p->request) < 0)
        return false;
    return p->input >= 0 || p->output >= 0;
}

static bool by_rows(const struct price_row *rows, size_t n, pbay_str model,
                    uint64_t tokens, int64_t wall_ms, const char *source,
                    struct pricing *out)
{
    const struct price_row *r = price_find(rows, n, model, tokens, wall_ms);

    if (!r)
        return false;
    out->price = r->price;
    out->source = source;
    return true;
}

static bool by_config(const struct instance *in, pbay_str model,
                      uint64_t tokens, int64_t wall_ms, struct pricing *out)
{
    return in->cfg->n_prices && by_rows(in->cfg->prices, in->cfg->n_prices,
                                        model, tokens, wall_ms, "config", out);
}

static bool by_list(const struct instance *in, pbay_str model, uint64_t tokens,
                    int64_t wall_ms, struct pricing *out)
{
    const struct price_vendor *v = in->cfg->vendor;

    if (v && by_rows(v->rows, v->n, model, tokens, wall_ms, "list", out))
        return true;
    /* On this machine; without an address, inside this process. */
    if (v || !in->cfg->manifest->local ||
        (in->cfg->base_url && !in->cfg->loopback))
        return false;
    *out = (struct pricing){price_free, "local"};
    return true;
}

bool pricing_from(const struct instance *in, pbay_str model, pbay_str json,
                  uint64_t tokens, int64_t wall_ms, struct pricing *out)
{
    if (by_config(in, model, tokens, wall_ms, out))
        return true;
    if (json.n && pbay_json_get(json, "prices").n) {
        out->source = "provider";
        return listed(json, &out->price);
    }
    return by_list(in, model, tokens, wall_ms, out);
}

struct looked {
    struct price price;
    bool there, known;
};

static void look(void *arg, const char *provider, pbay_str id, pbay_str json)
{
    struct looked *l = arg;

    (void)provider, (void)id;
    l->there = pbay_json_get(json, "prices").n > 0;
    l->known = l->there && listed(json, &l->price);
}

bool pricing_of(const struct instance *in, struct model_index *mi,
                pbay_str model, uint64_t tokens, int64_t wall_ms,
                struct pricing *out)
{
    struct looked l = {0};

    if (by_config(in, model, tokens, wall_ms, out))
        return true;
    if (mi)
        model_index_one(mi, in->name, model, look, &l);
    if (!l.there)
        return by_list(in, model, tokens, wall_ms, out);
    *out = (struct pricing){l.price, "provider"};
    return l.known;
}

int64_t pricing_cost(const struct instance *in, pbay_str model,
                     const pbay_usage *u, int64_t wall_ms)
{
    uint64_t tokens = u->known & PBAY_U_INPUT ? u->input : 0;
    struct pricing p;

    if (u->known & PBAY_U_COST)
        return u->cost_nano >= 0 &&
                       (!u->currency[0] || strcmp(u->currency, "USD") == 0)
                   ? u->cost_nano
                   : COST_UNKNOWN;
    if (by_config(in, model, tokens, wall_ms, &p) ||
        by_list(in, model, tokens, wall_ms, &p))
        return price_cost(&p.price, u);
    return COST_UNKNOWN;
}

/* v / unit as a decimal number; unit is a power of ten. */
static int put_decimal(struct buf *b, int64_t v, int64_t unit)
{
    int rc = buf_printf(b, "%" PRId64, v / unit);

    v %= unit;
    if (v)
        rc |= buf_addc(b, ".");
    for (; v; v = v * 10 % unit)
        rc |= buf_printf(b, "%d", (int)(v * 10 / unit));
    return rc;
}

int pricing_put(struct buf *b, const struct pricing *p)
{
    struct price price = p->price;
    int rc = buf_addc(b, "\"prices\":{\"currency\":\"USD\",\"unit\":\"nano\"");

    for (size_t i = 0; i < PARTS; i++)
        if (*price_part(&price, i) >= 0) {
            rc |= buf_printf(b, ",\"%s\":", parts[i].name);
            rc |= put_decimal(b, *price_part(&price, i), 1000000);
        }
    if (price.request >= 0)
        rc |= buf_printf(b, ",\"request\":%" PRId64, price.request);
    return rc | buf_printf(b, ",\"source\":\"%s\"}", p->source);
}
