/* SPDX-License-Identifier: MIT */
/* The client side's entry: routes a request to the dialect that serves it,
 * after finding out who asks and what they may.  One context per loop. */
#ifndef PB_DIALECT_H
#define PB_DIALECT_H

#include <stdatomic.h>

#include "http/server.h"
#include "manager/call.h"

struct dialect {
    struct manager *manager;
    uint32_t id_seed; /* for request ids; of this loop alone */
    uint64_t id_count;
};

/* The tag of a listener, for http_listen(): what the dialect has to know of it.
 * Outlives the listener's connections, and the configuration it was made by. */
struct dialect_listener {
    _Atomic bool auth_none; /* takes everybody; set by the control thread */
};

/* For whom a request from inside is made (http/inner.h, its `owner`), and what
 * came of the call that it led to. */
struct dialect_inside {
    unsigned rights; /* RIGHT_* */
    pbay_str key_name;
    bool reported;
    struct call_report report; /* its texts: only these two */
    char provider[64], model[256];
};

/* The handler and error renderer for http_server_new(); arg is the dialect. */
void dialect_handle(struct http_req *req, void *arg);
/* Every URL there is, for the test of their documentation. */
void dialect_routes(void (*fn)(void *arg, const char *method, const char *path,
                               unsigned right),
                    void *arg);
size_t dialect_error_body(pbay_str path, int status, const char *why, char *dst,
                          size_t room);

#endif
