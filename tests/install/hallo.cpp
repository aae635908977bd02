// SPDX-License-Identifier: MIT
// A provider in C++, built outside the tree with the installed headers alone.
#include <patchbay/provider.h>

#include <cstring>
#include <new>
#include <string>

#define MANIFEST                                                         \
    "{\"abi\":\"0.1\",\"id\":\"hallo\",\"version\":\"1.0\","             \
    "\"license\":\"MIT\",\"kind\":\"native\",\"local\":true,"            \
    "\"models\":[{\"match\":\"hallo\",\"capabilities\":[\"chat\"]}]}"

PBAY_PLUGIN_NOTE(MANIFEST);

namespace
{

struct instance {
    const pbay_host *host;
    std::string greeting;
};

pbay_rc create(const pbay_host *host, pbay_str, void **inst)
{
    try {
        *inst = new instance{host, "greetings from C++"};
        return PBAY_OK;
    } catch (...) { // nothing may unwind into the host
        return PBAY_NOMEM;
    }
}

void destroy(void *inst)
{
    delete static_cast<instance *>(inst);
}

pbay_rc run(void *inst, pbay_call *call, const pbay_request *req)
{
    const instance *self = static_cast<instance *>(inst);

    if (req->op != PBAY_OP_CHAT)
        return PBAY_NOSYS;
    pbay_event text{};
    text.size = sizeof text;
    text.type = PBAY_EV_TEXT;
    text.text = {self->greeting.data(), self->greeting.size()};
    if (self->host->emit(call, &text) != PBAY_OK)
        return PBAY_FAIL;
    pbay_event stop{};
    stop.size = sizeof stop;
    stop.type = PBAY_EV_STOP;
    stop.code = PBAY_STOP_END;
    self->host->emit(call, &stop);
    return PBAY_OK;
}

const pbay_native native = {sizeof native, 0, PBAY_OP_BIT(PBAY_OP_CHAT), run,
                            nullptr};

const void *extension(void *, pbay_str id)
{
    return id.n == std::strlen(PBAY_EXT_NATIVE) &&
                   std::memcmp(id.p, PBAY_EXT_NATIVE, id.n) == 0
               ? &native
               : nullptr;
}

const pbay_plugin plugin = {PBAY_MAGIC,     sizeof plugin,
                            PBAY_ABI_MAJOR, PBAY_ABI_MINOR,
                            0,              PBAY_LIT(MANIFEST),
                            create,         destroy,
                            extension};

} // namespace

PBAY_EXPORT pbay_entry_fn PBAY_ENTRY(hallo);

const pbay_plugin *PBAY_ENTRY(hallo)(uint32_t, uint32_t)
{
    return &plugin;
}
