/* SPDX-License-Identifier: MIT */
/* The commands, each defined in its cmd_NAME.c. */
#ifndef PB_COMMANDS_H
#define PB_COMMANDS_H

#include "cli/cli.h"

extern const struct command cmd_serve, cmd_chat, cmd_embed, cmd_models,
    cmd_plugins, cmd_provider, cmd_config, cmd_key, cmd_status, cmd_log,
    cmd_reload, cmd_stop, cmd_record, cmd_replay, cmd_version, cmd_help;

#endif
