# SPDX-License-Identifier: MIT
# host/module: sources of the host library.

host_sources += \
	host/module/backend.c \
	host/module/backend.h \
	host/module/backend_args.c \
	host/module/backend_child.c \
	host/module/backend_core.c \
	host/module/backend_guard.c \
	host/module/backend_int.h \
	host/module/backend_probe.c \
	host/module/backend_room.c \
	host/module/backend_run.c \
	host/module/backend_run.h \
	host/module/backend_spec.c \
	host/module/catalogue.c \
	host/module/gendir.c \
	host/module/loader.c \
	host/module/loader.h \
	host/module/loader_priv.h \
	host/module/manifest.c \
	host/module/manifest.h \
	host/module/manifest_keys.c \
	host/module/manifest_priv.h \
	host/module/manifest_read.c \
	host/module/native_event.c \
	host/module/native_event.h \
	host/module/native_pool.c \
	host/module/native_pool.h \
	host/module/probe.c \
	host/module/times.c \
	host/module/times.h \
	host/module/trust.c
