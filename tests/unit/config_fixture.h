/* SPDX-License-Identifier: MIT */
/* For the tests of host/config: files in a directory of one's own, an
 * environment of one's own, three modules that need not be there, and what a
 * load makes of them.  One load at a time. */
#ifndef PB_TESTS_CONFIG_FIXTURE_H
#define PB_TESTS_CONFIG_FIXTURE_H

#include "config/config.h"
#include "unit.h"

Suite *config_server_suite(void);
Suite *config_provider_suite(void);
Suite *config_broken_suite(void);

struct fx {
    char dir[64];
    struct cfg_load_options o;
    struct cfg_issues issues;
    struct config *c;
};
extern struct fx fx;

void fx_setup(void);
void fx_teardown(void);
/* Write a file below fx.dir; its directory is made.  Mode 0600. */
const char *fx_file(const char *name, const char *text);
/* The same path, nothing written; good until the next call but three. */
const char *fx_path(const char *name);
/* value NULL: unset */
void fx_env(const char *name, const char *value);
/* Load fx.dir/patchbay.conf, or with text NULL what the environment gives. */
struct config *fx_load(const char *text);
/* The same and no issue at all. */
struct config *fx_load_clean(const char *text);
const struct cfg_provider *fx_provider(const char *name); /* NULL: none */

/* Some issue of that kind at that line (-1: any) of a file (by the end of its
 * name; NULL: any) that has all of text, parts separated by "|". */
void fx_has(bool error, const char *file, int line, const char *text);
#define fx_error(line, text)   fx_has(true, "patchbay.conf", line, text)
#define fx_warning(line, text) fx_has(false, "patchbay.conf", line, text)
/* Load text and expect that one error and no other. */
void fx_wrong(const char *text, int line, const char *error);
/* How many issues. */
void fx_count(size_t errors, size_t warnings);
/* No issue has that text in it. */
void fx_not_said(const char *text);
void fx_print_issues(void);

#endif
