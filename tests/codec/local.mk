# SPDX-License-Identifier: MIT
# tests/codec: codecs against recorded exchanges.

check_PROGRAMS += tests/codec/codec_replay
TESTS += tests/codec/codec_replay
tests_codec_codec_replay_SOURCES = tests/codec/codec_replay.c
tests_codec_codec_replay_LDADD = $(host_ldadd)
