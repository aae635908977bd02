#!/bin/sh
# SPDX-License-Identifier: MIT
# nginx, as the fast upstream and the plain proxy of the bench. Prints the path
# of the program: the installed one, else Debian's package unpacked into the
# cache (its configuration is always given by the caller).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

PATH=$PATH:/usr/sbin:/sbin
if command -v nginx >/dev/null 2>&1; then
    command -v nginx
    exit 0
fi
lock nginx
dir=$cache/nginx
program=$dir/usr/sbin/nginx
if ! "$program" -v >/dev/null 2>&1; then
    need apt-get apt
    need dpkg-deb dpkg
    rm -rf "$dir"
    mkdir -p "$dir/debs"
    say 'fetching nginx with apt ...'
    (cd "$dir/debs" && run apt-get -q download nginx) ||
        skip 'apt cannot download nginx (it can be installed: apt-get install nginx)'
    for deb in "$dir"/debs/*.deb; do
        dpkg-deb -x "$deb" "$dir"
    done
    rm -rf "$dir/debs"
    run "$program" -v ||
        skip 'the nginx downloaded does not run here (apt-get install nginx)'
fi
printf '%s\n' "$program"
