# SPDX-License-Identifier: MIT
# The provider ollama.

ollama_sources = \
	plugins/ollama/ollama.c plugins/ollama/ollama.h \
	plugins/ollama/manifest.h \
	plugins/ollama/answer.c \
	plugins/ollama/body.c \
	plugins/ollama/build.c \
	plugins/ollama/chat.c \
	plugins/ollama/emit.c \
	plugins/ollama/feed.c \
	plugins/ollama/items.c \
	plugins/ollama/messages.c \
	plugins/ollama/models.c \
	plugins/ollama/options.c

pluginlib_LTLIBRARIES += plugins/ollama/ollama.la
plugins_ollama_ollama_la_SOURCES = $(ollama_sources)
plugins_ollama_ollama_la_CPPFLAGS = $(plugin_cppflags)
plugins_ollama_ollama_la_CFLAGS = $(plugin_cflags)
plugins_ollama_ollama_la_LDFLAGS = $(plugin_ldflags)
plugins_ollama_ollama_la_LIBADD = $(plugin_libadd)

EXTRA_DIST += plugins/ollama/README.md plugins/ollama/transcripts
