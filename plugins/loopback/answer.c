/* SPDX-License-Identifier: MIT */
/* What a chat is answered: the words, and where they are cut off. */
#include "chat.h"

#include <stdio.h>
#include <string.h>

#define STOPS_MAX 16

static pbay_str concat(struct lb_run *r, pbay_str a, pbay_str b)
{
    char *p = lb_alloc(r, a.n + b.n + 1);
    if (!p)
        return (pbay_str){NULL, 0};
    if (a.n)
        memcpy(p, a.p, a.n);
    if (b.n)
        memcpy(p + a.n, b.p, b.n);
    return (pbay_str){p, a.n + b.n};
}

static pbay_str lorem(struct lb_run *r, uint64_t seed, int64_t tokens)
{
    static const char *const words[] = {
        "lorem",  "ipsum",   "dolor", "sit",    "amet",    "elit",    "sed",
        "do",     "tempor",  "ut",    "labore", "et",      "dolore",  "magna",
        "aliqua", "enim",    "minim", "veniam", "quis",    "nostrud", "ullamco",
        "nisi",   "aliquip", "ex",    "ea",     "commodo", "duis",    "aute",
        "irure",  "in",      "velit", "esse"};
    pbay_out o = lb_out(r);
    int in_sentence = 0;
    for (int64_t i = 0; i < tokens; i++) {
        seed = lb_hash((pbay_str){"", 0}, seed);
        const char *w = words[seed % (sizeof words / sizeof *words)];
        char word[12];
        size_t n = strlen(w);
        memcpy(word, w, n);
        if (!in_sentence)
            word[0] = (char)(word[0] - 32);
        bool end = ++in_sentence > 5 && (seed >> 32) % 6 == 0;
        if ((end || i == tokens - 1) && n < 8) {
            word[n++] = '.';
            in_sentence = 0;
        }
        if (i)
            pbay_out_cstr(&o, " ");
        pbay_out_raw(&o, (pbay_str){word, n});
    }
    return o.failed ? (pbay_str){NULL, 0} : (pbay_str){o.p, o.n};
}

pbay_str chat_fit(struct lb_run *r, pbay_str text, int64_t n)
{
    int64_t have = lb_token_count(text);
    if (have >= n)
        return lb_token_cut(text, n);
    if (!have)
        return text;
    pbay_out o = lb_out(r);
    for (int64_t left = n; left > 0; left -= have) {
        if (left < n)
            pbay_out_cstr(&o, " ");
        pbay_out_raw(&o, left < have ? lb_token_cut(text, left) : text);
    }
    return o.failed ? (pbay_str){NULL, 0} : (pbay_str){o.p, o.n};
}

static pbay_str said(struct chat *c)
{
    struct lb_run *r = c->r;
    char images[40];
    if (c->refuse)
        return LB_STR("loopback was asked to refuse.");
    if (c->p.tool_result)
        return concat(r, LB_STR("The tool said: "), c->p.last);
    if (lb_is(r->model, "lorem"))
        return lorem(r, c->p.hash, r->script.length ? r->script.length : 64);
    pbay_str text = c->p.user.n ? c->p.user : LB_STR("(nothing was said)");
    if (!c->p.images)
        return text;
    int n = snprintf(images, sizeof images, " [%u image%s]", c->p.images,
                     c->p.images > 1 ? "s" : "");
    return concat(r, text, (pbay_str){images, n > 0 ? (size_t)n : 0});
}

/* *out {NULL,0}: no JSON was asked for. */
static pbay_rc as_json(struct chat *c, pbay_str *out)
{
    struct lb_run *r = c->r;
    pbay_str format = lb_field(r, "response_format");
    pbay_str type = pbay_json_get(format, "type");
    pbay_out o = lb_out(r);
    *out = (pbay_str){NULL, 0};
    if (pbay_json_is(type, "json_schema")) {
        pbay_str schema =
            pbay_json_get(pbay_json_get(format, "json_schema"), "schema");
        const char *why = lb_schema_value(
            r, schema.n ? schema : LB_STR("{\"type\":\"object\"}"), c->p.user,
            &o);
        if (why)
            return lb_invalid(r, "response_format",
                              "loopback cannot satisfy the schema: %s", why);
    } else if (pbay_json_is(type, "json_object") || lb_is(r->model, "json")) {
        pbay_out_cstr(&o, "{\"answer\":");
        pbay_out_string(&o, c->p.user);
        pbay_out_cstr(&o, "}");
    } else {
        return PBAY_OK;
    }
    *out = (pbay_str){o.p, o.n};
    return o.failed ? PBAY_NOMEM : PBAY_OK;
}

/* The earliest of the stop sequences ends the text before it. */
static void apply_stop(struct chat *c, struct choice *ch, pbay_str stop)
{
    pbay_str s = lb_text(c->r, stop);
    if (!s.n || s.n > ch->text.n)
        return;
    const char *at = memmem(ch->text.p, ch->text.n, s.p, s.n);
    if (!at)
        return;
    ch->text.n = (size_t)(at - ch->text.p);
    ch->stop_seq = s;
}

static void apply_stops(struct chat *c, struct choice *ch)
{
    pbay_str stop = lb_field(c->r, "stop"), one;
    if (pbay_json_type(stop) == 's') {
        apply_stop(c, ch, stop);
    } else if (pbay_json_type(stop) == 'a') {
        int n = 0;
        for (size_t pos = 0;
             n++ < STOPS_MAX && pbay_json_next(stop, &pos, NULL, &one);)
            apply_stop(c, ch, one);
    }
}

static void apply_max(struct chat *c, struct choice *ch, int64_t spent)
{
    if (c->max_tokens < 0)
        return;
    int64_t left = c->max_tokens > spent ? c->max_tokens - spent : 0;
    pbay_str cut = lb_token_cut(ch->text, left);
    if (cut.n == ch->text.n)
        return;
    ch->text = cut;
    ch->stop = PBAY_STOP_LENGTH;
    ch->stop_seq = (pbay_str){NULL, 0};
}

/* What is left to say after a prefill that began like it. */
static pbay_str go_on(const struct chat *c, pbay_str text)
{
    pbay_str said_already = c->p.assistant;
    if (said_already.n && said_already.n <= text.n &&
        memcmp(said_already.p, text.p, said_already.n) == 0)
        return (pbay_str){text.p + said_already.n, text.n - said_already.n};
    return text;
}

pbay_rc chat_plan(struct chat *c)
{
    struct lb_run *r = c->r;
    pbay_str json = {NULL, 0}, text;
    pbay_rc rc = c->refuse ? PBAY_OK : as_json(c, &json);
    if (rc != PBAY_OK)
        return rc;
    text = json.p ? json : said(c);
    if (!json.p && r->script.length && text.p)
        text = chat_fit(r, text, r->script.length);
    if (!text.p)
        return PBAY_NOMEM;
    text = go_on(c, text);
    for (uint32_t i = 0; i < c->n; i++) {
        struct choice *ch = &c->choices[i];
        ch->text = text;
        ch->stop = PBAY_STOP_END;
        if (i && !json.p) {
            char mark[16];
            int n = snprintf(mark, sizeof mark, " [%u]", i + 1);
            ch->text = concat(r, text, (pbay_str){mark, (size_t)n});
            if (!ch->text.p)
                return PBAY_NOMEM;
        }
        apply_stops(c, ch);
        apply_max(c, ch, r->script.reasoning);
    }
    return PBAY_OK;
}
