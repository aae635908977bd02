#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh SECONDS [TARGET...]: each fuzz target (fuzz_json, ...) under
# libFuzzer, guided by coverage, with AddressSanitizer and
# UndefinedBehaviorSanitizer, that many seconds. Run in a build directory where
# `make check` has built the targets: their seeds are what it starts from, and
# fuzz-build/ is where the other build goes. An input that crashes, hangs or leaks
# is left in fuzz-build/found. Wants clang with its run-time library.
set -eu
seconds=${1:?usage: coverage.sh SECONDS [TARGET...]}
shift
: "${top_srcdir:?}"
cc=${FUZZ_CC:-clang}
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
top=$(cd "$top_srcdir" && pwd)
here=$PWD
command -v "${cc##* }" >/dev/null 2>&1 || {
    echo "coverage.sh: $cc is not there (Debian: clang, libclang-rt-14-dev)" >&2
    exit 1
}
if [ $# = 0 ]; then
    for file in "$top"/tests/fuzz/fuzz_*.c; do
        name=${file##*/}
        set -- "$@" "${name%.c}"
    done
fi
mkdir -p fuzz-build/found
cd fuzz-build
# The coverage of what is tested, and libFuzzer's main() in the place of run.c's.
flags='-g -O1 -fno-omit-frame-pointer -DFUZZ_COVERAGE'
flags="$flags -fsanitize=fuzzer-no-link,address,undefined"
flags="$flags -fno-sanitize-recover=undefined"
[ -e Makefile ] ||
    "$top/configure" -q CC="$cc" CFLAGS="$flags" >configure.log 2>&1 || {
    tail -n 20 configure.log >&2
    exit 1
}
libs=$(sed -n 's/^LIBS = //p' Makefile)
programs=
for name; do
    programs="$programs tests/fuzz/$name"
done
# shellcheck disable=SC2086 # one word each
make -s -j"$jobs" LIBS="$libs -fsanitize=fuzzer" $programs >make.log 2>&1 || {
    tail -n 20 make.log >&2
    exit 1
}

one()
{
    mkdir -p "corpus/$1"
    (cd "$here" && "tests/fuzz/$1" --write-seeds "fuzz-build/corpus/$1")
    log=$1.log
    status=0
    "tests/fuzz/$1" -max_total_time="$seconds" -timeout=20 -max_len=8192 \
        -rss_limit_mb=2048 -artifact_prefix="found/$1-" \
        -print_final_stats=1 "corpus/$1" >"$log" 2>&1 || status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    if [ $status != 0 ] || [ "${runs:-0}" -lt 100 ]; then
        echo "FAIL $1: status $status, ${runs:-no} runs"
        tail -n 40 "$log"
        return 1
    fi
    echo "ok   $1: $runs runs in $seconds s, $cover edges"
}

failed=0
while [ $# -gt 0 ]; do
    batch=
    for _ in $(seq "$jobs"); do
        [ $# -gt 0 ] || break
        one "$1" >"$1.out" 2>&1 &
        batch="$batch $!:$1"
        shift
    done
    for pair in $batch; do
        wait "${pair%%:*}" || failed=1
        cat "${pair#*:}.out"
    done
done
exit $failed
