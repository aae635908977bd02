#!/bin/sh
# SPDX-License-Identifier: MIT
# Somebody else's provider: built by a plain compiler from what `make install`
# puts there and pkg-config tells, in C and in C++, and then taken by the host.

set -eu
top_builddir=${top_builddir:?run by make check}
dir=$(mktemp -d "${TMPDIR:-/tmp}/patchbay-abi.XXXXXX")
trap 'rm -rf "$dir"' EXIT

if ! command -v pkg-config >/dev/null 2>&1; then
    echo "needs pkg-config (Debian package: pkg-config)"
    exit 77
fi

# What a -dev package would hold.
if ! (unset MAKEFLAGS MFLAGS MAKELEVEL
    cd "$top_builddir" && ${MAKE:-make} DESTDIR="$dir/root" \
        install-patchbayincludeHEADERS install-libLIBRARIES \
        install-nodist_pkgconfigDATA) >"$dir/log" 2>&1; then
    cat "$dir/log"
    exit 1
fi
pc=$(find "$dir/root" -name patchbay.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$dir/root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
cflags=$(pkg-config --cflags patchbay)
libs=$(pkg-config --libs patchbay)
case $(pkg-config --variable=plugindir patchbay) in
*/patchbay-1/providers) ;;
*)
    echo "patchbay.pc does not name the directory of providers"
    exit 1
    ;;
esac
[ "$(pkg-config --variable=abi_major patchbay)" = 0 ]

# takes FILE COMPILER...: build it, let the host look at it
takes()
{
    file=$1
    shift
    echo "$*"
    # shellcheck disable=SC2086
    "$@" -Wall -Wextra -Werror -shared -fPIC $cflags "$file" $libs \
        -o "$dir/third_party.so"
    if ! "${PATCHBAY:?}" --probe-module "$dir/third_party.so" \
        >"$dir/out" 2>&1; then
        cat "$dir/out"
        exit 1
    fi
    grep -q '^ok [0-9]' "$dir/out"
    grep -q '"id":"third_party"' "$dir/out"
}

cp "${top_srcdir:?}/tests/abi/third_party.c" "$dir/plugin.c"
cp "$dir/plugin.c" "$dir/plugin.cc"
# shellcheck disable=SC2086
takes "$dir/plugin.c" ${CC:-cc}
for cxx in ${CXX:-} c++ g++ clang++; do
    if command -v "$cxx" >/dev/null 2>&1; then
        takes "$dir/plugin.cc" "$cxx" -std=c++11
        exit 0
    fi
done
echo "needs a C++ compiler (Debian package: g++)"
exit 77
