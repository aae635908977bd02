/* SPDX-License-Identifier: MIT */
/* What the host offers to a plugin.  Valid from create() until destroy() has
 * returned.  A plugin uses nothing else of the host: no symbol of it is
 * exported. */
#ifndef PATCHBAY_HOST_H
#define PATCHBAY_HOST_H

#include <patchbay/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Levels of pbay_host.log. */
enum {
    PBAY_LOG_ERROR = 1,
    PBAY_LOG_WARN,
    PBAY_LOG_INFO,
    PBAY_LOG_DEBUG
};

typedef struct pbay_host {
    uint32_t size;
    uint16_t abi_major, abi_minor; /* what the host offers */
    void *priv;                    /* the host's own */
    /* [any] A table of a host extension, or NULL when the host has none of that
     * id: PBAY_HOST_BACKENDS (backend.h).  The same pointer each time. */
    const void *(*extension)(const struct pbay_host *host, pbay_str id);
    /* [any] One line for the host's log; the host adds the instance's name.
     * Never blocks.  Lines over 2 KiB are cut, control characters (line ends
     * too) are written as escapes, and the values of configured secrets are
     * masked; what a user asked or a model answered does not belong here. */
    void (*log)(const struct pbay_host *host, int32_t level, pbay_str msg);
    /* [call] n zeroed bytes, 16-aligned, that live until finish() or run() has
     * returned; over several exchanges (PBAY_AGAIN) to the last finish().  NULL
     * past the call's limit (the provider's key call_memory, 8 MiB by default):
     * the plugin then returns PBAY_NOMEM. */
    void *(*alloc)(pbay_call *call, size_t n);
    /* [call] Hand an event to the host; everything it points to is borrowed for
     * this call.  PBAY_OK, or PBAY_STOPPED: return at once. */
    pbay_rc (*emit)(pbay_call *call, const pbay_event *ev);
    /* [any] Nonzero once the call is over. */
    int32_t (*cancelled)(const pbay_call *call);
} pbay_host;

#ifdef __cplusplus
}
#endif
#endif
