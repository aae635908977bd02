# SPDX-License-Identifier: MIT
# tests/unit

unit_tests += tests/unit/test_framing
tests_unit_test_framing_CFLAGS = $(unit_cflags)
tests_unit_test_framing_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_json
tests_unit_test_json_CFLAGS = $(unit_cflags)
tests_unit_test_json_LDADD = $(unit_ldadd) -lm

unit_tests += tests/unit/test_transport_fake
tests_unit_test_transport_fake_CFLAGS = $(unit_cflags)
tests_unit_test_transport_fake_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_http_parse
tests_unit_test_http_parse_CFLAGS = $(unit_cflags)
tests_unit_test_http_parse_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_wire
tests_unit_test_wire_CFLAGS = $(unit_cflags)
tests_unit_test_wire_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_native_pool
tests_unit_test_native_pool_CFLAGS = $(unit_cflags)
tests_unit_test_native_pool_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_call
tests_unit_test_call_CFLAGS = $(unit_cflags)
tests_unit_test_call_LDADD = $(unit_ldadd)
