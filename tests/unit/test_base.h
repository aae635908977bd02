/* SPDX-License-Identifier: MIT */
/* The suites of tests/unit/unit_base, one for each file test_base_*.c. */
#ifndef PB_TEST_BASE_H
#define PB_TEST_BASE_H

#include "unit.h"

Suite *base_str_suite(void);
Suite *base_arena_suite(void);
Suite *base_buf_suite(void);
Suite *base_clock_suite(void);
Suite *base_loop_suite(void);
Suite *base_log_suite(void);
Suite *base_redact_suite(void);
Suite *base_error_suite(void);
Suite *base_fs_suite(void);
Suite *base_json_suite(void);
Suite *base_misc_suite(void);

#endif
