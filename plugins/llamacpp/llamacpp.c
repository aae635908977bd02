/* SPDX-License-Identifier: MIT */
/* llamacpp.so: llama.cpp's llama-server.  This file: the plugin's table and its
 * instances. */
#include <stdlib.h>
#include <string.h>

#include "llama.h"
#include "manifest.h"

PBAY_PLUGIN_NOTE(MANIFEST);

static const struct oai_hooks hooks = {.edits = ll_edits, .error = ll_error};

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct llama *l = calloc(1, sizeof *l);

    if (!l)
        return PBAY_NOMEM;
    l->oai = (struct openai){
        .host = host,
        .hooks = &hooks,
        .chat_path = OA("/v1/chat/completions"),
        .embeddings_path = OA("/v1/embeddings"),
        .models_path = OA("/v1/models"),
        .max_tokens_field = LIMIT_AS_IS,
        .stream_options = 1,
    };
    l->drop = pbay_json_is(pbay_json_get(config, "unsupported"), "drop");
    l->count_by_template =
        pbay_json_is(pbay_json_get(config, "count_route"), "template");
    *inst = l;
    return PBAY_OK;
}

static void destroy(void *inst)
{
    free(inst);
}

/* -------------------------------------------------------------------- codec */

static pbay_rc build(void *inst, void *st, pbay_call *call,
                     const pbay_request *req, pbay_exchange *x)
{
    struct ask *a = st;

    a->c.call = call;
    a->more = 0;
    return ll_build(inst, a, req, x);
}

static pbay_rc head(void *inst, void *st, pbay_call *call, pbay_head *h)
{
    struct llama *l = inst;
    struct ask *a = st;

    a->c.call = call;
    return oai_head(&l->oai, &a->c, h);
}

static pbay_rc feed(void *inst, void *st, pbay_call *call,
                    const pbay_record *rec)
{
    struct ask *a = st;

    a->c.call = call;
    return ll_feed(inst, a, rec);
}

static pbay_rc finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    struct llama *l = inst;
    struct ask *a = st;

    a->c.call = call;
    if (why == PBAY_OK && a->more && !a->c.failed)
        return PBAY_AGAIN;
    return a->op == PBAY_OP_CHAT ? oai_finish(&l->oai, &a->c, why) : PBAY_OK;
}

static const pbay_codec codec = {
    .size = sizeof codec,
    .state_size = sizeof(struct ask),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) |
           PBAY_OP_BIT(PBAY_OP_COUNT) | PBAY_OP_BIT(PBAY_OP_LIST) |
           PBAY_OP_BIT(PBAY_OP_SHOW) | PBAY_OP_BIT(PBAY_OP_HEALTH) |
           PBAY_OP_BIT(PBAY_OP_RAW),
    .dialects = PBAY_LIT("openai.chat/1 openai.embeddings/1"),
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

PBAY_EXPORT const pbay_plugin *PBAY_ENTRY(llamacpp)(uint32_t host_major,
                                                    uint32_t host_minor);

const pbay_plugin *PBAY_ENTRY(llamacpp)(uint32_t host_major,
                                        uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
