#!/bin/sh
# SPDX-License-Identifier: MIT
# long-report.sh TEST...: what a `make check-long` has just said, as text, with
# the commit and the machine. Run in the build directory.
set -eu
commit=$(git -C "${top_srcdir:-.}" rev-parse --short HEAD 2>/dev/null) ||
    commit='no git'
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
echo "make check-long, $(date -u '+%Y-%m-%d %H:%M UTC'), commit $commit"
echo "${cpu:-unknown processor}, $(getconf _NPROCESSORS_ONLN) processors," \
    "$(uname -sr)"
for test in "$@"; do
    base=${test%.sh}
    base=${base%.py}
    printf '\n%s: %s\n' "$test" \
        "$(sed -n 's/^:test-result: *//p' "$base.trs" | head -n 1)"
    tail -n 6 "$base.log" | cut -c 1-200 | sed 's/^/    /'
done
