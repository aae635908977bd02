# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034 # used by those that source it
# For the tests of the command line, sourced by them: a private directory, and
# checks that say what they looked at.

: "${PATCHBAY:=./patchbay}"
failures=0
checks=0
work=$(mktemp -d "${TMPDIR:-/tmp}/patchbay-cli.XXXXXX") || exit 1
background=''
XDG_STATE_HOME=$work/state
XDG_CONFIG_HOME=$work/config
XDG_RUNTIME_DIR=$work/run
HOME=$work
PATCHBAY_CONTROL=$work/run/control.sock
export XDG_STATE_HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR HOME PATCHBAY_CONTROL
mkdir -p "$work/run" && chmod 700 "$work/run"

clean_up()
{
    status=$?
    for pid in $background; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

fail()
{
    failures=$((failures + 1))
    printf 'FAIL: %s\n' "$*"
    printf '  stdout: %s\n  stderr: %s\n' "$(head -c 600 "$work/out")" \
        "$(head -c 600 "$work/err")"
}

# run STATUS ARGUMENTS...: patchbay with these, standard input from $input or
# empty; its output is in $work/out and $work/err
input=/dev/null
run()
{
    want=$1
    shift
    what="patchbay $*"
    checks=$((checks + 1))
    "$PATCHBAY" "$@" <"$input" >"$work/out" 2>"$work/err"
    got=$?
    [ "$got" = "$want" ] || fail "$what: status $got, not $want"
}

# out TEXT / err TEXT: the output has this text; no_out, no_err: it is empty
out()
{
    checks=$((checks + 1))
    grep -qF -- "$1" "$work/out" || fail "$what: no \"$1\" on stdout"
}
err()
{
    checks=$((checks + 1))
    grep -qF -- "$1" "$work/err" || fail "$what: no \"$1\" on stderr"
}
no_out()
{
    checks=$((checks + 1))
    [ ! -s "$work/out" ] || fail "$what: stdout is not empty"
}
no_err()
{
    checks=$((checks + 1))
    [ ! -s "$work/err" ] || fail "$what: stderr is not empty"
}
# out_is TEXT: stdout is exactly this and a line feed
out_is()
{
    checks=$((checks + 1))
    printf '%s\n' "$1" | cmp -s - "$work/out" ||
        fail "$what: stdout is not \"$1\""
}
# json: stdout is one JSON text
json()
{
    checks=$((checks + 1))
    python3 -m json.tool <"$work/out" >/dev/null 2>&1 ||
        fail "$what: stdout is not JSON"
}

# await SECONDS COMMAND...: until it succeeds
await()
{
    tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

finish()
{
    if [ "$checks" -eq 0 ]; then
        echo 'FAIL: nothing was checked'
        exit 1
    fi
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
    exit
}
