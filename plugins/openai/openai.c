/* SPDX-License-Identifier: MIT */
/* openai.so: OpenAI, and any server that speaks like it.  This file: the
 * plugin's table, its instances and their configuration. */
#include <stdlib.h>
#include <string.h>

#include "../openai-wire/oai.h"
#include "manifest.h"
#include "responses.h"

PBAY_PLUGIN_NOTE(MANIFEST);

/* ------------------------------------------------------------ configuration */

static int bad_path(const struct openai *o, const char *name, pbay_str path)
{
    char text[128] = "";
    pbay_out w = {.p = text, .room = sizeof text};
    int bad = !path.n || path.p[0] != '/';

    for (size_t i = 0; i < path.n; i++)
        bad |= (unsigned char)path.p[i] <= ' ' || path.p[i] == 0x7f ||
               path.p[i] == '#' || path.p[i] == '?';
    if (bad) {
        pbay_out_cstr(&w, name);
        pbay_out_cstr(&w, " must start with / and have no space, ? or #");
        o->host->log(o->host, PBAY_LOG_ERROR, (pbay_str){w.p, w.n});
    }
    return bad;
}

struct string_key {
    const char *name, *dflt;
    size_t at;
    int path;
};

static const struct string_key strings[] = {
    {"organization", "", offsetof(struct openai, organization), 0},
    {"project", "", offsetof(struct openai, project), 0},
    {"cost_currency", "", offsetof(struct openai, cost_currency), 0},
    {"chat_path", "/chat/completions", offsetof(struct openai, chat_path), 1},
    {"embeddings_path", "/embeddings", offsetof(struct openai, embeddings_path),
     1},
    {"moderations_path", "/moderations",
     offsetof(struct openai, moderations_path), 1},
    {"images_path", "/images/generations", offsetof(struct openai, images_path),
     1},
    {"models_path", "/models", offsetof(struct openai, models_path), 1},
    {"responses_path", "/responses",
     offsetof(struct openai_own, responses_path), 1},
    {"reasoning_summary", "none", offsetof(struct openai_own, summary), 0},
};
#define STRINGS (sizeof strings / sizeof *strings)

static pbay_str *string_at(struct openai *o, size_t i)
{
    return (pbay_str *)(void *)((char *)o + strings[i].at);
}

static pbay_rc configure(struct openai_own *own, pbay_str config)
{
    struct openai *o = &own->o;
    static const char *const ways[] = {"pass", "all", "none", NULL};

    for (size_t i = 0; i < STRINGS; i++) {
        pbay_str *s = string_at(o, i);
        if (!oai_take_string(config, strings[i].name, strings[i].dflt, s))
            return PBAY_NOMEM;
        if (strings[i].path ? bad_path(o, strings[i].name, *s)
                            : oai_bad_header(o->host, strings[i].name, *s))
            return PBAY_FAIL;
    }
    if (o->cost_currency.n && o->cost_currency.n != 3) {
        o->host->log(o->host, PBAY_LOG_ERROR,
                     OA("cost_currency must be three letters, such as USD"));
        return PBAY_FAIL;
    }
    own->responses = oai_take_word(config, "responses_api", ways);
    return oai_take_quirks(o, config);
}

static void destroy(void *inst)
{
    struct openai *o = inst;

    for (size_t i = 0; i < STRINGS; i++)
        free((void *)(uintptr_t)string_at(o, i)->p);
    free((void *)(uintptr_t)o->lacks.p);
    free(o);
}

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    static const struct oai_hooks hooks = {.build = rs_build,
                                           .record = rs_record};
    struct openai_own *o = calloc(1, sizeof *o);
    pbay_rc rc;

    if (!o)
        return PBAY_NOMEM;
    o->o.host = host;
    o->o.hooks = &hooks;
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
    return rs_declines(inst, req) ? PBAY_NOSYS
                                  : oai_codec_build(inst, st, call, req, x);
}

static const pbay_codec codec = {
    .size = sizeof codec,
    .state_size = sizeof(struct call),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) |
           PBAY_OP_BIT(PBAY_OP_MODERATE) | PBAY_OP_BIT(PBAY_OP_IMAGE) |
           PBAY_OP_BIT(PBAY_OP_LIST) | PBAY_OP_BIT(PBAY_OP_SHOW) |
           PBAY_OP_BIT(PBAY_OP_HEALTH) | PBAY_OP_BIT(PBAY_OP_RAW),
    .dialects = PBAY_LIT("openai.chat/1 openai.embeddings/1 "
                         "openai.moderations/1 openai.images/1 "
                         "openai.responses/1"),
    .build = build,
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

PBAY_EXPORT const pbay_plugin *PBAY_ENTRY(openai)(uint32_t host_major,
                                                  uint32_t host_minor);

const pbay_plugin *PBAY_ENTRY(openai)(uint32_t host_major, uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
