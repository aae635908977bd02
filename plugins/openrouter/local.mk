# SPDX-License-Identifier: MIT
# The provider openrouter.

openrouter_sources = \
	plugins/openrouter/openrouter.c plugins/openrouter/openrouter.h \
	plugins/openrouter/manifest.h \
	plugins/openrouter/account.c \
	plugins/openrouter/details.c \
	plugins/openrouter/errors.c \
	plugins/openrouter/models.c \
	plugins/openrouter/prefs.c \
	plugins/openrouter/price.c

pluginlib_LTLIBRARIES += plugins/openrouter/openrouter.la
plugins_openrouter_openrouter_la_SOURCES = $(openrouter_sources)
plugins_openrouter_openrouter_la_CPPFLAGS = $(plugin_cppflags)
plugins_openrouter_openrouter_la_CFLAGS = $(plugin_cflags)
plugins_openrouter_openrouter_la_LDFLAGS = $(plugin_ldflags)
plugins_openrouter_openrouter_la_LIBADD = \
	plugins/openai-wire/libopenai-wire.la $(plugin_libadd)

EXTRA_DIST += plugins/openrouter/README.md plugins/openrouter/transcripts
