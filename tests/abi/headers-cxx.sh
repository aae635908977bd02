#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public header compiles alone as C++11 and C++17, with the same layout.

set -u
# shellcheck source=tests/abi/headers.sh
. "${top_srcdir:?run by make check}/tests/abi/headers.sh"

for cxx in ${CXX:-} c++ g++ clang++; do
    if command -v "$cxx" >/dev/null 2>&1; then
        compiles cc "$cxx" -std=c++11
        compiles cc "$cxx" -std=c++17
        refuses cc "$cxx" -std=c++11
        finish
    fi
done
echo "needs a C++ compiler (Debian package: g++)"
exit 77
