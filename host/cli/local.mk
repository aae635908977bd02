# SPDX-License-Identifier: MIT
# host/cli: sources of the host library.

host_sources += \
	host/cli/answer.c \
	host/cli/answer.h \
	host/cli/answer_tell.c \
	host/cli/chat.h \
	host/cli/chat_message.c \
	host/cli/cli.c \
	host/cli/cli.h \
	host/cli/client.c \
	host/cli/client.h \
	host/cli/cmd_chat.c \
	host/cli/cmd_config.c \
	host/cli/cmd_embed.c \
	host/cli/cmd_help.c \
	host/cli/cmd_key.c \
	host/cli/cmd_log.c \
	host/cli/cmd_models.c \
	host/cli/cmd_plugins.c \
	host/cli/cmd_provider.c \
	host/cli/cmd_record.c \
	host/cli/cmd_reload.c \
	host/cli/cmd_serve.c \
	host/cli/cmd_status.c \
	host/cli/cmd_stop.c \
	host/cli/cmd_version.c \
	host/cli/commands.c \
	host/cli/commands.h \
	host/cli/converse.c \
	host/cli/editor.c \
	host/cli/editor.h \
	host/cli/exit.c \
	host/cli/exit.h \
	host/cli/history.c \
	host/cli/history.h \
	host/cli/input.c \
	host/cli/input.h \
	host/cli/manifests.c \
	host/cli/manifests.h \
	host/cli/options.c \
	host/cli/out.c \
	host/cli/out.h \
	host/cli/own.c \
	host/cli/own.h \
	host/cli/plain.c \
	host/cli/plain.h \
	host/cli/reach.c \
	host/cli/reach.h \
	host/cli/signals.c \
	host/cli/signals.h \
	host/cli/talk.h \
	host/cli/talk_commands.c \
	host/cli/cmd_replay.c \
	host/cli/replay.h \
	host/cli/replay_serve.c
