# SPDX-License-Identifier: MIT
# tests/e2e: a host as a whole, against real clients and scripted upstreams.

# Tests in Python are run by tests/py (TEST_EXTENSIONS in tests/local.mk),
# which skips them where there is no python3.
e2e_py = \
	tests/e2e/cache.py \
	tests/e2e/chaos.py \
	tests/e2e/access.py \
	tests/e2e/anthropic_sdk.py \
	tests/e2e/backend.py \
	tests/e2e/batch.py \
	tests/e2e/bench_failover.py \
	tests/e2e/api_reference.py \
	tests/e2e/capabilities.py \
	tests/e2e/cli_ops.py \
	tests/e2e/comparison.py \
	tests/e2e/compare.py \
	tests/e2e/cli_texts.py \
	tests/e2e/completions.py \
	tests/e2e/conditions.py \
	tests/e2e/config_import.py \
	tests/e2e/default_route.py \
	tests/e2e/demo.py \
	tests/e2e/discovery.py \
	tests/e2e/debug.py \
	tests/e2e/embed_split.py \
	tests/e2e/estimate.py \
	tests/e2e/examples.py \
	tests/e2e/extremes.py \
	tests/e2e/faults_client.py \
	tests/e2e/faults_upstream.py \
	tests/e2e/fault_wall.py \
	tests/e2e/fault_wall_alone.py \
	tests/e2e/fault_wall_connections.py \
	tests/e2e/fault_wall_flapping.py \
	tests/e2e/fault_wall_refusals.py \
	tests/e2e/guide.py \
	tests/e2e/health.py \
	tests/e2e/hot_replace.py \
	tests/e2e/limits.py \
	tests/e2e/limits_race.py \
	tests/e2e/llama_real.py \
	tests/e2e/llamacpp_real.py \
	tests/e2e/llamacpp_start.py \
	tests/e2e/loopback.py \
	tests/e2e/matrix.py \
	tests/e2e/migrating.py \
	tests/e2e/ollama_sdk.py \
	tests/e2e/openai_sdk_node.py \
	tests/e2e/moderation.py \
	tests/e2e/openai_spec.py \
	tests/e2e/openai_sdk_python.py \
	tests/e2e/operations.py \
	tests/e2e/overflow.py \
	tests/e2e/overload.py \
	tests/e2e/prices.py \
	tests/e2e/properties.py \
	tests/e2e/provider_claude.py \
	tests/e2e/provider_examples.py \
	tests/e2e/provider_llamacpp.py \
	tests/e2e/provider_ollama.py \
	tests/e2e/provider_openrouter.py \
	tests/e2e/provider_responses.py \
	tests/e2e/provider_names.py \
	tests/e2e/rate_headers.py \
	tests/e2e/raw_door.py \
	tests/e2e/responses_sdk.py \
	tests/e2e/rescue.py \
	tests/e2e/retry.py \
	tests/e2e/route_results.py \
	tests/e2e/routes.py \
	tests/e2e/no_secrets.py \
	tests/e2e/soak.py \
	tests/e2e/split.py \
	tests/e2e/stand_ins.py \
	tests/e2e/strategies.py \
	tests/e2e/structured.py \
	tests/e2e/texts.py \
	tests/e2e/timeouts.py \
	tests/e2e/tokens.py \
	tests/e2e/way_headers.py

check_PROGRAMS += tests/e2e/token_count
tests_e2e_token_count_SOURCES = tests/e2e/token_count.c
tests_e2e_token_count_LDADD = $(host_ldadd)
EXTRA_DIST += \
	tests/e2e/tokens/chinese.txt \
	tests/e2e/tokens/code.txt \
	tests/e2e/tokens/english.txt \
	tests/e2e/tokens/german.txt

TESTS += $(e2e_py)
# It has to be built first: in the long form only.
EXTRA_DIST += tests/e2e/ollama_real.py
long_tests += tests/e2e/ollama_real.py
long_tests += tests/e2e/backend.py tests/e2e/chaos.py \
	tests/e2e/fault_wall_flapping.py tests/e2e/overload.py \
	tests/e2e/properties.py tests/e2e/soak.py
EXTRA_DIST += $(e2e_py) \
	tests/e2e/README.md \
	tests/e2e/matrix/anthropic.mjs \
	tests/e2e/matrix/anthropic_client.py \
	tests/e2e/matrix/common.mjs \
	tests/e2e/matrix/common.py \
	tests/e2e/matrix/ollama.mjs \
	tests/e2e/matrix/openai.mjs \
	tests/e2e/matrix/openai_client.py \
	tests/e2e/matrix/vercel.mjs \
	tests/e2e/fake_llama.py \
	tests/e2e/harness.py \
	tests/e2e/openai-spec/NOTICE \
	tests/e2e/openai-spec/schemas.json \
	tests/e2e/anthropic_sdk.mjs \
	tests/e2e/ollama_sdk.mjs \
	tests/e2e/openai_sdk.mjs \
	tests/e2e/openai_sdk.py \
	tests/e2e/openai_sdk_client.py \
	tests/e2e/openai_upstream.py \
	tests/e2e/responses_sdk.mjs \
	tests/e2e/responses_sdk_client.py

# The command line.
cli_tests = \
	tests/e2e/cli.sh \
	tests/e2e/cli_control.sh \
	tests/e2e/cli_help.sh \
	tests/e2e/cli_replay.sh
TESTS += $(cli_tests) tests/e2e/cli_talk.py
dist_check_SCRIPTS += $(cli_tests)
EXTRA_DIST += tests/e2e/cli_fake_host.py \
	tests/e2e/cli_lib.sh \
	tests/e2e/cli_talk.py
