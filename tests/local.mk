# SPDX-License-Identifier: MIT
# What all tests share: how they are run and what they are told.

unit_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)
unit_ldadd = $(host_ldadd) $(CHECK_LIBS)

# The providers just built, in one directory that a host can be pointed at.
# They are replaced by rename: a running host may have the old file mapped.
providers/.stamp: $(pluginlib_LTLIBRARIES)
	$(AM_V_GEN)$(MKDIR_P) providers && rm -f providers/*.so && \
	for la in $(pluginlib_LTLIBRARIES); do \
	    so=`dirname $$la`/.libs/`basename $$la .la`.so; \
	    to=providers/`basename $$so`; \
	    cp $$so $$to.new && chmod 755 $$to.new && \
	    mv -f $$to.new $$to || exit 1; \
	done && touch $@
all-local: providers/.stamp
CLEANFILES += providers/*.so providers/.stamp

# Told to every test:
#   PATCHBAY             the program just built
#   PATCHBAY_PROVIDERS   the directory with the providers just built, which
#                        PATCHBAY_PLUGIN_PATH makes the program use
#   PATCHBAY_TEST_CACHE  where downloaded counterparts are kept between runs
#   PATCHBAY_LONG        1 under `make check-long`: full figures
#   PATCHBAY_SANITIZERS  what the program was built with, or "no"
# and nothing of the configuration, keys and hosts of whoever runs them.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	PATCHBAY='$(abs_top_builddir)/patchbay'; export PATCHBAY; \
	PATCHBAY_PROVIDERS='$(abs_top_builddir)/providers'; \
	export PATCHBAY_PROVIDERS; \
	PATCHBAY_PLUGIN_PATH=$$PATCHBAY_PROVIDERS; \
	export PATCHBAY_PLUGIN_PATH; \
	: "$${PATCHBAY_TEST_CACHE:=$${XDG_CACHE_HOME:-$${HOME:-/tmp}/.cache}/patchbay-tests}"; \
	export PATCHBAY_TEST_CACHE; \
	for v in PATCHBAY_CONFIG PATCHBAY_CONTROL CREDENTIALS_DIRECTORY \
	    OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY \
	    OPENROUTER_API_KEY OLLAMA_HOST OLLAMA_URL OLLAMA_BASE_URL \
	    LLAMACPP_URL LLAMACPP_API_KEY \
	    CUSTOM_PROVIDER_NAME CUSTOM_PROVIDER_API_KEY \
	    CUSTOM_PROVIDER_BASE_URL NOTIFY_SOCKET; do unset $$v; done; \
	XDG_CONFIG_HOME='$(abs_top_builddir)/no-config'; \
	export XDG_CONFIG_HOME; \
	PATCHBAY_SANITIZERS='@SANITIZERS@'; export PATCHBAY_SANITIZERS; \
	CK_DEFAULT_TIMEOUT=$${CK_DEFAULT_TIMEOUT:-60}; \
	export CK_DEFAULT_TIMEOUT; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; \
	ASAN_OPTIONS=$${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}; \
	export ASAN_OPTIONS; \
	UBSAN_OPTIONS=$${UBSAN_OPTIONS:-print_stacktrace=1}; \
	export UBSAN_OPTIONS; \
	TSAN_OPTIONS=$${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}; \
	export TSAN_OPTIONS; \
	no_proxy="127.0.0.1,localhost,::1$${no_proxy:+,$$no_proxy}"; \
	NO_PROXY=$$no_proxy; export no_proxy NO_PROXY;

# Tests written in Python; the rest is run as it is.
TEST_EXTENSIONS = .py .sh
PY_LOG_COMPILER = $(top_srcdir)/tests/py
EXTRA_DIST += tests/py

dist_check_SCRIPTS += tests/completions.sh
TESTS += tests/completions.sh

EXTRA_DIST += tests/demo.sh tests/unit/without-check.sh \
	tests/env/common.sh \
	tests/env/llama-server.sh \
	tests/env/make_tiny_gguf.py \
	tests/env/nginx.sh \
	tests/env/node.sh \
	tests/env/ollama-server.sh \
	tests/env/python.sh \
	tests/env/tiny-model.sh \
	tests/env/tokenizer.sh \
	tests/env/vercel.sh

# The full figures: the tests of long_tests again, with PATCHBAY_LONG=1.  What
# they say is kept in tests/check-long.txt.
FUZZ_LONG = 600
.PHONY: check-long
check-long: all
	PATCHBAY_LONG=1 CK_DEFAULT_TIMEOUT=1200 \
	    $(MAKE) $(AM_MAKEFLAGS) check TESTS='$(long_tests)'
	top_srcdir='$(abs_top_srcdir)' $(srcdir)/tests/long-report.sh \
	    $(long_tests) >check-long.txt
	$(MAKE) $(AM_MAKEFLAGS) check-fuzz FUZZ_SECONDS=$(FUZZ_LONG) >fuzz.txt
	(echo; echo 'make check-fuzz'; cat fuzz.txt) >>check-long.txt
	@cp check-long.txt $(srcdir)/tests/check-long.txt 2>/dev/null || \
	    echo 'kept in check-long.txt of the build directory'
CLEANFILES += check-long.txt fuzz.txt
EXTRA_DIST += tests/long-report.sh
