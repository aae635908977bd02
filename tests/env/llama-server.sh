#!/bin/sh
# SPDX-License-Identifier: MIT
# A real llama.cpp server: Debian unstable's packages, unpacked into the cache
# and run with their own libc. Prints the path of a wrapper that takes
# llama-server's options (paths absolute: it changes directory). Debian and
# Ubuntu only, any release.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

packages='llama.cpp-tools libllama0 libggml0 libc6 libssl3t64 libgcc-s1 libstdc++6'

lock llama.cpp
dir=$cache/llama.cpp
wrapper=$dir/llama-server
if [ -x "$wrapper" ] && "$wrapper" --version >/dev/null 2>&1; then
    printf '%s\n' "$wrapper"
    exit 0
fi
need apt-get apt
need dpkg-deb dpkg
arch=$(dpkg --print-architecture)
case $arch in
amd64) loader=ld-linux-x86-64.so.2 multiarch=x86_64-linux-gnu ;;
arm64) loader=ld-linux-aarch64.so.1 multiarch=aarch64-linux-gnu ;;
*) skip "llama.cpp is not set up for the architecture $arch" ;;
esac

# The mirror this machine's apt uses already; its keyring signs unstable too.
# shellcheck disable=SC2016 # apt's own format string
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' |
    grep -E '/debian/?$' | head -n 1) || mirror=
: "${mirror:=http://deb.debian.org/debian}"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keyring ] || skip "needs $keyring (Debian package: debian-archive-keyring)"

rm -rf "$dir"
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" \
    "$dir/debs" "$dir/root"
: >"$dir/apt/status"
printf 'deb [signed-by=%s] %s sid main\n' "$keyring" "$mirror" \
    >"$dir/apt/sources.list"

# private_apt ARGUMENTS...: apt-get that neither reads nor writes the system's
# lists, cache and state. A mirror may be frozen at some day: its signature
# counts, not the date until which it was to be used.
private_apt()
{
    run apt-get -q \
        -o Dir::Etc::SourceList="$dir/apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null \
        -o Dir::State="$dir/apt" \
        -o Dir::State::Lists="$dir/apt/lists" \
        -o Dir::State::status="$dir/apt/status" \
        -o Dir::Cache="$dir/apt/cache" \
        -o APT::Sandbox::User= \
        -o APT::Get::AllowUnauthenticated=false \
        -o Acquire::Languages=none \
        -o Acquire::Check-Valid-Until=false \
        -o Acquire::Retries=1 \
        "$@"
}
say "fetching llama.cpp from $mirror (sid) ..."
private_apt update || skip "apt cannot read $mirror (sid)"
# shellcheck disable=SC2086 # a list of packages
(cd "$dir/debs" && private_apt download $packages) ||
    skip "apt cannot download: $packages"
for deb in "$dir"/debs/*.deb; do
    dpkg-deb -x "$deb" "$dir/root"
done
rm -rf "$dir/apt" "$dir/debs"

# Where the pieces lie is asked of the unpacked packages: they move.
program=$(find "$dir/root" -path '*/bin/llama-server' | head -n 1)
ld=$(find "$dir/root" -name "$loader" | head -n 1)
backend=$(find "$dir/root" -name 'libggml-cpu*.so' | head -n 1)
[ -n "$program" ] || skip 'no llama-server in the packages downloaded'
[ -n "$ld" ] || skip "no $loader in the packages downloaded"
[ -n "$backend" ] || skip 'no CPU backend in the packages downloaded'
libs=$(find "$dir/root" -name '*.so*' -path "*$multiarch*" \
    -exec dirname {} \; | sort -u | tr '\n' ':')

# It looks for its CPU backends in the working directory.
cat >"$wrapper.new" <<END
#!/bin/sh
cd '$(dirname "$backend")' &&
exec '$ld' --library-path '${libs%:}' '$program' "\$@"
END
chmod +x "$wrapper.new"
mv "$wrapper.new" "$wrapper"
run "$wrapper" --version || skip "the llama.cpp downloaded does not run here"
printf '%s\n' "$wrapper"
