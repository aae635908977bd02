# SPDX-License-Identifier: MIT
# tests/fuzz

# Each target runs here a number of random mutations; with clang it links to
# libFuzzer instead of run.c:
#   clang -fsanitize=fuzzer,address -Isdk/include ... tests/fuzz/fuzz_json.c
fuzz_runner = tests/fuzz/run.c tests/fuzz/fuzz.h

check_PROGRAMS += tests/fuzz/fuzz_json
TESTS += tests/fuzz/fuzz_json
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(fuzz_runner)
tests_fuzz_fuzz_json_LDADD = sdk/libpatchbay-sdk.a $(JSON_LIBS)
