# SPDX-License-Identifier: MIT
# tests/fuzz

# Each target runs here a number of random mutations of its seeds. `make
# check-fuzz` runs all of them under libFuzzer (clang), guided by coverage,
# FUZZ_SECONDS each; check-long does so for ten minutes each.
FUZZ_SECONDS = 5
.PHONY: check-fuzz
check-fuzz: $(check_PROGRAMS)
	top_srcdir='$(abs_top_srcdir)' $(srcdir)/tests/fuzz/coverage.sh \
	    $(FUZZ_SECONDS)
dist_check_SCRIPTS += tests/fuzz/coverage.sh
clean-local: clean-fuzz
.PHONY: clean-fuzz
clean-fuzz:
	rm -rf fuzz-build

fuzz_runner = tests/fuzz/run.c tests/fuzz/fuzz.h tests/fuzz/body.h

check_PROGRAMS += tests/fuzz/fuzz_json
TESTS += tests/fuzz/fuzz_json
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(fuzz_runner)
tests_fuzz_fuzz_json_LDADD = sdk/libpatchbay-sdk.a $(JSON_LIBS)

# The codec of openai.so, built into the target.
check_PROGRAMS += tests/fuzz/fuzz_openai
TESTS += tests/fuzz/fuzz_openai
tests_fuzz_fuzz_openai_SOURCES = tests/fuzz/fuzz_openai.c $(fuzz_runner) \
	$(openai_sources) $(openai_wire_sources)
tests_fuzz_fuzz_openai_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_openai_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_json tests/fuzz/fuzz_openai \
	tests/codec/codec_replay

# The codec of ollama.so, likewise.
check_PROGRAMS += tests/fuzz/fuzz_ollama
TESTS += tests/fuzz/fuzz_ollama
tests_fuzz_fuzz_ollama_SOURCES = tests/fuzz/fuzz_ollama.c $(fuzz_runner) \
	$(ollama_sources)
tests_fuzz_fuzz_ollama_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_ollama_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_ollama tests/codec/ollama.sh

# The HTTP parser.
check_PROGRAMS += tests/fuzz/fuzz_http_parse tests/fuzz/http_parse_cli
TESTS += tests/fuzz/fuzz_http_parse
tests_fuzz_fuzz_http_parse_SOURCES = tests/fuzz/fuzz_http_parse.c \
	$(fuzz_runner)
tests_fuzz_fuzz_http_parse_LDADD = $(host_ldadd)
tests_fuzz_http_parse_cli_SOURCES = tests/fuzz/http_parse_cli.c
tests_fuzz_http_parse_cli_LDADD = $(host_ldadd)

dist_check_SCRIPTS += tests/fuzz/http_differential.sh
TESTS += tests/fuzz/http_differential.sh
long_tests += tests/fuzz/fuzz_http_parse tests/fuzz/http_differential.sh
EXTRA_DIST += tests/fuzz/http_compare.py tests/fuzz/http_parse_node.js

# The raw door's path, headers and what is read of its replies.
check_PROGRAMS += tests/fuzz/fuzz_raw
TESTS += tests/fuzz/fuzz_raw
tests_fuzz_fuzz_raw_SOURCES = tests/fuzz/fuzz_raw.c $(fuzz_runner)
tests_fuzz_fuzz_raw_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_raw

# The codec of llamacpp.so, likewise.
check_PROGRAMS += tests/fuzz/fuzz_llamacpp
TESTS += tests/fuzz/fuzz_llamacpp
tests_fuzz_fuzz_llamacpp_SOURCES = tests/fuzz/fuzz_llamacpp.c $(fuzz_runner) \
	$(llamacpp_sources) $(openai_wire_sources)
tests_fuzz_fuzz_llamacpp_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_llamacpp_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_llamacpp

# The codec of openrouter.so, likewise.
check_PROGRAMS += tests/fuzz/fuzz_openrouter
TESTS += tests/fuzz/fuzz_openrouter
tests_fuzz_fuzz_openrouter_SOURCES = tests/fuzz/fuzz_openrouter.c \
	$(fuzz_runner) $(openrouter_sources) $(openai_wire_sources)
tests_fuzz_fuzz_openrouter_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_openrouter_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_openrouter

# The codec of claude.so, likewise; requests too.
check_PROGRAMS += tests/fuzz/fuzz_claude
TESTS += tests/fuzz/fuzz_claude
tests_fuzz_fuzz_claude_SOURCES = tests/fuzz/fuzz_claude.c $(fuzz_runner) \
	$(claude_sources)
tests_fuzz_fuzz_claude_CPPFLAGS = $(AM_CPPFLAGS)
tests_fuzz_fuzz_claude_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_claude

# Its reader of model files' headers.
check_PROGRAMS += tests/fuzz/fuzz_gguf
TESTS += tests/fuzz/fuzz_gguf
tests_fuzz_fuzz_gguf_SOURCES = tests/fuzz/fuzz_gguf.c $(fuzz_runner) \
	plugins/llamacpp/gguf.c plugins/llamacpp/gguf.h
tests_fuzz_fuzz_gguf_CPPFLAGS = $(AM_CPPFLAGS)
long_tests += tests/fuzz/fuzz_gguf

# Ollama's client API: requests, and what becomes of events.
check_PROGRAMS += tests/fuzz/fuzz_ollama_dialect
TESTS += tests/fuzz/fuzz_ollama_dialect
tests_fuzz_fuzz_ollama_dialect_SOURCES = tests/fuzz/fuzz_ollama_dialect.c \
	$(fuzz_runner)
tests_fuzz_fuzz_ollama_dialect_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_ollama_dialect

# Requests of Anthropic's API and legacy completions, and the token estimator.
check_PROGRAMS += tests/fuzz/fuzz_dialect_in
TESTS += tests/fuzz/fuzz_dialect_in
tests_fuzz_fuzz_dialect_in_SOURCES = tests/fuzz/fuzz_dialect_in.c \
	$(fuzz_runner)
tests_fuzz_fuzz_dialect_in_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_dialect_in

# The JSON Schema validator.
check_PROGRAMS += tests/fuzz/fuzz_schema
TESTS += tests/fuzz/fuzz_schema
tests_fuzz_fuzz_schema_SOURCES = tests/fuzz/fuzz_schema.c $(fuzz_runner)
tests_fuzz_fuzz_schema_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_schema

# Configurations of other programs.
check_PROGRAMS += tests/fuzz/fuzz_import
TESTS += tests/fuzz/fuzz_import
tests_fuzz_fuzz_import_SOURCES = tests/fuzz/fuzz_import.c $(fuzz_runner)
tests_fuzz_fuzz_import_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_import

# Summaries and translations: requests, prompts, pieces.
check_PROGRAMS += tests/fuzz/fuzz_text
TESTS += tests/fuzz/fuzz_text
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c $(fuzz_runner)
tests_fuzz_fuzz_text_LDADD = $(host_ldadd)
long_tests += tests/fuzz/fuzz_text
