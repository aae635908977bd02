# SPDX-License-Identifier: MIT
# tests/install: what `make install` gives, and third parties building on it.

dist_check_SCRIPTS += tests/install/layout.sh tests/install/third-party.sh
TESTS += tests/install/layout.sh tests/install/third-party.sh
EXTRA_DIST += tests/install/common.sh tests/install/hello.c \
	tests/install/hallo.cpp tests/install/configure.ac.in tests/install/Makefile.am.in
AM_TESTS_ENVIRONMENT += PATCHBAY_MAKE='$(MAKE)'; export PATCHBAY_MAKE; \
	CC='$(CC)'; export CC; SAN_CFLAGS='@SAN_CFLAGS@'; export SAN_CFLAGS;
