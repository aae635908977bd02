# SPDX-License-Identifier: MIT
# OpenAI's language: what the providers that speak it have in common. No plugin
# of its own; each takes in what it needs.

openai_wire_sources = \
	plugins/openai-wire/oai.h \
	plugins/openai-wire/blocks.c \
	plugins/openai-wire/build.c \
	plugins/openai-wire/chat.c \
	plugins/openai-wire/codec.c \
	plugins/openai-wire/config.c \
	plugins/openai-wire/emit.c \
	plugins/openai-wire/feed.c \
	plugins/openai-wire/items.c \
	plugins/openai-wire/messages.c \
	plugins/openai-wire/usage.c

noinst_LTLIBRARIES += plugins/openai-wire/libopenai-wire.la
plugins_openai_wire_libopenai_wire_la_SOURCES = $(openai_wire_sources)
plugins_openai_wire_libopenai_wire_la_CPPFLAGS = $(plugin_cppflags)
plugins_openai_wire_libopenai_wire_la_CFLAGS = $(plugin_cflags)
plugins_openai_wire_libopenai_wire_la_LDFLAGS =

EXTRA_DIST += plugins/README.md
