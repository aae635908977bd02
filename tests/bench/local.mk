# SPDX-License-Identifier: MIT
# tests/bench: `make bench` measures, `make check` only builds the tools.

check_PROGRAMS += tests/bench/failover tests/bench/load tests/bench/upstream
tests_bench_failover_SOURCES = tests/bench/failover.c
tests_bench_failover_CFLAGS = $(base_cflags)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_CFLAGS = $(base_cflags)
tests_bench_upstream_SOURCES = tests/bench/upstream.c
tests_bench_upstream_CFLAGS = $(base_cflags)

check_PROGRAMS += tests/bench/routing
tests_bench_routing_LDADD = $(host_ldadd)

EXTRA_DIST += tests/bench/README.md tests/bench/counts.py \
	tests/bench/failover.py \
	tests/bench/run.py

# BENCH_FLAGS: see tests/bench/run.py --help.
.PHONY: bench
bench: all tests/bench/failover tests/bench/load tests/bench/routing \
		tests/bench/upstream
	@$(AM_TESTS_ENVIRONMENT) BENCH_TOOLS='$(abs_top_builddir)/tests/bench' \
	$(top_srcdir)/tests/py $(srcdir)/tests/bench/run.py $(BENCH_FLAGS)
