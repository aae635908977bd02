#!/bin/sh
# SPDX-License-Identifier: MIT
# The completions of bash, zsh and fish offer exactly the commands, actions and
# options that the program's help names. Shells that are not installed are
# named, and the test counts as skipped.
set -eu
: "${top_srcdir:?run by make check}" "${PATCHBAY:?}"
etc=$top_srcdir/etc/completions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$(dirname "$PATCHBAY"):$PATH
export PATH
failures=0
absent=

# What the help says, found in another way than by the completions.
commands()
{
    patchbay --help | awk '/^  [a-z]/ { print $1 }'
}

actions()
{
    patchbay "$1" --help | sed -n '/^$/q; s/^.* patchbay '"$1"' //p' |
        sed -n 's/^\([a-z][a-z]*\).*/\1/p'
}

options()
{
    patchbay "$@" --help | awk '/^ +-/ {
        word = $1 ~ /^--/ ? $1 : $2
        print word
    }'
}

# Each of these prints what is offered after the words given, the last of which
# is being written.
offered_bash()
{
    # shellcheck disable=SC2016 # expanded by that shell
    bash --norc -c '. "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _patchbay patchbay
        [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' \
        bash "$etc/bash/patchbay" "$@"
}

offered_zsh()
{
    # shellcheck disable=SC2016 # expanded by that shell
    zsh -f -c 'compadd() { print -l -- $@ }
        _files() { print FILES }
        _describe() { print -l -- ${${(P)@[-1]}%%:*} }
        file=$1; shift
        words=("$@") CURRENT=$#
        . $file' zsh "$etc/zsh/_patchbay" "$@"
}

offered_fish()
{
    # shellcheck disable=SC2016 # expanded by that shell
    fish --no-config -c 'source $argv[1]
        complete -C (string join " " -- $argv[2..])' \
        "$etc/fish/patchbay.fish" "$@" | cut -f 1
}

# compare SHELL WHAT: the lists $work/want and $work/got, in any order
compare()
{
    sort -u "$work/want" >"$work/want.sorted"
    sort -u "$work/got" >"$work/got.sorted"
    if cmp -s "$work/want.sorted" "$work/got.sorted"; then
        echo "ok: $1: $2"
        return
    fi
    echo "FAILED: $1: $2 (< in the help, > offered)"
    diff "$work/want.sorted" "$work/got.sorted" || true
    failures=$((failures + 1))
}

# same SHELL WHAT WORDS...: what the shell offers after WORDS is $work/want
same()
{
    same_shell=$1 same_what=$2
    shift 2
    "offered_$same_shell" "$@" >"$work/got"
    compare "$same_shell" "$same_what"
}

# files SHELL WHAT WORDS...: the last of WORDS is the beginning of files' names
files()
{
    files_shell=$1 files_what=$2
    shift 2
    "offered_$files_shell" "$@" >"$work/got"
    if grep -q -e '^FILES$' -e 'want' "$work/got"; then
        echo "ok: $files_shell: files for $files_what"
    else
        echo "FAILED: $files_shell: no files are offered for $files_what"
        failures=$((failures + 1))
    fi
}

check_shell()
{
    shell=$1
    commands >"$work/want"
    [ "$(wc -l <"$work/want")" -ge 10 ] || {
        echo 'FAILED: the help names too few commands'
        exit 1
    }
    same "$shell" 'commands' patchbay ''
    options >"$work/want"
    same "$shell" 'options before the command' patchbay --
    for command in $(commands); do
        options "$command" >"$work/want"
        same "$shell" "options of $command" patchbay "$command" --
        actions "$command" >"$work/want"
        [ -s "$work/want" ] || continue
        same "$shell" "actions of $command" patchbay "$command" ''
    done
    printf '%s\n' error warn info debug >"$work/want"
    same "$shell" 'values of --log-level' patchbay serve --log-level ''
    printf '%s\n' price context created name >"$work/want"
    same "$shell" 'values of --sort' patchbay models --sort ''
    # A file is offered where one is wanted, and nothing elsewhere.
    for words in 'batch run' 'config import' summarize translate replay; do
        # shellcheck disable=SC2086 # words
        files "$shell" "$words" patchbay $words "$work/want"
    done
    : >"$work/want"
    same "$shell" 'nothing for status' patchbay status "$work/want"
}

for shell in bash zsh fish; do
    if command -v $shell >/dev/null 2>&1; then
        check_shell $shell
    else
        absent="$absent $shell"
    fi
done
[ "$failures" = 0 ] || exit 1
[ -z "$absent" ] || {
    echo "SKIP: not installed:$absent"
    exit 77
}
