/* SPDX-License-Identifier: MIT */
/* openrouter.so: OpenRouter, which speaks OpenAI's language and more.  This
 * file: the plugin's table and its instances. */
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "openrouter.h"

PBAY_PLUGIN_NOTE(MANIFEST);

static pbay_rc build(struct openai *o, struct call *c, const pbay_request *req,
                     pbay_exchange *x)
{
    switch (req->op) {
    case PBAY_OP_LIST:
        return or_build_list(o, c, req, x);
    case PBAY_OP_CREDITS:
    case PBAY_OP_GENERATION:
    case PBAY_OP_HEALTH:
        return or_build_account(o, c, req, x);
    default:
        return PBAY_NOSYS;
    }
}

static pbay_rc items(struct openai *o, struct call *c, pbay_str body)
{
    switch (c->op) {
    case PBAY_OP_LIST:
        return or_list(o, c, body);
    case PBAY_OP_CREDITS:
    case PBAY_OP_GENERATION:
    case PBAY_OP_HEALTH:
        return or_account(o, c, body);
    default:
        return PBAY_NOSYS;
    }
}

static const struct oai_hooks hooks = {
    .build = build,
    .edits = or_edits,
    .headers = or_headers,
    .message = or_message,
    .before_stop = or_before_stop,
    .items = items,
    .model = or_model,
    .error = or_error,
};

static void destroy(void *inst)
{
    struct openrouter *r = inst;

    free(r->text);
    free(r);
}

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct openrouter *r = calloc(1, sizeof *r);
    pbay_rc rc;

    if (!r)
        return PBAY_NOMEM;
    r->oai = (struct openai){
        .host = host,
        .hooks = &hooks,
        .chat_path = PBAY_LIT("/chat/completions"),
        .embeddings_path = PBAY_LIT("/embeddings"),
        .models_path = PBAY_LIT("/models"),
        .max_tokens_field = LIMIT_AS_IS, /* both names are known there */
        .stream_options = 0,             /* the usage always comes */
        .lookup_in_list = 1,
        .native_stop = 1,
        .details = 1,
        .cost_currency = PBAY_LIT("USD"),
    };
    rc = or_configure(r, config);
    if (rc != PBAY_OK) {
        destroy(r);
        return rc;
    }
    *inst = r;
    return PBAY_OK;
}

static const pbay_codec codec = {
    .size = sizeof codec,
    .state_size = sizeof(struct call),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) |
           PBAY_OP_BIT(PBAY_OP_LIST) | PBAY_OP_BIT(PBAY_OP_SHOW) |
           PBAY_OP_BIT(PBAY_OP_CREDITS) | PBAY_OP_BIT(PBAY_OP_GENERATION) |
           PBAY_OP_BIT(PBAY_OP_HEALTH) | PBAY_OP_BIT(PBAY_OP_RAW),
    .dialects = PBAY_LIT("openai.chat/1 openai.embeddings/1"),
    .build = oai_codec_build,
    .head = oai_codec_head,
    .feed = oai_codec_feed,
    .finish = oai_codec_finish,
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

PBAY_EXPORT const pbay_plugin *PBAY_ENTRY(openrouter)(uint32_t host_major,
                                                      uint32_t host_minor);

const pbay_plugin *PBAY_ENTRY(openrouter)(uint32_t host_major,
                                          uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
