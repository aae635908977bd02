# SPDX-License-Identifier: MIT
# tests/codec: codecs against recorded exchanges.

check_PROGRAMS += tests/codec/codec_replay
TESTS += tests/codec/codec_replay
tests_codec_codec_replay_SOURCES = tests/codec/codec_replay.c
tests_codec_codec_replay_LDADD = $(host_ldadd)

dist_check_SCRIPTS += tests/codec/sdk_example.sh
TESTS += tests/codec/sdk_example.sh
EXTRA_DIST += tests/codec/echo_server.py sdk/README.md sdk/example/echo.c sdk/example/transcripts

dist_check_SCRIPTS += tests/codec/llamacpp.sh
TESTS += tests/codec/llamacpp.sh

dist_check_SCRIPTS += tests/codec/ollama.sh
TESTS += tests/codec/ollama.sh

dist_check_SCRIPTS += tests/codec/openrouter.sh
TESTS += tests/codec/openrouter.sh

dist_check_SCRIPTS += tests/codec/claude.sh
TESTS += tests/codec/claude.sh
