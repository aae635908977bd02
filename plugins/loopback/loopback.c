/* SPDX-License-Identifier: MIT */
/* The provider loopback: deterministic answers from inside the process, without
 * key or network, for the demo, tests, the bench, and developing offline.  See
 * README.md beside this file. */
#include "lb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPABILITIES                                                        \
    "\"capabilities\":[\"streaming\",\"tools\",\"vision\",\"json_schema\"," \
    "\"prefill\",\"reasoning\",\"embeddings\",\"moderation\",\"images\"]"
/* A model by its name, and by its name with directives. */
#define MODEL(name)                              \
    "{\"match\":\"" name "\"," CAPABILITIES "}," \
    "{\"match\":\"" name "?*=*\"," CAPABILITIES "}"

#define MANIFEST                                                                                                                                                          \
    "{\"abi\":\"0.1\",\"id\":\"loopback\",\"version\":\"0.1.0\","                                                                                                         \
    "\"license\":\"MIT\",\"name\":\"Loopback\",\"kind\":\"native\","                                                                                                      \
    "\"local\":true,\"needs\":[],\"models\":[" MODEL("echo") "," MODEL(                                                                                                   \
        "lore"                                                                                                                                                            \
        "m") "," MODEL("tool") "," MODEL("json") "," MODEL("reason") "," MODEL("refuse") "," MODEL("embed") "," MODEL("moderate") "," MODEL("image") "],\"keys\":["       \
                                                                                                                                                     "{\"name\":\"first_" \
                                                                                                                                                     "token_ms\","        \
                                                                                                                                                     "\"type\":\"int\","  \
                                                                                                                                                     "\"unit\":\"ms\","   \
                                                                                                                                                     "\"default\":0,"     \
                                                                                                                                                     "\"min\":0,\"max\":" \
                                                                                                                                                     "600000,"            \
                                                                                                                                                     "\"doc\":\"Wait "    \
                                                                                                                                                     "this long before "  \
                                                                                                                                                     "the first token "   \
                                                                                                                                                     "of an answer.\"},"  \
                                                                                                                                                     "{\"name\":"         \
                                                                                                                                                     "\"tokens_per_"      \
                                                                                                                                                     "second\",\"type\":" \
                                                                                                                                                     "\"float\","         \
                                                                                                                                                     "\"default\":0,"     \
                                                                                                                                                     "\"min\":0,\"max\":" \
                                                                                                                                                     "1000000,"           \
                                                                                                                                                     "\"doc\":\"Send "    \
                                                                                                                                                     "tokens at this "    \
                                                                                                                                                     "rate; 0 sends "     \
                                                                                                                                                     "them at once.\"},"  \
                                                                                                                                                     "{\"name\":"         \
                                                                                                                                                     "\"length\","        \
                                                                                                                                                     "\"type\":\"int\","  \
                                                                                                                                                     "\"unit\":"          \
                                                                                                                                                     "\"tokens\","        \
                                                                                                                                                     "\"default\":0,"     \
                                                                                                                                                     "\"min\":0,\"max\":" \
                                                                                                                                                     "100000,"            \
                                                                                                                                                     "\"doc\":\"Make "    \
                                                                                                                                                     "every answer "      \
                                                                                                                                                     "exactly this "      \
                                                                                                                                                     "long; 0 leaves it " \
                                                                                                                                                     "as it "             \
                                                                                                                                                     "comes.\"},"         \
                                                                                                                                                     "{\"name\":"         \
                                                                                                                                                     "\"dimensions\","    \
                                                                                                                                                     "\"type\":\"int\","  \
                                                                                                                                                     "\"default\":256,"   \
                                                                                                                                                     "\"min\":1,"         \
                                                                                                                                                     "\"max\":4096,"      \
                                                                                                                                                     "\"doc\":\"Length "  \
                                                                                                                                                     "of embeddings "     \
                                                                                                                                                     "when the request "  \
                                                                                                                                                     "does not "          \
                                                                                                                                                     "say.\"},"           \
                                                                                                                                                     "{\"name\":"         \
                                                                                                                                                     "\"context_"         \
                                                                                                                                                     "window\",\"type\":" \
                                                                                                                                                     "\"int\",\"unit\":"  \
                                                                                                                                                     "\"tokens\","        \
                                                                                                                                                     "\"default\":0,"     \
                                                                                                                                                     "\"min\":0,\"max\":" \
                                                                                                                                                     "100000000,"         \
                                                                                                                                                     "\"doc\":\"Refuse "  \
                                                                                                                                                     "longer prompts as " \
                                                                                                                                                     "a real model "      \
                                                                                                                                                     "would; 0 takes "    \
                                                                                                                                                     "any.\"},"           \
                                                                                                                                                     "{\"name\":\"any_"   \
                                                                                                                                                     "model\",\"type\":"  \
                                                                                                                                                     "\"bool\","          \
                                                                                                                                                     "\"default\":false," \
                                                                                                                                                     "\"doc\":\"Answer "  \
                                                                                                                                                     "like echo under "   \
                                                                                                                                                     "any model name "    \
                                                                                                                                                     "instead of "        \
                                                                                                                                                     "refusing "          \
                                                                                                                                                     "names it does not " \
                                                                                                                                                     "know.\"},"          \
                                                                                                                                                     "{\"name\":"         \
                                                                                                                                                     "\"fault\","         \
                                                                                                                                                     "\"type\":"          \
                                                                                                                                                     "\"string\","        \
                                                                                                                                                     "\"default\":"       \
                                                                                                                                                     "\"none\","          \
                                                                                                                                                     "\"doc\":\"Fail "    \
                                                                                                                                                     "every request in "  \
                                                                                                                                                     "this way, as the "  \
                                                                                                                                                     "directive fault "   \
                                                                                                                                                     "does.\"}]}"

PBAY_PLUGIN_NOTE(MANIFEST);

static void get_int(pbay_str config, const char *name, int64_t *out)
{
    int64_t v;
    if (pbay_json_i64(pbay_json_get(config, name), &v) == 0)
        *out = v;
}

static bool configure(struct lb_instance *in, pbay_str config, char *why,
                      size_t room)
{
    in->script.retry_after_ms = -1;
    in->dimensions = 256;
    get_int(config, "first_token_ms", &in->script.delay_ms);
    get_int(config, "length", &in->script.length);
    get_int(config, "dimensions", &in->dimensions);
    get_int(config, "context_window", &in->context_window);
    double rate;
    if (pbay_json_f64(pbay_json_get(config, "tokens_per_second"), &rate) == 0)
        in->script.rate = rate > 0 && rate < 0.01 ? 0.01 : rate;
    in->any_model = pbay_json_true(pbay_json_get(config, "any_model"));
    pbay_str fault = pbay_json_get(config, "fault");
    char word[64];
    if (pbay_json_type(fault) != 's')
        return true;
    int64_t n = pbay_json_unescape(fault, word, sizeof word);
    pbay_str text = {word, n > 0 ? (size_t)n : 0};
    return lb_directive(&in->script, LB_STR("fault"), text, why, room);
}

static pbay_rc create(const pbay_host *host, pbay_str config, void **inst)
{
    struct lb_instance *in = calloc(1, sizeof *in);
    char why[400];
    if (!in)
        return PBAY_NOMEM;
    in->host = host;
    if (!configure(in, config, why, sizeof why)) {
        host->log(host, PBAY_LOG_ERROR, (pbay_str){why, strlen(why)});
        free(in);
        return PBAY_FAIL;
    }
    pthread_mutex_init(&in->lock, NULL);
    *inst = in;
    return PBAY_OK;
}

static void destroy(void *inst)
{
    struct lb_instance *in = inst;
    pthread_mutex_destroy(&in->lock);
    free(in);
}

static const struct {
    uint32_t op;
    pbay_rc (*run)(struct lb_run *r);
} operations[] = {
    {PBAY_OP_CHAT, lb_chat},         {PBAY_OP_EMBED, lb_embed},
    {PBAY_OP_MODERATE, lb_moderate}, {PBAY_OP_IMAGE, lb_image},
    {PBAY_OP_COUNT, lb_count},       {PBAY_OP_LIST, lb_list},
    {PBAY_OP_SHOW, lb_show},         {PBAY_OP_HEALTH, lb_health},
};
#define N_OPERATIONS (sizeof operations / sizeof *operations)

static pbay_rc run(void *inst, pbay_call *call, const pbay_request *req)
{
    struct lb_run r;
    size_t i = 0;
    while (i < N_OPERATIONS && operations[i].op != req->op)
        i++;
    if (i == N_OPERATIONS)
        return PBAY_NOSYS;
    lb_run_begin(&r, inst, call, req);
    pbay_rc rc = lb_script_read(&r);
    if (rc == PBAY_OK)
        rc = operations[i].run(&r);
    lb_run_end(&r);
    /* A reply that is to be cut just ends: without its STOP it is truncated,
     * which is what the host must find out. */
    return rc == PBAY_END ? PBAY_OK : rc;
}

static void wake(void *inst, pbay_call *call)
{
    lb_wake(inst, call);
}

static const pbay_native native = {
    .size = sizeof native,
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_EMBED) |
           PBAY_OP_BIT(PBAY_OP_MODERATE) | PBAY_OP_BIT(PBAY_OP_IMAGE) |
           PBAY_OP_BIT(PBAY_OP_COUNT) | PBAY_OP_BIT(PBAY_OP_LIST) |
           PBAY_OP_BIT(PBAY_OP_SHOW) | PBAY_OP_BIT(PBAY_OP_HEALTH),
    .run = run,
    .wake = wake};

static const void *extension(void *inst, pbay_str id)
{
    (void)inst;
    return lb_is(id, PBAY_EXT_NATIVE) ? &native : NULL;
}

static const pbay_plugin plugin = {.magic = PBAY_MAGIC,
                                   .size = sizeof plugin,
                                   .abi_major = PBAY_ABI_MAJOR,
                                   .abi_minor = PBAY_ABI_MINOR,
                                   .flags = PBAY_F_UNLOADABLE,
                                   .manifest = PBAY_LIT(MANIFEST),
                                   .create = create,
                                   .destroy = destroy,
                                   .extension = extension};

/* The only symbol this file exports. */
PBAY_EXPORT const pbay_plugin *PBAY_ENTRY(loopback)(uint32_t host_major,
                                                    uint32_t host_minor);

const pbay_plugin *PBAY_ENTRY(loopback)(uint32_t host_major,
                                        uint32_t host_minor)
{
    (void)host_major;
    (void)host_minor;
    return &plugin;
}
