/* SPDX-License-Identifier: MIT */
/* claude.so: Anthropic's Claude, by the Messages API.  This file: the plugin's
 * table, its instances and their configuration. */
#include <stdlib.h>
#include <string.h>

#include "claude.h"
#include "manifest.h"

PBAY_PLUGIN_NOTE(MANIFEST);

#define MAX_TOKENS 16384 /* as in the manifest */

/* ------------------------------------------------------------ configuration */

/* Names in anthropic-beta: a header's value, with commas between them. */
static int bad_beta(const struct claude *o, pbay_str name)
{
    int bad = !name.n;

    for (size_t i = 0; i < name.n; i++)
        bad |= (unsigned char)name.p[i] <= ' ' ||
               (unsigned char)name.p[i] >= 0x7f || name.p[i] == ',';
    if (bad)
        o->host->log(o->host, PBAY_LOG_ERROR,
                     CL("beta: each name must be of plain characters without "
                        "space and comma"));
    return bad;
}

static pbay_rc take_beta(struct claude *o, pbay_str list)
{
    pbay_str v;
    size_t pos = 0, n = 0;
    int64_t k;
    char *p;

    if (pbay_json_type(list) != 'a')
        return PBAY_OK;
    p = malloc(list.n + 1);
    if (!p)
        return PBAY_NOMEM;
    o->beta.p = p;
    while (pbay_json_next(list, &pos, NULL, &v)) {
        n += n > 0;
        k = pbay_json_unescape(v, p + n, list.n + 1 - n);
        if (k < 0 || bad_beta(o, (pbay_str){p + n, (size_t)k}))
            return PBAY_FAIL;
        if (n)
            p[n - 1] = ',';
        n += (size_t)k;
    }
    o->beta.n = n;
    return PBAY_OK;
}

static pbay_rc configure(struct claude *o, pbay_str config)
{
    int64_t n;

    o->version = CL("2026-10-21");
    if (pbay_json_is(pbay_json_get(config, "api_version"), "2023-06-01")) {
        o->api = API_2023_06_01;
        o->version = CL("2023-06-01");
    }
    o->bearer = pbay_json_is(pbay_json_get(config, "auth_style"), "bearer");
    o->drop = pbay_json_is(pbay_json_get(config, "unsupported"), "drop");
    o->hide_thinking =
        pbay_json_is(pbay_json_get(config, "thinking_display"), "omitted");
    o->max_tokens = MAX_TOKENS;
    if (pbay_json_i64(pbay_json_get(config, "max_tokens"), &n) == 0 && n > 0)
        o->max_tokens = n;
    return take_beta(o, pbay_json_get(config, "beta"));
}

static void destroy(void *inst)
{
    struct claude *o = inst;

    free((void *)(uintptr_t)o->beta.p);
    free(o);
}

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct claude *o = calloc(1, sizeof *o);
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
    return cl_build(inst, c, req, x);
}

static pbay_rc head(void *inst, void *st, pbay_call *call, pbay_head *h)
{
    struct call *c = st;

    c->call = call;
    return cl_head(inst, c, h);
}

static pbay_rc feed(void *inst, void *st, pbay_call *call,
                    const pbay_record *rec)
{
    struct call *c = st;

    c->call = call;
    return cl_feed(inst, c, rec);
}

static pbay_rc finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    struct call *c = st;

    c->call = call;
    return cl_finish(inst, c, why);
}

static const pbay_codec codec = {
    .size = sizeof codec,
    .state_size = sizeof(struct call),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_COUNT) |
           PBAY_OP_BIT(PBAY_OP_LIST) | PBAY_OP_BIT(PBAY_OP_SHOW) |
           PBAY_OP_BIT(PBAY_OP_HEALTH) | PBAY_OP_BIT(PBAY_OP_RAW),
    .dialects = PBAY_LIT("anthropic.messages/1"),
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

PBAY_EXPORT const pbay_plugin *PBAY_ENTRY(claude)(uint32_t host_major,
                                                  uint32_t host_minor);

const pbay_plugin *PBAY_ENTRY(claude)(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
