# SPDX-License-Identifier: MIT
# tests/abi: the public headers, the providers as files, and a provider of
# somebody else. Where the ABI is frozen (1.0), abidiff of libabigail (Debian
# package abigail-tools) can compare builds; until then layout.c is the record.

AM_TESTS_ENVIRONMENT += CC='$(CC)'; export CC; \
	MAKE='$(MAKE)'; export MAKE;

abi_tests = \
	tests/abi/headers-c.sh \
	tests/abi/headers-cxx.sh \
	tests/abi/plugins.sh \
	tests/abi/third-party.sh
dist_check_SCRIPTS += $(abi_tests)
TESTS += $(abi_tests)
EXTRA_DIST += \
	tests/abi/headers.sh \
	tests/abi/layout.c \
	tests/abi/third_party.c
