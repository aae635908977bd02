# SPDX-License-Identifier: MIT
# tests/unit: programs made with the check library.
#
# To add one: `unit_tests += tests/unit/NAME`, its _SOURCES (NAME.c when left
# out), _CFLAGS = $(unit_cflags) and _LDADD = $(unit_ldadd).  It is built and run
# by `make check`; without the check library it is skipped by name.  unit.h has
# what such programs share.

# host/base.  --wrap shows the tests what is wiped from memory.
unit_tests += tests/unit/unit_base
tests_unit_unit_base_SOURCES = \
	tests/unit/test_base.c \
	tests/unit/test_base.h \
	tests/unit/test_base_arena.c \
	tests/unit/test_base_buf.c \
	tests/unit/test_base_clock.c \
	tests/unit/test_base_error.c \
	tests/unit/test_base_fs.c \
	tests/unit/test_base_json.c \
	tests/unit/test_base_log.c \
	tests/unit/test_base_loop.c \
	tests/unit/test_base_misc.c \
	tests/unit/test_base_redact.c \
	tests/unit/test_base_str.c \
	tests/unit/unit.h
tests_unit_unit_base_CFLAGS = $(unit_cflags)
tests_unit_unit_base_LDADD = $(unit_ldadd)
tests_unit_unit_base_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=explicit_bzero -Wl,--wrap=__explicit_bzero_chk

unit_tests += tests/unit/test_framing
tests_unit_test_framing_CFLAGS = $(unit_cflags)
tests_unit_test_framing_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_json
tests_unit_test_json_CFLAGS = $(unit_cflags)
tests_unit_test_json_LDADD = $(unit_ldadd) -lm

unit_tests += tests/unit/test_transport_fake
tests_unit_test_transport_fake_CFLAGS = $(unit_cflags)
tests_unit_test_transport_fake_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_retry
tests_unit_test_retry_CFLAGS = $(unit_cflags)
tests_unit_test_retry_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_allowance
tests_unit_test_allowance_CFLAGS = $(unit_cflags)
tests_unit_test_allowance_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_room
tests_unit_test_room_CFLAGS = $(unit_cflags)
tests_unit_test_room_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_checks
tests_unit_test_checks_CFLAGS = $(unit_cflags)
tests_unit_test_checks_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_rescue
tests_unit_test_rescue_CFLAGS = $(unit_cflags)
tests_unit_test_rescue_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_follow
tests_unit_test_follow_CFLAGS = $(unit_cflags)
tests_unit_test_follow_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_tried
tests_unit_test_tried_CFLAGS = $(unit_cflags)
tests_unit_test_tried_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_results
tests_unit_test_results_CFLAGS = $(unit_cflags)
tests_unit_test_results_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_route_split
tests_unit_test_route_split_CFLAGS = $(unit_cflags)
tests_unit_test_route_split_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_limits
tests_unit_test_limits_CFLAGS = $(unit_cflags)
tests_unit_test_limits_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_backend
tests_unit_test_backend_CFLAGS = $(unit_cflags)
tests_unit_test_backend_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_health
tests_unit_test_health_CFLAGS = $(unit_cflags)
tests_unit_test_health_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_price
tests_unit_test_price_CFLAGS = $(unit_cflags)
tests_unit_test_price_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_http_parse
tests_unit_test_http_parse_CFLAGS = $(unit_cflags)
tests_unit_test_http_parse_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_wire
tests_unit_test_wire_CFLAGS = $(unit_cflags)
tests_unit_test_wire_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_routes
tests_unit_test_routes_CFLAGS = $(unit_cflags)
tests_unit_test_routes_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_raw_path
tests_unit_test_raw_path_CFLAGS = $(unit_cflags)
tests_unit_test_raw_path_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_native_pool
tests_unit_test_native_pool_CFLAGS = $(unit_cflags)
tests_unit_test_native_pool_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_call
tests_unit_test_call_CFLAGS = $(unit_cflags)
tests_unit_test_call_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_loopback
tests_unit_test_loopback_CFLAGS = $(unit_cflags)
tests_unit_test_loopback_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_manifest
tests_unit_test_manifest_CFLAGS = $(unit_cflags)
tests_unit_test_manifest_LDADD = $(unit_ldadd)

http_harness = tests/unit/http_harness.c tests/unit/http_harness.h

unit_tests += tests/unit/test_http_server
tests_unit_test_http_server_SOURCES = tests/unit/test_http_server.c \
	$(http_harness)
tests_unit_test_http_server_CFLAGS = $(unit_cflags)
tests_unit_test_http_server_LDADD = $(unit_ldadd)
long_tests += tests/unit/test_http_server

unit_tests += tests/unit/test_http_listen
tests_unit_test_http_listen_SOURCES = tests/unit/test_http_listen.c \
	$(http_harness)
tests_unit_test_http_listen_CFLAGS = $(unit_cflags)
tests_unit_test_http_listen_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_transport_curl
tests_unit_test_transport_curl_SOURCES = \
	tests/unit/test_transport_curl.c \
	tests/unit/tx_harness.c tests/unit/tx_harness.h
tests_unit_test_transport_curl_CFLAGS = $(unit_cflags)
tests_unit_test_transport_curl_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_codec_driver
tests_unit_test_codec_driver_CFLAGS = $(unit_cflags)
tests_unit_test_codec_driver_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_transport_tls
tests_unit_test_transport_tls_SOURCES = \
	tests/unit/test_transport_tls.c \
	tests/unit/tx_harness.c tests/unit/tx_harness.h tests/unit/unit.h
tests_unit_test_transport_tls_CFLAGS = $(unit_cflags)
tests_unit_test_transport_tls_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_resolver
tests_unit_test_resolver_SOURCES = \
	tests/unit/test_resolver.c \
	tests/unit/tx_harness.c tests/unit/tx_harness.h
tests_unit_test_resolver_CFLAGS = $(unit_cflags)
tests_unit_test_resolver_LDADD = $(unit_ldadd)

# host/text
unit_tests += tests/unit/test_split
tests_unit_test_split_CFLAGS = $(unit_cflags)
tests_unit_test_split_LDADD = $(unit_ldadd)

# host/config
unit_tests += tests/unit/test_config
tests_unit_test_config_SOURCES = \
	tests/unit/config_fixture.c \
	tests/unit/config_fixture.h \
	tests/unit/test_config.c \
	tests/unit/test_config_broken.c \
	tests/unit/test_config_provider.c
tests_unit_test_config_CFLAGS = $(unit_cflags)
tests_unit_test_config_LDADD = $(unit_ldadd)

# patchbay.conf(5) against the key table
unit_tests += tests/unit/test_config_man
tests_unit_test_config_man_SOURCES = \
	tests/unit/config_fixture.c \
	tests/unit/config_fixture.h \
	tests/unit/config_man.h \
	tests/unit/test_config_man.c
tests_unit_test_config_man_CFLAGS = $(unit_cflags)
tests_unit_test_config_man_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_loader
tests_unit_test_loader_CFLAGS = $(unit_cflags)
tests_unit_test_loader_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_cli
tests_unit_test_cli_CFLAGS = $(unit_cflags)
tests_unit_test_cli_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_responses
tests_unit_test_responses_CFLAGS = $(unit_cflags)
tests_unit_test_responses_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_anthropic
tests_unit_test_anthropic_CFLAGS = $(unit_cflags)
tests_unit_test_anthropic_LDADD = $(unit_ldadd)

unit_tests += tests/unit/test_ollama_dialect
tests_unit_test_ollama_dialect_CFLAGS = $(unit_cflags)
tests_unit_test_ollama_dialect_LDADD = $(unit_ldadd)

# What llamacpp.so knows of model files.
unit_tests += tests/unit/test_gguf
tests_unit_test_gguf_SOURCES = tests/unit/test_gguf.c tests/unit/unit.h \
	plugins/llamacpp/files.c plugins/llamacpp/files.h \
	plugins/llamacpp/gguf.c plugins/llamacpp/gguf.h \
	plugins/llamacpp/path.c plugins/llamacpp/path.h
tests_unit_test_gguf_CPPFLAGS = $(AM_CPPFLAGS)
tests_unit_test_gguf_CFLAGS = $(unit_cflags)
tests_unit_test_gguf_LDADD = $(unit_ldadd)
