#!/bin/sh
# SPDX-License-Identifier: MIT
# What every provider that we build must be like as a file: one exported symbol,
# bound at once and read-only after that, no search paths, no text relocations,
# no executable stack, a manifest in a note, libraries that belong there.

set -u
providers=${PATCHBAY_PROVIDERS:?run by make check}
failed=0
count=0

for tool in nm readelf; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "needs $tool (Debian package: binutils)"
        exit 77
    fi
done

bad()
{
    echo "$(basename "$so"): $*"
    failed=1
}

# is_not TEXT PATTERN MESSAGE
is_not()
{
    if printf '%s\n' "$1" | grep -Eq "$2"; then
        bad "$3: $(printf '%s\n' "$1" | grep -E "$2" | head -n 3)"
    fi
}

# is TEXT PATTERN MESSAGE
is()
{
    printf '%s\n' "$1" | grep -Eq "$2" || bad "$3"
}

check()
{
    so=$1
    count=$((count + 1))
    exported=$(nm -D --defined-only "$so" | awk '{print $NF}' |
        sed 's/@.*//' | sort)
    [ "$exported" = pbay_provider_entry ] ||
        bad "exports something else than pbay_provider_entry: $exported"
    dynamic=$(readelf -dW "$so")
    headers=$(readelf -lW "$so")
    # Of the host's names nothing may be needed: it exports none.
    is_not "$(nm -D --undefined-only "$so")" ' (pbay|pb|lb)_' \
        "needs a symbol that nobody exports"
    is "$dynamic" 'BIND_NOW|Flags:.*NOW' "is not bound at once (-z now)"
    is "$headers" 'GNU_RELRO' "has no read-only relocations (-z relro)"
    is_not "$dynamic" 'RPATH|RUNPATH' "has a search path of its own"
    is_not "$dynamic" 'TEXTREL' "has text relocations"
    is_not "$dynamic" 'STATIC_TLS' "uses static TLS, which runs out"
    is_not "$headers" 'GNU_STACK.*RWE' "has an executable stack"
    is_not "$headers" 'LOAD.*RWE' "has a segment to write and execute"
    is "$(readelf -nW "$so")" '^ *Patchbay ' "has no note with its manifest"
    is_not "$(readelf -nW "$so" 2>&1)" 'Corrupt' "has a corrupt note"
    # Codecs speak through the host; anything else is a mistake.
    is_not "$dynamic" 'NEEDED.*(curl|ssl|crypto|event|ltdl|json-c|config)' \
        "is linked with a library of the host"
}

for file in "$providers"/*.so; do
    [ -f "$file" ] && check "$file"
done

# The checks must be able to fail: here is what all of them should notice.
dir=$(mktemp -d "${TMPDIR:-/tmp}/patchbay-abi.XXXXXX")
trap 'rm -rf "$dir"' EXIT
printf 'int pbay_provider_entry(void){return 0;} int other(void){return 1;}\n' \
    >"$dir/bad.c"
# shellcheck disable=SC2086
if ${CC:-cc} -shared -fPIC -Wl,-z,lazy -Wl,-z,norelro -Wl,-rpath,/tmp \
    "$dir/bad.c" -o "$dir/bad.so"; then
    ours=$failed
    found=$(check "$dir/bad.so")
    for part in 'exports something else' 'not bound at once' \
        'no read-only relocations' 'a search path' 'no note'; do
        printf '%s\n' "$found" | grep -q "$part" || {
            echo "a bad file passes: not noticed: $part"
            ours=1
        }
    done
    failed=$ours
else
    failed=1
fi

[ "$count" -ge 1 ] || {
    echo "no provider in $providers"
    failed=1
}
[ "$failed" = 0 ] || exit 1
echo "$count providers"
