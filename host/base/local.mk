# SPDX-License-Identifier: MIT
# host/base: sources of the host library.

host_sources += \
	host/base/ability.c \
	host/base/ability.h \
	host/base/arena.c \
	host/base/arena.h \
	host/base/buf.c \
	host/base/buf.h \
	host/base/clock.c \
	host/base/clock.h \
	host/base/descriptors.c \
	host/base/descriptors.h \
	host/base/error.c \
	host/base/error.h \
	host/base/fs.c \
	host/base/fs.h \
	host/base/hash.h \
	host/base/json.c \
	host/base/json.h \
	host/base/limits.h \
	host/base/log.c \
	host/base/log.h \
	host/base/log_writer.c \
	host/base/log_writer.h \
	host/base/loop.c \
	host/base/loop.h \
	host/base/price.c \
	host/base/price.h \
	host/base/redact.c \
	host/base/sdnotify.c \
	host/base/sdnotify.h \
	host/base/sha256.c \
	host/base/sha256.h \
	host/base/tokens.c host/base/tokens.h \
	host/base/str.c \
	host/base/str.h \
	host/base/thread.c \
	host/base/thread.h
