/* SPDX-License-Identifier: MIT */
/* llamacpp.so: llama.cpp's llama-server.  This file: the plugin's table and its
 * instances. */
#include <stdlib.h>
#include <string.h>

#include "llama.h"
#include "manifest.h"

PBAY_PLUGIN_NOTE(MANIFEST);

static const struct oai_hooks hooks = {.edits = ll_edits, .error = ll_error};

/* Files and no URL: the host starts the servers. */
static int is_to_start(const struct llama *l, const pbay_host *host)
{
    const pbay_host_backends *b =
        host->extension ? host->extension(host, OA(PBAY_HOST_BACKENDS)) : NULL;

    return l->disk.dir && b && !(b->flags & PBAY_BACKENDS_HAS_URL);
}

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct llama *l = calloc(1, sizeof *l);
    pbay_rc rc;

    if (!l)
        return PBAY_NOMEM;
    rc = disk_init(&l->disk, host, config);
    if (rc == PBAY_OK) {
        l->starts = is_to_start(l, host);
        rc = launch_init(&l->launch, host, config, l->disk.dir);
        if (rc != PBAY_OK)
            disk_done(&l->disk);
    }
    if (rc != PBAY_OK) {
        free(l);
        return rc;
    }
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
    struct llama *l = inst;

    launch_done(&l->launch);
    disk_done(&l->disk);
    free(l);
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
    return a->op == PBAY_OP_CHAT || a->op == PBAY_OP_RAW
               ? oai_finish(&l->oai, &a->c, why)
               : PBAY_OK;
}

#define OPS_OF_MODELS                                         \
    (PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) | \
     PBAY_OP_BIT(PBAY_OP_COUNT) | PBAY_OP_BIT(PBAY_OP_RAW))
#define OPS_BUT_LIST                                                           \
    (OPS_OF_MODELS | PBAY_OP_BIT(PBAY_OP_SHOW) | PBAY_OP_BIT(PBAY_OP_HEALTH) | \
     PBAY_OP_BIT(PBAY_OP_PS))
#define CODEC(operations)                                             \
    {                                                                 \
        .size = sizeof(pbay_codec), .state_size = sizeof(struct ask), \
        .ops = (operations),                                          \
        .dialects = PBAY_LIT("openai.chat/1 openai.embeddings/1"),    \
        .build = build, .head = head, .feed = feed, .finish = finish, \
    }

static const pbay_codec codec = CODEC(OPS_BUT_LIST | PBAY_OP_BIT(PBAY_OP_LIST));

/* With models_dir the list is read from files, on a worker thread. */
static const pbay_codec codec_beside_files = CODEC(OPS_BUT_LIST);

/* Servers of one model each, which run when they are needed. */
static const pbay_codec codec_of_models = CODEC(OPS_OF_MODELS);

static pbay_rc run(void *inst, pbay_call *call, const pbay_request *req)
{
    const struct llama *l = inst;
    const struct launch *launch = l->starts ? &l->launch : NULL;

    switch (req->op) {
    case PBAY_OP_LIST:
        return disk_list(&l->disk, launch, call, req);
    case PBAY_OP_SHOW:
        return disk_show(&l->disk, launch, call, req);
    case PBAY_OP_HEALTH:
        return launch_health(&l->launch, call);
    default:
        return PBAY_NOSYS;
    }
}

static const pbay_native list_of_files = {
    .size = sizeof list_of_files,
    .ops = PBAY_OP_BIT(PBAY_OP_LIST),
    .run = run,
};

static const pbay_native files = {
    .size = sizeof files,
    .ops = PBAY_OP_BIT(PBAY_OP_LIST) | PBAY_OP_BIT(PBAY_OP_SHOW) |
           PBAY_OP_BIT(PBAY_OP_HEALTH),
    .run = run,
};

static pbay_rc describe(void *inst, pbay_call *call, const pbay_request *req,
                        pbay_backend_spec *spec)
{
    const struct llama *l = inst;

    return launch_describe(&l->launch, call, req, spec);
}

static const pbay_backend servers = {
    .size = sizeof servers,
    .ops = OPS_OF_MODELS,
    .describe = describe,
};

static int is(pbay_str id, const char *name)
{
    return id.n == strlen(name) && memcmp(id.p, name, id.n) == 0;
}

static const void *extension(void *inst, pbay_str id)
{
    const struct llama *l = inst;

    if (is(id, PBAY_EXT_CODEC))
        return l->starts     ? &codec_of_models
               : l->disk.dir ? &codec_beside_files
                             : &codec;
    if (is(id, PBAY_EXT_NATIVE) && l->disk.dir)
        return l->starts ? &files : &list_of_files;
    if (is(id, PBAY_EXT_BACKEND) && l->starts)
        return &servers;
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
