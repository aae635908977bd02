/* SPDX-License-Identifier: MIT */
/* OpenAI's language: token usage, in the forms of OpenAI and of those that
 * speak like it. */
#include <string.h>

#include "oai.h"

static void take(pbay_usage *u, uint32_t bit, uint64_t *to, pbay_str value)
{
    int64_t v;

    if (!(u->known & bit) && pbay_json_i64(value, &v) == 0 && v >= 0) {
        *to = (uint64_t)v;
        u->known |= bit;
    }
}

/* Exact, unlike a double. */
int oai_nano(pbay_str value, int64_t *out)
{
    const char *p = value.p, *end = p + value.n;
    int64_t v = 0, e = 0;
    int point = 0, cut = -1;

    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point));
         p++) {
        if (*p == '.') {
            point = 1;
        } else if (v < INT64_MAX / 100) {
            v = v * 10 + (*p - '0');
            e -= point;
        } else {
            cut = cut < 0 ? *p - '0' : cut;
            e += !point;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int64_t x = 0;
        pbay_str digits = {p + 1, (size_t)(end - p) - 1};
        if (digits.n && digits.p[0] == '+')
            digits = (pbay_str){digits.p + 1, digits.n - 1};
        if (pbay_json_i64(digits, &x) < 0 || x > 100 || x < -1000)
            return 0;
        e += x;
        p = end;
    }
    if (p != end)
        return 0;
    for (e += 9; e > 0 && v; e--) {
        if (v > INT64_MAX / 10)
            return 0;
        v *= 10;
    }
    for (; e < 0 && v; e++) {
        cut = (int)(v % 10);
        v /= 10;
    }
    if (e < 0)
        cut = 0;
    *out = v + (cut >= 5);
    return 1;
}

/* What usage objects and their details say, read in one go each. */
enum {
    U_IN_DETAILS,
    U_OUT_DETAILS,
    U_INPUT_DETAILS,
    U_OUTPUT_DETAILS,
    U_PROMPT,
    U_INPUT,
    U_COMPLETION,
    U_OUTPUT,
    U_HIT,
    U_CACHED,
    U_COST,
    U_TICKS,
    U_FIELDS
};
static const pbay_str usage_names[U_FIELDS] = {
    PBAY_LIT("prompt_tokens_details"),
    PBAY_LIT("completion_tokens_details"),
    PBAY_LIT("input_tokens_details"),
    PBAY_LIT("output_tokens_details"),
    PBAY_LIT("prompt_tokens"),
    PBAY_LIT("input_tokens"),
    PBAY_LIT("completion_tokens"),
    PBAY_LIT("output_tokens"),
    PBAY_LIT("prompt_cache_hit_tokens"), /* DeepSeek */
    PBAY_LIT("num_cached_tokens"),       /* Mistral */
    PBAY_LIT("cost"),
    PBAY_LIT("cost_in_usd_ticks"), /* xAI */
};

enum {
    D_READ,
    D_WRITE,
    D_REASONING,
    D_FIELDS
};
static const pbay_str detail_names[D_FIELDS] = {
    PBAY_LIT("cached_tokens"),
    PBAY_LIT("cache_write_tokens"),
    PBAY_LIT("reasoning_tokens"),
};

/* xAI's ticks say what they are: 1e-10 US dollars each
 * (https://docs.x.ai/developers/cost-tracking). */
static void ticks(pbay_usage *u, pbay_str v)
{
    int64_t n;

    if (pbay_json_type(v) != 'n' || pbay_json_i64(v, &n) < 0 || n < 0)
        return;
    u->cost_nano = n / 10 + (n % 10 >= 5);
    memcpy(u->currency, "USD", 3);
    u->known |= PBAY_U_COST;
}

static void cost(const struct openai *o, pbay_usage *u, pbay_str v)
{
    if (o->cost_currency.n != 3 || pbay_json_type(v) != 'n' ||
        !oai_nano(v, &u->cost_nano))
        return;
    memcpy(u->currency, o->cost_currency.p, 3);
    u->known |= PBAY_U_COST;
}

/* Chat completions, embeddings and images name the same things differently. */
pbay_rc oai_usage(struct openai *o, struct call *c, pbay_str usage)
{
    pbay_usage u = {.size = sizeof u};
    pbay_event ev = {.type = PBAY_EV_USAGE, .usage = &u};
    pbay_str f[U_FIELDS], in[D_FIELDS], out[D_FIELDS];

    if (pbay_json_type(usage) != 'o')
        return PBAY_OK;
    oai_fields(usage, usage_names, f, U_FIELDS);
    oai_fields(f[U_IN_DETAILS].n ? f[U_IN_DETAILS] : f[U_INPUT_DETAILS],
               detail_names, in, D_FIELDS);
    oai_fields(f[U_OUT_DETAILS].n ? f[U_OUT_DETAILS] : f[U_OUTPUT_DETAILS],
               detail_names, out, D_FIELDS);
    take(&u, PBAY_U_INPUT, &u.input, f[U_PROMPT]);
    take(&u, PBAY_U_INPUT, &u.input, f[U_INPUT]);
    take(&u, PBAY_U_OUTPUT, &u.output, f[U_COMPLETION]);
    take(&u, PBAY_U_OUTPUT, &u.output, f[U_OUTPUT]);
    take(&u, PBAY_U_CACHE_READ, &u.cache_read, in[D_READ]);
    take(&u, PBAY_U_CACHE_READ, &u.cache_read, f[U_HIT]);
    take(&u, PBAY_U_CACHE_READ, &u.cache_read, f[U_CACHED]);
    take(&u, PBAY_U_CACHE_WRITE, &u.cache_write, in[D_WRITE]);
    take(&u, PBAY_U_REASONING, &u.reasoning, out[D_REASONING]);
    /* xAI's chats: output without reasoning; cached tokens over the prompt's
     * come on top of it. */
    if (o->reasoning_extra && !c->other_form && (u.known & PBAY_U_OUTPUT) &&
        (u.known & PBAY_U_REASONING))
        u.output += u.reasoning;
    if ((u.known & PBAY_U_INPUT) && (u.known & PBAY_U_CACHE_READ) &&
        u.cache_read > u.input)
        u.input += u.cache_read;
    cost(o, &u, f[U_COST]);
    if (!(u.known & PBAY_U_COST))
        ticks(&u, f[U_TICKS]);
    return u.known ? oai_emit(o, c, &ev) : PBAY_OK;
}
