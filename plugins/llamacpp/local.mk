# SPDX-License-Identifier: MIT
# The provider llamacpp.

llamacpp_sources = \
	plugins/llamacpp/llamacpp.c \
	plugins/llamacpp/llama.h \
	plugins/llamacpp/manifest.h \
	plugins/llamacpp/disk.c \
	plugins/llamacpp/disk.h \
	plugins/llamacpp/fields.c \
	plugins/llamacpp/files.c \
	plugins/llamacpp/files.h \
	plugins/llamacpp/gguf.c \
	plugins/llamacpp/gguf.h \
	plugins/llamacpp/launch.c \
	plugins/llamacpp/launch.h \
	plugins/llamacpp/models.c \
	plugins/llamacpp/path.c \
	plugins/llamacpp/path.h \
	plugins/llamacpp/reply.c \
	plugins/llamacpp/request.c \
	plugins/llamacpp/settings.c \
	plugins/llamacpp/settings.h

pluginlib_LTLIBRARIES += plugins/llamacpp/llamacpp.la
plugins_llamacpp_llamacpp_la_SOURCES = $(llamacpp_sources)
plugins_llamacpp_llamacpp_la_CPPFLAGS = $(plugin_cppflags)
plugins_llamacpp_llamacpp_la_CFLAGS = $(plugin_cflags)
plugins_llamacpp_llamacpp_la_LDFLAGS = $(plugin_ldflags)
plugins_llamacpp_llamacpp_la_LIBADD = plugins/openai-wire/libopenai-wire.la \
	$(plugin_libadd)

EXTRA_DIST += plugins/llamacpp/README.md plugins/llamacpp/transcripts
