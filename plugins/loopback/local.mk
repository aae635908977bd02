# SPDX-License-Identifier: MIT
# The provider loopback.

loopback_sources = \
	plugins/loopback/answer.c \
	plugins/loopback/base64.c \
	plugins/loopback/chat.c \
	plugins/loopback/chat.h \
	plugins/loopback/image.c \
	plugins/loopback/lb.h \
	plugins/loopback/loopback.c \
	plugins/loopback/models.c \
	plugins/loopback/moderate.c \
	plugins/loopback/prompt.c \
	plugins/loopback/run.c \
	plugins/loopback/schema.c \
	plugins/loopback/script.c \
	plugins/loopback/send.c \
	plugins/loopback/token.c \
	plugins/loopback/tools.c \
	plugins/loopback/vector.c

pluginlib_LTLIBRARIES += plugins/loopback/loopback.la
plugins_loopback_loopback_la_SOURCES = $(loopback_sources)
plugins_loopback_loopback_la_CPPFLAGS = $(plugin_cppflags)
plugins_loopback_loopback_la_CFLAGS = $(plugin_cflags)
plugins_loopback_loopback_la_LDFLAGS = $(plugin_ldflags)
plugins_loopback_loopback_la_LIBADD = $(plugin_libadd)

EXTRA_DIST += plugins/loopback/README.md
