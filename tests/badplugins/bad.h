/* SPDX-License-Identifier: MIT */
/* A module that would be good.  Each file beside this one spoils one thing of
 * it, with the macros below, before including this. */
#ifndef BAD_H
#define BAD_H

#include <patchbay/provider.h>

/* BAD_ID: the file's name. */
#ifndef BAD_ABI
#define BAD_ABI "0.1"
#endif
#ifndef BAD_MORE
#define BAD_MORE ""
#endif
#define BAD_MANIFEST_OF(id)                                         \
    "{\"abi\":\"" BAD_ABI "\",\"id\":\"" id "\",\"version\":\"1\"," \
    "\"license\":\"MIT\",\"kind\":\"native\",\"local\":true" BAD_MORE "}"
#ifndef BAD_NOTE
#define BAD_NOTE BAD_MANIFEST_OF(BAD_ID)
#endif
#ifndef BAD_MANIFEST
#define BAD_MANIFEST BAD_MANIFEST_OF(BAD_ID)
#endif
#ifndef BAD_MAGIC
#define BAD_MAGIC PBAY_MAGIC
#endif
#ifndef BAD_SIZE
#define BAD_SIZE sizeof(pbay_plugin)
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR PBAY_ABI_MAJOR
#endif
#ifndef BAD_CREATE
#define BAD_CREATE bad_create
#endif
#ifndef BAD_ENTRY
#define BAD_ENTRY return &bad_plugin
#endif

#ifndef BAD_NO_NOTE
PBAY_PLUGIN_NOTE(BAD_NOTE);
#endif

__attribute__((unused)) static pbay_rc bad_create(const pbay_host *host,
                                                  pbay_str config, void **inst)
{
    (void)host;
    (void)config;
    (void)inst;
    return PBAY_OK;
}

static void bad_destroy(void *inst)
{
    (void)inst;
}

static const void *bad_extension(void *inst, pbay_str id)
{
    (void)inst;
    (void)id;
    return NULL;
}

__attribute__((unused)) static const pbay_plugin bad_plugin = {
    BAD_MAGIC,
    (uint32_t)(BAD_SIZE),
    BAD_MAJOR,
    PBAY_ABI_MINOR,
    0,
    PBAY_LIT(BAD_MANIFEST),
    BAD_CREATE,
    bad_destroy,
    bad_extension};

#ifndef BAD_NO_ENTRY
PBAY_EXPORT const pbay_plugin *pbay_provider_entry(uint32_t major,
                                                   uint32_t minor);

const pbay_plugin *pbay_provider_entry(uint32_t major, uint32_t minor)
{
    (void)major;
    (void)minor;
    BAD_ENTRY;
}
#else
const void *bad_use(void);
const void *bad_use(void)
{
    return &bad_plugin;
}
#endif

#endif
