/* SPDX-License-Identifier: MIT */
/* The layout of every struct of the ABI, so that no change of it goes
 * unnoticed: a member that moves, grows or is put in the middle stops this from
 * compiling. Compiled as C and as C++ by tests/abi/headers-*.sh; nothing to
 * run.
 *
 * While the ABI is 0.x a deliberate change is made here and in the minor number
 * together; from 1.0 on only new lines at the end of a struct are. */
#include <patchbay/json.h>
#include <patchbay/provider.h>
#include <patchbay/wire.h>

/* Numbers of 32 bits before the place, pointers before it. */
#define AT(type, member, words, pointers)                     \
    PBAY_ASSERT(offsetof(type, member) ==                     \
                    (words)*4u + (pointers) * sizeof(void *), \
                #type "." #member " has moved")
#define SIZE(type, words, pointers)                                       \
    PBAY_ASSERT(sizeof(type) == (words)*4u + (pointers) * sizeof(void *), \
                #type " has another size")
#define SAME(a, b) PBAY_ASSERT((a) == (b), #a " has another value")

SAME(PBAY_ABI_MAJOR, 0u);
SAME(PBAY_ABI_MINOR, 1u);

AT(pbay_str, p, 0, 0);
AT(pbay_str, n, 0, 1);
SIZE(pbay_str, 0, 2);
AT(pbay_kv, k, 0, 0);
AT(pbay_kv, v, 0, 2);
SIZE(pbay_kv, 0, 4);

SAME(PBAY_MAGIC, 0x59414250u);
AT(pbay_plugin, magic, 0, 0);
AT(pbay_plugin, size, 1, 0);
AT(pbay_plugin, abi_major, 2, 0);
PBAY_ASSERT(offsetof(pbay_plugin, abi_minor) == 10, "abi_minor has moved");
AT(pbay_plugin, flags, 3, 0);
AT(pbay_plugin, manifest, 4, 0);
AT(pbay_plugin, create, 4, 2);
AT(pbay_plugin, destroy, 4, 3);
AT(pbay_plugin, extension, 4, 4);
SIZE(pbay_plugin, 4, 5);

AT(pbay_host, size, 0, 0);
AT(pbay_host, abi_major, 1, 0);
PBAY_ASSERT(offsetof(pbay_host, abi_minor) == 6, "abi_minor has moved");
AT(pbay_host, priv, 2, 0);
AT(pbay_host, extension, 2, 1);
AT(pbay_host, log, 2, 2);
AT(pbay_host, alloc, 2, 3);
AT(pbay_host, emit, 2, 4);
AT(pbay_host, cancelled, 2, 5);
SIZE(pbay_host, 2, 6);

AT(pbay_request, size, 0, 0);
AT(pbay_request, op, 1, 0);
AT(pbay_request, flags, 2, 0);
AT(pbay_request, want, 3, 0);
AT(pbay_request, attempt, 4, 0);
AT(pbay_request, step, 5, 0);
AT(pbay_request, id, 6, 0);
AT(pbay_request, model, 6, 2);
AT(pbay_request, dialect, 6, 4);
AT(pbay_request, content_type, 6, 6);
AT(pbay_request, body, 6, 8);
AT(pbay_request, method, 6, 10);
AT(pbay_request, path, 6, 12);
AT(pbay_request, query, 6, 14);
AT(pbay_request, headers, 6, 16);
AT(pbay_request, n_headers, 6, 17);
AT(pbay_request, model_config, 6, 18);
AT(pbay_request, members, 6, 20);
AT(pbay_request, n_members, 6, 21);
SIZE(pbay_request, 6, 22);

AT(pbay_exchange, size, 0, 0);
AT(pbay_exchange, framing, 1, 0);
AT(pbay_exchange, flags, 2, 0);
AT(pbay_exchange, reserved, 3, 0);
AT(pbay_exchange, method, 4, 0);
AT(pbay_exchange, base, 4, 2);
AT(pbay_exchange, path, 4, 4);
AT(pbay_exchange, auth, 4, 6);
AT(pbay_exchange, headers, 4, 8);
AT(pbay_exchange, n_headers, 4, 9);
AT(pbay_exchange, body, 4, 10);
AT(pbay_exchange, n_body, 4, 11);
AT(pbay_exchange, first_byte_ms, 4, 12);
AT(pbay_exchange, idle_ms, 6, 12);
SIZE(pbay_exchange, 8, 12);

AT(pbay_head, size, 0, 0);
AT(pbay_head, framing, 1, 0);
AT(pbay_head, flags, 2, 0);
AT(pbay_head, status, 3, 0);
AT(pbay_head, headers, 4, 0);
AT(pbay_head, n_headers, 4, 1);
SIZE(pbay_head, 4, 2);

AT(pbay_record, size, 0, 0);
AT(pbay_record, flags, 1, 0);
AT(pbay_record, event, 2, 0);
AT(pbay_record, data, 2, 2);
SIZE(pbay_record, 2, 4);

AT(pbay_codec, size, 0, 0);
AT(pbay_codec, state_size, 1, 0);
AT(pbay_codec, ops, 2, 0);
AT(pbay_codec, dialects, 4, 0);
AT(pbay_codec, build, 4, 2);
AT(pbay_codec, head, 4, 3);
AT(pbay_codec, feed, 4, 4);
AT(pbay_codec, finish, 4, 5);
SIZE(pbay_codec, 4, 6);

AT(pbay_native, size, 0, 0);
AT(pbay_native, max_parallel, 1, 0);
AT(pbay_native, ops, 2, 0);
AT(pbay_native, run, 4, 0);
AT(pbay_native, wake, 4, 1);
SIZE(pbay_native, 4, 2);

AT(pbay_backend_spec, size, 0, 0);
AT(pbay_backend_spec, parallel, 1, 0);
AT(pbay_backend_spec, key, 2, 0);
AT(pbay_backend_spec, argv, 2, 2);
AT(pbay_backend_spec, n_argv, 2, 3);
AT(pbay_backend_spec, env, 2, 4);
AT(pbay_backend_spec, n_env, 2, 5);
AT(pbay_backend_spec, ready_path, 2, 6);
AT(pbay_backend_spec, ready_ms, 2, 8);
AT(pbay_backend_spec, idle_ms, 4, 8);
AT(pbay_backend_spec, memory_bytes, 6, 8);
AT(pbay_backend_spec, name, 8, 8);
SIZE(pbay_backend_spec, 8, 10);
AT(pbay_backend, size, 0, 0);
AT(pbay_backend, reserved, 1, 0);
AT(pbay_backend, ops, 2, 0);
AT(pbay_backend, describe, 4, 0);
SIZE(pbay_backend, 4, 1);
SAME(PBAY_BACKENDS_HAS_URL, 1);
AT(pbay_host_backends, size, 0, 0);
AT(pbay_host_backends, flags, 1, 0);
SIZE(pbay_host_backends, 2, 0);

AT(pbay_usage, size, 0, 0);
AT(pbay_usage, known, 1, 0);
AT(pbay_usage, input, 2, 0);
AT(pbay_usage, cache_read, 4, 0);
AT(pbay_usage, cache_write, 6, 0);
AT(pbay_usage, cache_write_long, 8, 0);
AT(pbay_usage, output, 10, 0);
AT(pbay_usage, reasoning, 12, 0);
AT(pbay_usage, cost_nano, 14, 0);
AT(pbay_usage, currency, 16, 0);
AT(pbay_usage, flags, 17, 0);
AT(pbay_usage, units, 18, 0);
SIZE(pbay_usage, 18, 2);

AT(pbay_error, size, 0, 0);
AT(pbay_error, kind, 1, 0);
AT(pbay_error, scope, 2, 0);
AT(pbay_error, http_status, 3, 0);
AT(pbay_error, retry_after_ms, 4, 0);
AT(pbay_error, should_retry, 6, 0);
AT(pbay_error, reserved, 7, 0);
AT(pbay_error, code, 8, 0);
AT(pbay_error, type, 8, 2);
AT(pbay_error, param, 8, 4);
AT(pbay_error, message, 8, 6);
AT(pbay_error, request_id, 8, 8);
SIZE(pbay_error, 8, 10);

AT(pbay_event, size, 0, 0);
AT(pbay_event, type, 1, 0);
AT(pbay_event, choice, 2, 0);
AT(pbay_event, index, 3, 0);
AT(pbay_event, code, 4, 0);
AT(pbay_event, flags, 5, 0);
AT(pbay_event, id, 6, 0);
AT(pbay_event, name, 6, 2);
AT(pbay_event, text, 6, 4);
AT(pbay_event, json, 6, 6);
AT(pbay_event, usage, 6, 8);
AT(pbay_event, error, 6, 9);
SIZE(pbay_event, 6, 10);

/* Numbers that cross the line: the last of each list, so that nothing can be
 * put in between. */
SAME(PBAY_OP_CHAT, 1);
SAME(PBAY_OP_RAW, 13);
SAME(PBAY_OP_PS, 14);
SAME(PBAY_EV_BEGIN, 1);
SAME(PBAY_EV_CALL, 5);
SAME(PBAY_EV_ITEM, 8);
SAME(PBAY_EV_STOP, 11);
SAME(PBAY_EV_WARNING, 14);
SAME(PBAY_EV_ANNOTATION, 15);
SAME(PBAY_STOP_CONTEXT, 6);
SAME(PBAY_E_INVALID, 1);
SAME(PBAY_E_RATE, 8);
SAME(PBAY_E_PROTOCOL, 13);
SAME(PBAY_SCOPE_PROVIDER, 4);
SAME(PBAY_FRAME_SSE, 3);
SAME(PBAY_X_IDEMPOTENT, 4);
SAME(PBAY_RQ_BODY_FOLLOWS, 8);
SAME(PBAY_U_COST, 64);
SAME(PBAY_LOG_DEBUG, 4);
SAME(PBAY_STOPPED, -4);
SAME(PBAY_DROP, 3);
SAME(PBAY_F_UNLOADABLE, 1);

/* Text that crosses the line. */
PBAY_ASSERT(sizeof(PBAY_EXT_CODEC) == sizeof("patchbay.codec/1"), "codec id");
PBAY_ASSERT(sizeof(PBAY_EXT_NATIVE) == sizeof("patchbay.native/1"),
            "native id");
PBAY_ASSERT(sizeof(PBAY_EXT_BACKEND) == sizeof("patchbay.backend/1"),
            "backend id");
