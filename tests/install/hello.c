/* SPDX-License-Identifier: MIT */
/* A provider as a third party would write it: built by the tests outside the
 * tree, against what was installed. */
#include <patchbay/provider.h>

#define MANIFEST                                                             \
    "{\"abi\":\"0.1\",\"id\":\"hello\",\"version\":\"2.5\","                 \
    "\"license\":\"MIT\",\"kind\":\"native\",\"local\":true,\"needs\":[],"   \
    "\"models\":[{\"match\":\"hello\",\"capabilities\":[\"streaming\"]}]}"

PBAY_PLUGIN_NOTE(MANIFEST);

static pbay_rc hello_create(const pbay_host *host, pbay_str config,
                            void **inst)
{
    (void)config;
    *inst = (void *)(uintptr_t)host;
    return PBAY_OK;
}

static void hello_destroy(void *inst)
{
    (void)inst;
}

static pbay_rc emit_model(const pbay_host *host, pbay_call *call)
{
    pbay_event ev = {.size = sizeof(ev), .type = PBAY_EV_ITEM};
    ev.name = (pbay_str)PBAY_LIT("model");
    ev.json = (pbay_str)PBAY_LIT("{\"id\":\"hello\"}");
    return host->emit(call, &ev);
}

static pbay_rc emit_answer(const pbay_host *host, pbay_call *call)
{
    pbay_event ev = {.size = sizeof(ev), .type = PBAY_EV_BEGIN};
    ev.id = (pbay_str)PBAY_LIT("hello-1");
    ev.name = (pbay_str)PBAY_LIT("hello");
    pbay_rc rc = host->emit(call, &ev);
    if (rc != PBAY_OK)
        return rc;
    ev = (pbay_event){.size = sizeof(ev), .type = PBAY_EV_TEXT};
    ev.text = (pbay_str)PBAY_LIT("greetings from outside the tree");
    rc = host->emit(call, &ev);
    if (rc != PBAY_OK)
        return rc;
    ev = (pbay_event){.size = sizeof(ev), .type = PBAY_EV_STOP};
    ev.code = PBAY_STOP_END;
    return host->emit(call, &ev);
}

static pbay_rc hello_run(void *inst, pbay_call *call, const pbay_request *req)
{
    const pbay_host *host = inst;
    if (req->op == PBAY_OP_LIST)
        return emit_model(host, call);
    if (req->op == PBAY_OP_CHAT)
        return emit_answer(host, call);
    return PBAY_NOSYS;
}

static const pbay_native native = {
    .size = sizeof(native),
    .ops = PBAY_OP_BIT(PBAY_OP_CHAT) | PBAY_OP_BIT(PBAY_OP_LIST),
    .run = hello_run,
};

static const void *hello_extension(void *inst, pbay_str id)
{
    static const char name[] = PBAY_EXT_NATIVE;
    (void)inst;
    if (id.n != sizeof(name) - 1)
        return NULL;
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] != name[i])
            return NULL;
    }
    return &native;
}

static const pbay_plugin plugin = {
    .magic = PBAY_MAGIC,
    .size = sizeof(plugin),
    .abi_major = PBAY_ABI_MAJOR,
    .abi_minor = PBAY_ABI_MINOR,
    .manifest = PBAY_LIT(MANIFEST),
    .create = hello_create,
    .destroy = hello_destroy,
    .extension = hello_extension,
};

PBAY_EXPORT const pbay_plugin *pbay_provider_entry(uint32_t major,
                                                   uint32_t minor);
const pbay_plugin *pbay_provider_entry(uint32_t major, uint32_t minor)
{
    (void)major;
    (void)minor;
    return &plugin;
}
