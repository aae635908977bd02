/* SPDX-License-Identifier: MIT */
/* Tests of host/base. */
#include "test_base.h"

int main(void)
{
    Suite *const suites[] = {
        base_str_suite(),    base_arena_suite(), base_buf_suite(),
        base_clock_suite(),  base_loop_suite(),  base_log_suite(),
        base_redact_suite(), base_error_suite(), base_fs_suite(),
        base_json_suite(),   base_misc_suite(),
    };

    return unit_main(suites, sizeof(suites) / sizeof(suites[0]));
}
