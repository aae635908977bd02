/* SPDX-License-Identifier: MIT */
/* The commands, each defined in its cmd_NAME.c. */
#ifndef PB_COMMANDS_H
#define PB_COMMANDS_H

#include "cli/cli.h"

/* One on a line, for those who add to them. */
extern const struct command cmd_serve;
extern const struct command cmd_batch;
extern const struct command cmd_chat;
extern const struct command cmd_compare;
extern const struct command cmd_embed;
extern const struct command cmd_image;
extern const struct command cmd_summarize;
extern const struct command cmd_translate;
extern const struct command cmd_moderate;
extern const struct command cmd_count;
extern const struct command cmd_models;
extern const struct command cmd_show;
extern const struct command cmd_pull;
extern const struct command cmd_rm;
extern const struct command cmd_ps;
extern const struct command cmd_credits;
extern const struct command cmd_generation;
extern const struct command cmd_plugins;
extern const struct command cmd_provider;
extern const struct command cmd_route;
extern const struct command cmd_config;
extern const struct command cmd_key;
extern const struct command cmd_status;
extern const struct command cmd_log;
extern const struct command cmd_reload;
extern const struct command cmd_stop;
extern const struct command cmd_record;
extern const struct command cmd_replay;
extern const struct command cmd_version;
extern const struct command cmd_help;

#endif
