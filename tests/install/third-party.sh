#!/bin/sh
# SPDX-License-Identifier: MIT
# A provider is built outside the tree against what was installed, with the
# compiler and patchbay.pc alone and with the autotools and patchbay.m4, and
# the program installed answers through it.
set -eu
: "${top_srcdir:?run by make check}"
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$top_srcdir/tests/install/common.sh"

# answers DIRECTORY TEXT [PROVIDER GREETING]: the program asks the provider in
# DIRECTORY
answers()
{
    answer=$(cd "$work" && PATCHBAY_PLUGIN_PATH=$1 \
        "$root$bindir/patchbay" chat -m "${3:-hello}/${3:-hello}" hi \
        2>"$work/err") || answer=
    case $answer in
    *"${4:-greetings from outside the tree}"*) ok "$2" ;;
    *)
        bad "$2: got '$answer'"
        cat "$work/err"
        ;;
    esac
}

install_below_root
# pkg-config puts a sysroot in front of these too.
bindir=$(variable bindir)
includedir=$(variable includedir)
datadir=$(variable prefix)/share
PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_SYSROOT_DIR

# Every header stands alone, in C11 and in C++ where there is a compiler.
for header in "$root$includedir"/patchbay/*.h; do
    name=patchbay/$(basename "$header")
    printf "#include <%s>\nint one;\n" "$name" >"$work/one.c"
    # shellcheck disable=SC2046,SC2086 # lists of options
    expect "$name stands alone in C11" ${CC:-cc} -std=c11 -pedantic-errors \
        -Wall -Wextra -Werror $(pkg-config --cflags patchbay) \
        -fsyntax-only "$work/one.c"
    if command -v "${CXX:-c++}" >/dev/null 2>&1; then
        # shellcheck disable=SC2046 # a list of options
        expect "$name stands alone in C++" "${CXX:-c++}" -std=c++17 -Wall \
            -Wextra -Werror $(pkg-config --cflags patchbay) -x c++ \
            -fsyntax-only "$work/one.c"
    fi
done

# The compiler and patchbay.pc.
mkdir "$work/plain"
# shellcheck disable=SC2046,SC2086 # lists of options
expect 'hello.so is built with the compiler alone' \
    ${CC:-cc} ${SAN_CFLAGS-} -std=c11 -O2 -Wall -Wextra -Werror -fPIC -shared \
    $(pkg-config --cflags patchbay) -o "$work/plain/hello.so" "$here/hello.c" \
    $(pkg-config --libs patchbay) -Wl,-z,now
answers "$work/plain" 'the provider built with the compiler alone answers'

# The same in C++: the symbol has C linkage without a word about it.
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
    mkdir "$work/cxx"
    # shellcheck disable=SC2046,SC2086 # lists of options
    expect 'hallo.so is built with the C++ compiler alone' \
        "${CXX:-c++}" ${SAN_CFLAGS-} -std=c++11 -O2 -Wall -Wextra -pedantic \
        -Werror -fPIC -shared -fvisibility=hidden \
        $(pkg-config --cflags patchbay) -o "$work/cxx/hallo.so" \
        "$here/hallo.cpp" $(pkg-config --libs patchbay)
    answers "$work/cxx" 'the provider in C++ answers' hallo 'greetings from C++'
fi

# The autotools and patchbay.m4, where they are installed.
for program in autoreconf automake libtoolize; do
    command -v $program >/dev/null 2>&1 || {
        echo "SKIP: the autotools part: no $program (Debian: autoconf," \
            "automake, libtool)"
        [ "$failures" = 0 ] && exit 77
        exit 1
    }
done
mkdir "$work/auto" "$work/auto/m4"
cp "$here/hello.c" "$work/auto/hello.c"
cp "$here/configure.ac.in" "$work/auto/configure.ac"
cp "$here/Makefile.am.in" "$work/auto/Makefile.am"
cd "$work/auto"
ACLOCAL_PATH=$root$datadir/aclocal
export ACLOCAL_PATH
quiet autoreconf -i
# shellcheck disable=SC2086 # CC may be a list
quiet ./configure --prefix="$work/other" CFLAGS="-g -O1 ${SAN_CFLAGS-}"
quiet "$PATCHBAY_MAKE"
quiet "$PATCHBAY_MAKE" install
own=$work/other/lib/patchbay-1/providers
expect "patchbay.m4 stays inside the package's own prefix" \
    test -s "$own/hello.so"
answers "$own" 'the provider built with patchbay.m4 answers'
[ "$failures" = 0 ]
