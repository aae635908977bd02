# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Read by headers-c.sh and headers-cxx.sh: compile each public header alone and
# twice, and the layout checks, with the given compilers.

include=${top_srcdir:?run by make check}/sdk/include
layout=$top_srcdir/tests/abi/layout.c
dir=$(mktemp -d "${TMPDIR:-/tmp}/patchbay-abi.XXXXXX")
trap 'rm -rf "$dir"' EXIT
failed=0
count=0

# compiles LANGUAGE COMPILER...: one header after the other must pass
compiles()
{
    language=$1
    shift
    for header in "$include"/patchbay/*.h; do
        name=$(basename "$header")
        printf '#include <patchbay/%s>\n#include <patchbay/%s>\n' \
            "$name" "$name" >"$dir/one.$language"
        printf 'extern int not_empty;\n' >>"$dir/one.$language"
        one "$dir/one.$language" "$name" "$@"
    done
    cp "$layout" "$dir/layout.$language"
    one "$dir/layout.$language" layout.c "$@"
}

# one FILE NAME COMPILER...
one()
{
    file=$1
    name=$2
    shift 2
    count=$((count + 1))
    if ! "$@" -Wall -Wextra -Wshadow -Wundef -Wcast-qual -pedantic -Werror \
        -fsyntax-only -I"$include" "$file" >"$dir/out" 2>&1; then
        printf '%s does not compile with: %s\n' "$name" "$*"
        cat "$dir/out"
        failed=1
    fi
}

# refuses LANGUAGE COMPILER...: the checks must be able to fail
refuses()
{
    language=$1
    shift
    sed 's/AT(pbay_event, text, 6, 4)/AT(pbay_event, text, 6, 5)/' \
        "$layout" >"$dir/bad.$language"
    if "$@" -fsyntax-only -I"$include" "$dir/bad.$language" \
        >/dev/null 2>&1; then
        echo "a wrong offset is not noticed by: $*"
        failed=1
    fi
}

finish()
{
    [ "$failed" = 0 ] && [ "$count" -gt 10 ] || exit 1
    echo "$count compilations"
    exit 0
}
