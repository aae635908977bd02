#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public header compiles alone as C11 and C17, and has the layout that it
# is said to have; also for a 32 bit machine where the compiler can.

set -u
# shellcheck source=tests/abi/headers.sh
. "${top_srcdir:?run by make check}/tests/abi/headers.sh"

# CC may have options of its own.
# shellcheck disable=SC2086
set -- ${CC:-cc}
compiles c "$@" -std=c11
compiles c "$@" -std=c17
refuses c "$@" -std=c11
printf '#include <stdint.h>\n' >"$dir/try.c"
if "$@" -m32 -fsyntax-only "$dir/try.c" 2>/dev/null; then
    compiles c "$@" -std=c11 -m32
else
    echo "32 bit: not tried, this compiler has no headers for it"
fi
finish
