#!/bin/sh
# SPDX-License-Identifier: MIT
# The example provider is built by the very command of sdk/README.md, does what
# its transcripts say, and answers through the program.
set -eu
: "${top_srcdir:?run by make check}" "${top_builddir:?run by make check}"

for program in pkg-config python3; do
    command -v $program >/dev/null 2>&1 || {
        echo "skipped: $program is not installed"
        exit 77
    }
done
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

# What is not installed yet, as pkg-config would find it.
cat >"$work/patchbay.pc" <<PC
Name: Patchbay
Description: from the build tree
Version: 0
Cflags: -I$top_srcdir/sdk/include
Libs: $top_builddir/sdk/libpatchbay-sdk.a
PC
# The compiler of this build, under the name that the command uses.
mkdir "$work/bin"
cat >"$work/bin/cc" <<CC
#!/bin/sh
PATH='$PATH'
exec ${CC:-cc} ${SAN_CFLAGS-} -Wall -Wextra -Werror "\$@"
CC
chmod +x "$work/bin/cc"

awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' \
    "$top_srcdir/sdk/README.md" >"$work/build.sh"
grep -q 'cc -shared' "$work/build.sh" || {
    echo "sdk/README.md has no command to build with"
    exit 1
}
cp "$top_srcdir/sdk/example/echo.c" "$work/"
(cd "$work" && PATH=$work/bin:$PATH PKG_CONFIG_PATH=$work sh -eu build.sh)

symbols=$(nm -D --defined-only "$work/echo.so" | awk '{ print $3 }' |
    grep -v '^__odr_asan\|^__asan\|^__ubsan' || :)
[ "$symbols" = pbay_provider_entry ] || {
    echo "echo.so exports more than its entry: $symbols"
    exit 1
}
"$top_builddir/tests/codec/codec_replay" "$work/echo.so" \
    "$top_srcdir"/sdk/example/transcripts/*.jsonl

# A real exchange: environment, loader, transport, and the key that the host
# adds.
mkfifo "$work/port"
python3 "$top_srcdir/tests/codec/echo_server.py" >"$work/port" &
server=$!
read -r port <"$work/port"
answer=$(cd "$work" && PATCHBAY_PLUGIN_PATH=$work ECHO_KEY=key-of-echo \
    ECHO_URL=http://127.0.0.1:$port "$PATCHBAY" chat -m echo/echo-1 \
    'hello to you' </dev/null)
case $answer in
'hello to you'*) ;;
*)
    echo "the example answers '$answer'"
    exit 1
    ;;
esac
