# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
# Read by the scripts beside it: where counterparts are kept, how to skip, and
# one installation at a time.
#
# Every script prints one path on standard output and everything else on
# standard error. What cannot be had here ends with a reason and status 77.

cache=${PATCHBAY_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/patchbay-tests}

say()
{
    printf '%s\n' "$*" >&2
}

# skip REASON: ends the script, not available here
skip()
{
    say "$(basename "$0"): $*"
    exit 77
}

# need PROGRAM PACKAGE: skips unless PROGRAM can be run
need()
{
    command -v "$1" >/dev/null 2>&1 ||
        skip "needs the program $1 (Debian package: $2)"
}

# lock NAME: held until the script ends, so that two tests can ask at once
lock()
{
    mkdir -p "$cache" || skip "cannot make the cache directory $cache"
    cache=$(cd "$cache" && pwd)
    need flock util-linux
    exec 9>"$cache/$1.lock"
    flock 9
}

# run COMMAND...: its output is shown only if it fails
run()
{
    log=$(mktemp "$cache/log.XXXXXX")
    if "$@" >"$log" 2>&1 9>&-; then
        rm -f "$log"
        return 0
    fi
    tail -n 20 "$log" >&2
    rm -f "$log"
    return 1
}
