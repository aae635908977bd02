# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
# Read by the tests beside it: an installation below a directory of its own.
#   $work   removed at the end      $root   where DESTDIR put everything

: "${top_srcdir:?run by make check}" "${top_builddir:?}" "${PATCHBAY_MAKE:?}"
here=$top_srcdir/tests/install
work=$(mktemp -d)
root=$work/root
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
failures=0

ok()
{
    echo "ok: $*"
}

bad()
{
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect TEXT COMMAND...: the command succeeds
expect()
{
    text=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        ok "$text"
    else
        bad "$text"
        cat "$work/out"
    fi
}

# quiet COMMAND...: or the test ends here
quiet()
{
    "$@" >"$work/out" 2>&1 || {
        cat "$work/out"
        echo "FAILED: $*"
        exit 1
    }
}

# The make that runs the tests must not steer this one.
unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR
install_below_root()
{
    quiet "$PATCHBAY_MAKE" -C "$top_builddir" install DESTDIR="$root"
    # Where it was configured to go, below $root.
    pc=$(find "$root" -name patchbay.pc)
    [ -n "$pc" ] || {
        echo 'FAILED: no patchbay.pc was installed'
        exit 1
    }
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
}

# variable NAME: of patchbay.pc
variable()
{
    pkg-config --variable="$1" patchbay
}
