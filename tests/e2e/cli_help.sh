#!/bin/sh
# SPDX-License-Identifier: MIT
# Help, wrong command lines, and the manual page: every command and option of
# the help is in patchbay(1) and the other way round, every exit status is
# documented, and help does not look at providers.
# shellcheck disable=SC2013 # words, none with a blank

# shellcheck source=tests/e2e/cli_lib.sh
. "$(dirname "$0")/cli_lib.sh"
: "${top_srcdir:=$(dirname "$0")/../..}"
page=$top_srcdir/etc/man/patchbay.1

# --- each command
run 0 --help
no_err
out 'usage: patchbay '
commands=$(awk '/^  [a-z]/ { print $1 }' "$work/out")
[ "$(echo "$commands" | wc -w)" -ge 16 ] || fail 'commands are missing'
for c in $commands; do
    run 0 "$c" --help
    no_err
    out "usage: patchbay $c"
    awk 'length > 80 { exit 1 }' "$work/out" ||
        fail "$what: a line of more than 80 characters"
    cp "$work/out" "$work/help"
    run 0 "$c" -h
    cmp -s "$work/out" "$work/help" || fail "$c: -h is not --help"
    run 0 help "$c"
    cmp -s "$work/out" "$work/help" || fail "help $c is not $c --help"
    run 2 "$c" --no-such-option
    err "patchbay $c: unknown option --no-such-option"
    no_out
done
run 0 help
cp "$work/out" "$work/help"
run 0 -h
cmp -s "$work/out" "$work/help" || fail '-h is not help'
run 0 version
out 'provider ABI '
cp "$work/out" "$work/help"
run 0 --version
cmp -s "$work/out" "$work/help" || fail '--version is not version'
run 0 -V
run 0 version --json
out '"abi": '

# --- wrong command lines: status 2, nothing on stdout, a hint
run 2
err 'a command is missing'
run 2 chta
no_out
err 'did you mean "chat"?'
run 2 modles
err 'did you mean "models"?'
run 2 help plugin
err 'did you mean "plugins"?'
run 2 zzzzzz
err 'no command "zzzzzz"'
run 2 chat --modle x
err 'did you mean --model?'
run 2 chat -m
err 'option -m needs a value'
run 2 chat --model
err 'option --model needs a value'
run 2 chat -q
err 'unknown option -q'
run 2 models --json=yes
err 'option --json takes no value'
run 2 chat --no x
err 'write it out'
run 2 --confg x models
err 'did you mean --config?'
run 2 models extra
err 'unexpected operand extra'
run 2 provider
run 2 provider tset loopback
err 'did you mean "test"?'
run 2 provider info
run 2 key
run 2 replay
run 2 replay --chunk 0 x
run 2 replay --chunk x x
run 2 embed --dimensions -1 x
run 2 help a b

# --- a key on the command line is refused, and not repeated
for option in --api-key=sk-abcdef --token=sk-abcdef --password=sk-abcdef; do
    run 2 chat "$option" hello
    err 'keys are never given on the command line'
    if grep -q sk-abcdef "$work/err"; then fail "$what: it repeats the key"; fi
done

# --- output that can't be written
"$PATCHBAY" --help >/dev/full 2>"$work/err"
[ $? = 1 ] || fail '--help >/dev/full: status 0'
"$PATCHBAY" --help >&- 2>"$work/err"
[ $? -le 1 ] || fail '--help with stdout closed'

# --- help asks no provider: files that nobody can load cost nothing
mkdir "$work/broken"
i=0
while [ $i -lt 20 ]; do
    head -c 100000 /dev/urandom >"$work/broken/bad$i.so"
    mkfifo "$work/broken/pipe$i.so"
    i=$((i + 1))
done
for c in --help 'chat --help' 'help plugins' version 'key new'; do
    checks=$((checks + 1))
    # A fifo would hold up whoever opens it for good.
    # shellcheck disable=SC2086 # words
    PATCHBAY_PLUGIN_PATH=$work/broken timeout 5 "$PATCHBAY" $c \
        >"$work/out" 2>"$work/err" || fail "$c among broken plugins"
done

# --- the manual page
[ -r "$page" ] || fail "there is no $page"
# mdoc to words: "Fl m , Fl -model Ar NAME" is "-m, --model NAME".
sed -e 's/Fl -\([a-z]\)/--\1/g; s/Fl \([a-zA-Z]\)/-\1/g; s/ , /, /g' \
    -e 's/ Ar / /g; s/^\.It Cm //; s/^\.It //' "$page" >"$work/page"
in_page()
{
    checks=$((checks + 1))
    grep -qE -- "$1" "$work/${3:-page}" || fail "patchbay(1) lacks $2"
}
common='config control host no-host json help version'
for o in $common; do
    in_page "^(-[a-zA-Z], )?--$o( |\$)" "--$o"
done
for c in $commands; do
    in_page "^\.Ss $c\$" "$c"
    "$PATCHBAY" "$c" --help >"$work/help"
    awk -v c="$c" '/^\.S[sh]/ { on = $2 == c } on' "$work/page" \
        >"$work/section"
    for o in $(sed -n 's/^ *\(-[a-zA-Z], \)*--\([a-z-]*\).*/\2/p' \
        "$work/help"); do
        case " $common " in *" $o "*) continue ;; esac
        short=$(sed -n "s/^ *\(-[a-zA-Z], \)--$o .*/\1/p" "$work/help")
        in_page "^$short--$o( |\$)" "$c $short--$o" section
    done
done
# what the page has, the program has
for o in $(sed -n 's/^\(-[a-zA-Z], \)*\(--[a-z-]*\).*/\2/p' "$work/page" |
    sort -u); do
    checks=$((checks + 1))
    found=
    for c in '' $commands; do
        # shellcheck disable=SC2086 # may be empty
        "$PATCHBAY" $c --help | grep -qE -- "^ .*$o( |\$)" && found=1
    done
    [ "$found" ] || fail "patchbay(1) has $o, which no command has"
done
for s in $(sed -n 's/^    EXIT_[A-Z_]* = \([0-9]*\).*/\1/p' \
    "$top_srcdir/host/cli/exit.h"); do
    [ "$s" = 128 ] || in_page "^$s\$" "exit status $s"
done
in_page '^130' 'exit status 130'

finish
