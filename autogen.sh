#!/bin/sh
# SPDX-License-Identifier: MIT
# Patchbay from a checkout:
#   ./autogen.sh         generates configure, nothing else
#   ./autogen.sh demo    installs what is missing, builds, shows one answer
#   ./autogen.sh check   installs what is missing, builds, runs the tests
# demo and check build in .build/, leave the system alone apart from packages
# that are missing (as root, with apt-get; else they print the line to run),
# and are quick when run again.
set -eu
cd "$(dirname "$0")"

say()
{
    printf '%s\n' "$*" >&2
}

fail()
{
    say "autogen.sh: $*"
    exit 1
}

# ------------------------------------------------------------ what is missing

what=               # for people, one line each
debian=
fedora=

# missing WHAT DEBIAN-PACKAGE FEDORA-PACKAGE
missing()
{
    case $what in *"    $1") ;; *"    $1
"*) ;; *) what="$what
    $1" ;; esac
    case " $debian " in *" $2 "*) ;; *) debian="$debian $2" ;; esac
    case " $fedora " in *" $3 "*) ;; *) fedora="$fedora $3" ;; esac
}

# program NAME DEBIAN-PACKAGE FEDORA-PACKAGE
program()
{
    command -v "$1" >/dev/null 2>&1 || missing "the program $1" "$2" "$3"
}

# library NAME LEAST-VERSION DEBIAN-PACKAGE FEDORA-PACKAGE
library()
{
    pkg-config --exists "$1 >= $2" 2>/dev/null || missing "$1 >= $2" "$3" "$4"
}

generator_programs()
{
    program autoreconf autoconf autoconf
    program automake automake automake
    program libtoolize libtool libtool
    program pkg-config pkg-config pkgconf-pkg-config
    program m4 m4 m4
}

build_needs()
{
    [ -x configure ] || generator_programs
    compiler=${CC:-cc} # may be several words: ccache gcc
    program "${compiler%% *}" gcc gcc
    program make make make
    program pkg-config pkg-config pkgconf-pkg-config
    [ -e /usr/include/stdio.h ] || missing "the C library's headers" \
        libc6-dev glibc-devel
    library libcurl 7.85 libcurl4-openssl-dev libcurl-devel
    library json-c 0.15 libjson-c-dev json-c-devel
    library libconfig 1.5 libconfig-dev libconfig-devel
    library libevent_core 2.1.8 libevent-dev libevent-devel
    library openssl 3.0 libssl-dev openssl-devel
    library libedit 3.1 libedit-dev libedit-devel
    library yaml-0.1 0.2.1 libyaml-dev libyaml-devel
    # to believe a provider's certificate
    [ -e /etc/ssl/certs/ca-certificates.crt ] ||
        [ -e /etc/pki/tls/certs/ca-bundle.crt ] ||
        missing "the authorities' certificates" ca-certificates \
            ca-certificates
    [ -e /usr/include/ltdl.h ] || missing libltdl libltdl-dev \
        libtool-ltdl-devel
}

check_needs()
{
    library check 0.15 check check-devel
    program python3 python3 python3
    program curl curl curl
    program openssl openssl openssl
}

# needs FUNCTION...: runs each to see what is missing
needs()
{
    what='' debian='' fedora=''
    for needed in "$@"; do
        $needed
    done
    [ -n "$what" ]
}

tell()
{
    say "Missing:$what"
    say "Install with"
    say "    apt-get install$debian"
    say "on Debian and Ubuntu, or"
    say "    dnf install$fedora"
    say "on Fedora."
}

# provide FUNCTION...: installs what is missing, or ends
provide()
{
    needs "$@" || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        tell
        exit 1
    fi
    say "==> installing$debian"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of packages
    if ! quietly install.log apt-get -q update ||
        ! quietly install.log apt-get -q -y --no-install-recommends \
            install $debian; then
        tell
        exit 1
    fi
    if needs "$@"; then
        tell
        fail 'still missing after the installation'
    fi
}

# ------------------------------------------------------------------- building

# quietly LOG COMMAND...: the output goes to .build/LOG, shown if it fails
quietly()
{
    log=.build/$1
    shift
    mkdir -p .build
    "$@" >"$log" 2>&1 && return 0
    tail -n 40 "$log" >&2
    say "autogen.sh: failed: $* (all of its output: $log)"
    return 1
}

generate()
{
    if needs generator_programs; then
        tell
        exit 1
    fi
    mkdir -p .build-aux/m4
    autoreconf --install --force
}

cpus()
{
    getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1
}

# build DIRECTORY CONFIGURE-OPTIONS...: nothing that is done already is redone
build()
{
    dir=.build/$1
    shift
    [ ! -e config.status ] ||
        fail 'the tree itself is configured: "make distclean" first'
    if [ ! -x configure ]; then
        say '==> generating configure'
        quietly generate.log generate || exit 1
    fi
    mkdir -p "$dir"
    if [ ! -e "$dir/Makefile" ]; then
        say "==> configuring in $dir"
        (cd "$dir" && ../../configure "$@") >.build/configure.log 2>&1 || {
            tail -n 40 .build/configure.log >&2
            rm -f "$dir/Makefile"
            fail "configure failed (see .build/configure.log, $dir/config.log)"
        }
    fi
    say "==> building in $dir"
    quietly make.log make -C "$dir" -j"$(cpus)" || exit 1
}

demo()
{
    provide build_needs
    build demo --prefix="$PWD/.build/demo/installed"
    quietly make.log make -C .build/demo install || exit 1
    exec tests/demo.sh .build/demo/installed/bin/patchbay
}

check()
{
    provide build_needs check_needs
    build check --enable-werror
    say '==> testing'
    exec make -C .build/check -j"$(cpus)" check
}

case ${1-} in
'') generate ;;
demo | check)
    [ $# = 1 ] || fail "$1 takes no argument"
    "$1"
    ;;
*)
    say 'usage: ./autogen.sh [demo|check]'
    exit 2
    ;;
esac
