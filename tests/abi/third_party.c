/* SPDX-License-Identifier: MIT */
/* A provider as somebody else would write it: from the installed headers alone,
 * in the language that C11 and C++11 have in common. */
#include <patchbay/backend.h>
#include <patchbay/json.h>
#include <patchbay/provider.h>

#define MANIFEST                                                   \
    "{\"abi\":\"0.1\",\"id\":\"third_party\",\"version\":\"1.0\"," \
    "\"license\":\"MIT\",\"kind\":\"codec\",\"local\":true,"       \
    "\"base_url\":\"http://127.0.0.1:9\"}"

PBAY_PLUGIN_NOTE(MANIFEST);

static const pbay_host *host;

static pbay_rc build(void *inst, void *st, pbay_call *call,
                     const pbay_request *req, pbay_exchange *x)
{
    static const pbay_str method = PBAY_LIT("POST"), path = PBAY_LIT("/say");
    (void)inst;
    (void)st;
    /* From the helper library, which is linked in statically. */
    if (pbay_json_check(req->body, NULL) < 0)
        return PBAY_FAIL;
    pbay_str *body = (pbay_str *)host->alloc(call, sizeof *body);
    if (!body)
        return PBAY_NOMEM;
    *body = req->body;
    x->framing = PBAY_FRAME_SSE;
    x->method = method;
    x->path = path;
    x->body = body;
    x->n_body = 1;
    return PBAY_OK;
}

static pbay_rc feed(void *inst, void *st, pbay_call *call,
                    const pbay_record *rec)
{
    pbay_event ev;
    (void)inst;
    (void)st;
    for (size_t i = 0; i < sizeof ev; i++)
        ((char *)&ev)[i] = 0;
    ev.size = (uint32_t)sizeof ev;
    ev.type = PBAY_EV_TEXT;
    ev.text = rec->data;
    return host->emit(call, &ev);
}

static pbay_rc finish(void *inst, void *st, pbay_call *call, pbay_rc why)
{
    (void)inst;
    (void)st;
    (void)call;
    (void)why;
    return PBAY_OK;
}

static const pbay_codec codec = {sizeof(pbay_codec),
                                 0,
                                 (uint64_t)1 << PBAY_OP_CHAT,
                                 PBAY_LIT(""),
                                 build,
                                 NULL,
                                 feed,
                                 finish};

/* Its server, which the host would start. */
static pbay_rc describe(void *inst, pbay_call *call, const pbay_request *req,
                        pbay_backend_spec *spec)
{
    static const pbay_str argv[] = {PBAY_LIT("some-server"),
                                    PBAY_LIT("--port=${port}")};
    static const pbay_kv env[] = {
        {PBAY_LIT("SOME_SERVER_KEY"), PBAY_LIT("${key}")}};
    static const pbay_str path = PBAY_LIT("/ready");
    (void)inst;
    (void)call;
    if (!PBAY_HAS(spec, name))
        return PBAY_NOSYS;
    spec->key = spec->name = req->model;
    spec->argv = argv;
    spec->n_argv = 2;
    spec->env = env;
    spec->n_env = 1;
    spec->ready_path = path;
    return PBAY_OK;
}

static const pbay_backend backend = {sizeof(pbay_backend), 0,
                                     (uint64_t)1 << PBAY_OP_CHAT, describe};

static pbay_rc create(const pbay_host *h, pbay_str config, void **inst)
{
    (void)config;
    *inst = NULL;
    host = h;
    return PBAY_OK;
}

static void destroy(void *inst)
{
    (void)inst;
}

static const void *extension(void *inst, pbay_str id)
{
    (void)inst;
    if (id.n == sizeof(PBAY_EXT_BACKEND) - 1)
        return &backend;
    return id.n == sizeof(PBAY_EXT_CODEC) - 1 ? &codec : NULL;
}

static const pbay_plugin plugin = {
    PBAY_MAGIC, sizeof(pbay_plugin), PBAY_ABI_MAJOR, PBAY_ABI_MINOR,
    0,          PBAY_LIT(MANIFEST),  create,         destroy,
    extension};

#ifdef __cplusplus
extern "C"
#endif
    PBAY_EXPORT const pbay_plugin *
    pbay_provider_entry(uint32_t major, uint32_t minor);

const pbay_plugin *pbay_provider_entry(uint32_t major, uint32_t minor)
{
    (void)major;
    (void)minor;
    return &plugin;
}
