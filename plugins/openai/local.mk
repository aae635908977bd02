# SPDX-License-Identifier: MIT
# The provider openai.

openai_sources = \
	plugins/openai/openai.c \
	plugins/openai/responses.h \
	plugins/openai/responses_body.c \
	plugins/openai/responses_feed.c \
	plugins/openai/manifest.h

pluginlib_LTLIBRARIES += plugins/openai/openai.la
plugins_openai_openai_la_SOURCES = $(openai_sources)
plugins_openai_openai_la_CPPFLAGS = $(plugin_cppflags)
plugins_openai_openai_la_CFLAGS = $(plugin_cflags)
plugins_openai_openai_la_LDFLAGS = $(plugin_ldflags)
plugins_openai_openai_la_LIBADD = plugins/openai-wire/libopenai-wire.la \
	$(plugin_libadd)

EXTRA_DIST += plugins/openai/README.md plugins/openai/transcripts
