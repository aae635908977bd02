#!/bin/sh
# SPDX-License-Identifier: MIT
# An installation has what a distribution expects, where it expects it, and
# works without libtool's .la files; uninstalling leaves nothing behind.
set -eu
: "${top_srcdir:?run by make check}"
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$top_srcdir/tests/install/common.sh"

install_below_root
prefix=$(variable prefix)
plugindir=$(variable plugindir)
confdir=$(variable confdir)
series=patchbay-1/providers

case $plugindir in
*/$series) ok "providers go to .../$series" ;;
*) bad "plugindir is $plugindir" ;;
esac
case $confdir in
*/patchbay) ok "configuration goes to .../patchbay" ;;
*) bad "confdir is $confdir" ;;
esac
major=$(sed -n 's/^#define PBAY_ABI_MAJOR \([0-9]*\)u$/\1/p' \
    "$top_srcdir/sdk/include/patchbay/types.h")
expect "patchbay.pc and the headers agree about the ABI's major" \
    test "$(variable abi_major)" = "${major:?}"

for path in "$prefix/bin/patchbay" "$confdir/patchbay.conf" \
    "$prefix/share/man/man1/patchbay.1" \
    "$prefix/share/man/man5/patchbay.conf.5" \
    "$prefix/share/bash-completion/completions/patchbay" \
    "$prefix/share/zsh/site-functions/_patchbay" \
    "$prefix/share/fish/vendor_completions.d/patchbay.fish" \
    "$prefix/share/aclocal/patchbay.m4" \
    "$prefix/share/doc/patchbay/README.md" \
    "$prefix/share/doc/patchbay/sdk/README.md" \
    "$prefix/share/doc/patchbay/sdk/example/echo.c" \
    "$prefix/share/doc/patchbay/sdk/example/transcripts/answer.jsonl" \
    "$prefix/lib/systemd/system/patchbay.service"; do
    expect "installed: $path" test -s "$root$path"
done
for header in "$top_srcdir"/sdk/include/patchbay/*.h; do
    expect "installed: patchbay/$(basename "$header")" \
        cmp "$header" "$root$prefix/include/patchbay/$(basename "$header")"
done
# Every link of every page that is installed leads to something installed.
doc=$root$prefix/share/doc/patchbay
links=0
(cd "$doc" && find . -name '*.md') >"$work/pages"
while IFS= read -r page; do
    grep -o '](\([^)#: ]*\)[)#]' "$doc/$page" |
        sed 's/^](//; s/[)#]$//' | sort -u >"$work/links"
    while IFS= read -r link; do
        [ -n "$link" ] || continue
        links=$((links + 1))
        test -e "$doc/$(dirname "$page")/$link" ||
            bad "$page refers to $link, which is not installed"
    done <"$work/links"
done <"$work/pages"
expect "$links links of the pages lead somewhere" test "$links" -ge 30
la=$(find "$root" -name '*.la')
expect "no .la file: $la" test -z "$la"

unit=$root$prefix/lib/systemd/system/patchbay.service
expect 'the unit starts the program installed' \
    grep -qx "ExecStart=$(variable prefix)/bin/patchbay serve" "$unit"
expect 'the unit reloads by the program installed' \
    grep -qx "ExecReload=$(variable prefix)/bin/patchbay reload" "$unit"
expect 'the unit waits for readiness' grep -qx 'Type=notify' "$unit"

# The program installed with the providers installed, away from the build.
PATCHBAY_PLUGIN_PATH=$root$plugindir
export PATCHBAY_PLUGIN_PATH
quiet "$root$prefix/bin/patchbay" plugins
cp "$work/out" "$work/plugins"
providers=0
for so in "${PATCHBAY_PROVIDERS:?}"/*.so; do
    id=$(basename "$so" .so)
    providers=$((providers + 1))
    expect "the provider $id is installed" cmp "$so" "$root$plugindir/$id.so"
    expect "the provider $id has its page" \
        test -s "$root$prefix/share/doc/patchbay/plugins/$id/README.md"
    expect "the program installed takes $id" \
        grep -qE "^$id .* (found|loaded) " "$work/plugins"
done
expect 'openai and loopback are among the providers' test $providers -ge 2

# An administrator's configuration survives the next installation.
echo '# mine' >"$root$confdir/patchbay.conf"
quiet "$PATCHBAY_MAKE" -C "$top_builddir" install DESTDIR="$root"
expect 'patchbay.conf is not overwritten' \
    grep -qx '# mine' "$root$confdir/patchbay.conf"
rm -f "$root$confdir/patchbay.conf"

quiet "$PATCHBAY_MAKE" -C "$top_builddir" uninstall DESTDIR="$root"
left=$(find "$root" -type f)
expect "nothing is left after make uninstall: $left" test -z "$left"
[ "$failures" = 0 ]
