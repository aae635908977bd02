/* SPDX-License-Identifier: MIT */
/* ollama.so: Ollama's native API.  This file: the plugin's table, its instances
 * and their configuration. */
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "ollama.h"

PBAY_PLUGIN_NOTE(MANIFEST);

/* ------------------------------------------------------------ configuration */

static pbay_rc bad(const struct ollama *o, const char *what)
{
    o->host->log(o->host, PBAY_LOG_ERROR, (pbay_str){what, strlen(what)});
    return PBAY_FAIL;
}

static size_t digits(pbay_str s, size_t at)
{
    size_t n = 0;

    while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
        n++;
    return n;
}

/* A number of seconds: 0, 300, -1. */
static int is_seconds(pbay_str s)
{
    size_t sign = s.n && s.p[0] == '-', n = digits(s, sign);

    return n > 0 && n < 12 && sign + n == s.n && (n == 1 || s.p[sign] != '0');
}

/* A duration as Go writes it: 10m, 1h30m, 1.5h, -1s. */
static int is_duration(pbay_str s)
{
    static const char *const units[] = {"ns", "us", "ms", "s", "m", "h"};
    size_t at = s.n && s.p[0] == '-';

    if (at == s.n || s.n > 64)
        return 0;
    while (at < s.n) {
        size_t n = digits(s, at), i = 0;
        at += n;
        if (!n)
            return 0;
        if (at < s.n && s.p[at] == '.')
            at += 1 + digits(s, at + 1);
        while (i < 6 && !(s.n - at >= strlen(units[i]) &&
                          memcmp(s.p + at, units[i], strlen(units[i])) == 0))
            i++;
        if (i == 6)
            return 0;
        at += strlen(units[i]);
    }
    return 1;
}

/* As JSON, in memory of its own. */
static pbay_rc take_keep_alive(struct ollama *o, pbay_str v)
{
    pbay_str in;
    char *p;

    if (!ol_filled(v))
        return PBAY_OK;
    in = (pbay_str){v.p + 1, v.n - 2};
    if (!is_seconds(in) && !is_duration(in))
        return bad(o, "keep_alive must be a duration such as 10m or 1h30m, a "
                      "number of seconds, 0 to unload at once, or -1 to keep "
                      "a model loaded");
    if (is_seconds(in))
        v = in;
    p = malloc(v.n);
    if (!p)
        return PBAY_NOMEM;
    memcpy(p, v.p, v.n);
    o->keep_alive = (pbay_str){p, v.n};
    return PBAY_OK;
}

static void take_think(struct ollama *o, pbay_str v)
{
    static const struct {
        const char *word;
        pbay_str json;
    } words[] = {
        {"true", PBAY_LIT("true")},     {"false", PBAY_LIT("false")},
        {"low", PBAY_LIT("\"low\"")},   {"medium", PBAY_LIT("\"medium\"")},
        {"high", PBAY_LIT("\"high\"")}, {"max", PBAY_LIT("\"max\"")},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (pbay_json_is(v, words[i].word))
            o->think = words[i].json;
}

/* "top_k=20" */
static int take_option(struct ollama *o, pbay_str text)
{
    const char *eq = memchr(text.p, '=', text.n);
    size_t n = eq ? (size_t)(eq - text.p) : 0;
    pbay_str value;

    for (size_t i = 0; i < n; i++)
        if (!(text.p[i] == '_' || (text.p[i] >= 'a' && text.p[i] <= 'z') ||
              (text.p[i] >= '0' && text.p[i] <= '9')))
            return 0;
    if (!n)
        return 0;
    value = (pbay_str){eq + 1, text.n - n - 1};
    if (pbay_json_check(value, NULL) < 0)
        return 0;
    o->options[o->n_options++] = (pbay_kv){{text.p, n}, value};
    return 1;
}

static pbay_rc take_options(struct ollama *o, pbay_str list)
{
    pbay_str item;
    size_t pos = 0, count = 0, used = 0;

    if (pbay_json_type(list) != 'a')
        return PBAY_OK;
    while (pbay_json_next(list, &pos, NULL, &item))
        count++;
    if (count > OL_OPTIONS / 2)
        return bad(o, "options: more than 32 are too many");
    o->options = calloc(count + 1, sizeof *o->options);
    o->option_text = malloc(list.n);
    if (!o->options || !o->option_text)
        return PBAY_NOMEM;
    for (pos = 0; pbay_json_next(list, &pos, NULL, &item);) {
        char *p = o->option_text + used;
        int64_t n = pbay_json_unescape(item, p, list.n - used);
        if (n < 0 || !take_option(o, (pbay_str){p, (size_t)n}))
            return bad(o, "options must be NAME=VALUE, the value as JSON: "
                          "[ \"top_k=20\", \"use_mmap=false\" ]");
        used += (size_t)n;
    }
    return PBAY_OK;
}

static int is_false(pbay_str v)
{
    return pbay_json_type(v) == 'b' && !pbay_json_true(v);
}

static pbay_rc configure(struct ollama *o, pbay_str config)
{
    pbay_rc rc = take_keep_alive(o, pbay_json_get(config, "keep_alive"));

    if (rc == PBAY_OK)
        rc = take_options(o, pbay_json_get(config, "options"));
    if (pbay_json_i64(pbay_json_get(config, "num_ctx"), &o->num_ctx) < 0)
        o->num_ctx = 0;
    take_think(o, pbay_json_get(config, "think"));
    o->no_truncate = is_false(pbay_json_get(config, "truncate"));
    o->no_details = is_false(pbay_json_get(config, "list_details"));
    o->drop = pbay_json_is(pbay_json_get(config, "unsupported"), "drop");
    return rc;
}

static void destroy(void *inst)
{
    struct ollama *o = inst;

    free((void *)(uintptr_t)o->keep_alive.p);
    free(o->options);
    free(o->option_text);
    free(o);
}

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct ollama *o = calloc(1, sizeof *o);
    pbay_rc rc;

    if (!o)
        return PBAY_NOMEM;
    o->host = host;
    rc = configure(o, config);
    if (rc != PBAY_OK) {
        destroy(o);
        return rc;
    }
    *inst = o;
    return PBAY_OK;
}

/* -------------------------------------------------------------------- codec */

static pbay_rc build(void *inst, void *st, pbay_call *call,
                     const pbay_request *req, pbay_exchange *x)
{
    struct call *c = st;

    c->call = call;
    return ol_build(inst, c, req, x);
}

static pbay_rc head(void *inst, void *st, pbay_call *call, pbay_head *h)
{
    struct call *c = st;

    c->call = call;
    return ol_head(inst, c, h);
}

static pbay_rc feed(void *inst, void *st, pbay_call *call,
                    const pbay_record *rec)
{
    struct call *c = st;

    c->call = call;
    return ol_feed(inst, c, rec);
}

static pbay_rc finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    struct call *c = st;

    c->call = call;
    return ol_finish(inst, c, why);
}

static const pbay_codec codec = {
    .size = sizeof codec,
    .state_size = sizeof(struct call),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) |
           PBAY_OP_BIT(PBAY_OP_LIST) | PBAY_OP_BIT(PBAY_OP_SHOW) |
           PBAY_OP_BIT(PBAY_OP_PULL) | PBAY_OP_BIT(PBAY_OP_DELETE) |
           PBAY_OP_BIT(PBAY_OP_HEALTH) | PBAY_OP_BIT(PBAY_OP_RAW) |
           PBAY_OP_BIT(PBAY_OP_PS),
    .dialects = PBAY_LIT("ollama.chat/1"),
    .build = build,
    .head = head,
    .feed = feed,
    .finish = finish,
};

static const void *extension(void *inst, pbay_str id)
{
    (void)inst;
    if (id.n == sizeof PBAY_EXT_CODEC - 1 &&
        memcmp(id.p, PBAY_EXT_CODEC, id.n) == 0)
        return &codec;
    return NULL;
}

static const pbay_plugin plugin = {
    .magic = PBAY_MAGIC,
    .size = sizeof plugin,
    .abi_major = PBAY_ABI_MAJOR,
    .abi_minor = PBAY_ABI_MINOR,
    .flags = PBAY_F_UNLOADABLE,
    .manifest = PBAY_LIT(MANIFEST),
    .create = create,
    .destroy = destroy,
    .extension = extension,
};

PBAY_EXPORT const pbay_plugin *PBAY_ENTRY(ollama)(uint32_t host_major,
                                                  uint32_t host_minor);

const pbay_plugin *PBAY_ENTRY(ollama)(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
