# SPDX-License-Identifier: MIT
# The provider claude.

claude_sources = \
	plugins/claude/claude.c plugins/claude/claude.h \
	plugins/claude/manifest.h \
	plugins/claude/answer.c \
	plugins/claude/body.c plugins/claude/body.h \
	plugins/claude/build.c \
	plugins/claude/cite.c \
	plugins/claude/emit.c \
	plugins/claude/feed.c \
	plugins/claude/items.c \
	plugins/claude/limits.c \
	plugins/claude/messages.c \
	plugins/claude/model.c \
	plugins/claude/parts.c \
	plugins/claude/request.c \
	plugins/claude/usage.c

pluginlib_LTLIBRARIES += plugins/claude/claude.la
plugins_claude_claude_la_SOURCES = $(claude_sources)
plugins_claude_claude_la_CPPFLAGS = $(plugin_cppflags)
plugins_claude_claude_la_CFLAGS = $(plugin_cflags)
plugins_claude_claude_la_LDFLAGS = $(plugin_ldflags)
plugins_claude_claude_la_LIBADD = $(plugin_libadd)

EXTRA_DIST += plugins/claude/README.md plugins/claude/transcripts
