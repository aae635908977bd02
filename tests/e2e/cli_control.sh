#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line against a scripted control socket: how it shows what a host
# says, and what it does when a host says it badly.

here=$(dirname "$0")
command -v python3 >/dev/null || {
    echo 'SKIP: python3 is needed'
    exit 77
}
# shellcheck source=tests/e2e/cli_lib.sh
. "$here/cli_lib.sh"

sock=$work/run/c.sock
log=$work/log
: >"$log"
python3 "$here/cli_fake_host.py" "$sock" "$log" >"$work/ready" &
background=$!
await 20 grep -q ready "$work/ready" || {
    echo 'FAIL: the scripted host does not start'
    exit 1
}
c="--control $sock"

# shellcheck disable=SC2086 # $c is two words
{
    # --- an answer, its route, its cost
    run 0 $c chat hello
    out_is 'Hello, wörld'
    no_err
    run 0 chat $c -v think
    out_is 42
    err 'let me see'
    err 'route:  fake/one (provider named), answered by one-2026'
    err 'tokens: 12 in (5 cached), 34 out (6 reasoning); cost 0.0015 USD'
    err 'time:   3 ms to the first token, 9 ms in all; request req_1'
    run 0 $c chat --json think
    json
    out '"reasoning": "let me see"'
    out '"cost_nano": 1500000'
    run 0 $c chat refuse
    out_is 'I would rather not'
    run 0 $c chat tool
    out_is '[tool call: clock {"zone":"UTC"}]'
    run 0 $c chat --json tool
    out '"arguments": "{\"zone\":\"UTC\"}"'
    run 0 $c chat warn
    out_is fine
    err 'seed: dropped'
    run 0 $c chat length
    err 'output limit'

    # --- what is asked
    run 0 $c chat -m fake/one -s 'Be brief.' --set temperature=0.5 \
        --set user=me --set 'stop=["a"]' --no-stream echo this
    out '"temperature": 0.5'
    out '"user": "me"'
    out '"stop": ["a"]'
    out '"stream": false'
    out '"model": "fake/one"'
    out '{"role": "system", "content": "Be brief."}'
    out '{"role": "user", "content": "echo this"}'
    printf 'from a pipe\n' >"$work/in"
    input=$work/in
    run 0 $c chat echo
    out 'echo\n\nfrom a pipe\n'
    printf 'echo alone' >"$work/in"
    run 0 $c chat
    out '"content": "echo alone"'
    printf 'caf\351' >"$work/in"
    run 2 $c chat
    err 'byte 4 is not UTF-8'
    printf 'a\000b' >"$work/in"
    run 2 $c chat
    err NUL
    printf ' \n' >"$work/in"
    run 2 $c chat
    err 'no prompt'
    input=/dev/null
    run 2 $c chat
    err 'no prompt'
    printf '\211PNG\r\n\032\n0000' >"$work/p.png"
    run 0 $c chat --image "$work/p.png" echo
    out '"image_url": {"url": "data:image/png;base64,iVBORw0KGgowMDAw"}'
    run 2 $c chat --image "$0" echo
    err 'not an image'
    run 1 $c chat --image "$work/none.png" echo
    err 'No such file'
    run 2 $c chat --set messages=x hello
    run 2 $c chat --set nothing hello

    # --- answers that go wrong are never a success
    run 5 $c chat cut
    out_is 'half an ans'
    err 'the answer was cut: the reply ended before its end mark'
    run 5 $c chat --json cut
    json
    out '"kind": "truncated"'
    out '"text": "half an ans"'
    run 1 $c chat gone
    out_is 'and then'
    err 'the host ended before its answer was complete'
    run 1 $c chat garbage
    err 'no JSON object'
    run 1 $c chat list
    run 1 $c chat riddle
    for pair in auth:6 permission:6 quota:6 no_model:7 not_found:7 invalid:7 \
        context:7 rate_limit:5 overloaded:5 connect:5 first_token_timeout:5 \
        truncated:5 something_new:1; do
        run "${pair#*:}" $c chat "fail ${pair%:*}"
        err 'as you wished'
        no_out
    done

    # --- the reader leaves: quietly, and the answer is ended
    "$PATCHBAY" $c chat flood 2>"$work/err" | head -n 1 >"$work/out"
    what='chat flood | head'
    no_err
    await 20 grep -qx closed "$log" || fail 'the flood goes on'
    "$PATCHBAY" $c chat hello 2>"$work/err" >/dev/full
    [ $? = 1 ] || fail 'a full disk is not told by the status'
    what='chat hello >/dev/full'
    err 'No space left'

    # --- interrupted: the connection is closed, the status says by what
    for sig in INT:130 TERM:143; do
        : >"$log"
        # a shell's background jobs ignore SIGINT; python gives it back
        python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$PATCHBAY" $c chat silence \
            </dev/null >"$work/out" 2>"$work/err" &
        pid=$!
        await 20 grep -qx silent "$log" || fail 'nothing was asked'
        kill "-${sig%:*}" "$pid"
        wait "$pid"
        got=$?
        what="chat silence, ${sig%:*}"
        checks=$((checks + 1))
        [ "$got" = "${sig#*:}" ] || fail "$what: status $got"
        out_is 'one moment'
        no_err
        await 20 grep -qx closed "$log" || fail "$what: not closed"
    done

    # --- the rest of the verbs
    run 0 $c embed a b
    out_is '{"index":0,"embedding":[0,0.100000001,-1.00000001e-07]}
{"index":1,"embedding":[1,0.100000001,-1.00000001e-07]}'
    printf 'a\r\n\nb\n' >"$work/in"
    input=$work/in
    run 0 $c embed --json -m fake/e --dimensions 3
    json
    input=/dev/null
    grep -qF '"encoding_format":"base64","model":"fake/e","dimensions":3,"input":["a","b"]' \
        "$log" || fail 'embed asks for something else'
    run 5 $c embed nothing
    err 'no vector for text 1 of 1'
    run 5 $c embed odd
    run 2 $c embed
    run 0 $c models
    out 'fake/one             8192  chat tools'
    err 'down: connection refused'
    [ "$(wc -l <"$work/out")" -eq 2 ] || fail 'a name makes a line of its own'
    run 0 $c models --json
    json
    run 5 $c models -p down
    no_out
    run 0 $c models --refresh --provider fake
    grep -qF '"args":{"provider":"fake","refresh":true}' "$log" ||
        fail 'models does not pass its options on'
    run 0 $c plugins
    out 'fake  1.0  0.1  native  loaded   /p/fake.so'
    out '    needs ABI 2.0, host offers 0.1'
    run 0 $c plugins --json
    json
    run 0 $c provider list
    out 'fake  fake  ready  http://127.0.0.1:1/'
    run 0 $c provider list --json
    json
    run 0 $c provider info fake
    out 'ops           chat, embed'
    run 0 $c provider --json info fake
    json
    run 7 $c provider info fkae
    err 'did you mean "fake"?'
    run 0 $c provider test fake
    out_is 'fake: ok, seen (4 ms)'
    run 5 $c provider test other
    out 'other: failed, refused'
    run 0 $c status
    out 'listening on   127.0.0.1:8080'
    out 'fake      0       5   1       1          70         80'
    run 0 $c status --json
    json
    out '"uptime_ms": 5000'
    run 0 $c log
    out_is info
    run 0 $c log debug
    out_is debug
    run 2 $c log loud
    run 0 $c config show --json
    json
    run 0 $c reload
    err 'p.conf:3: x: mind this'
    run 0 $c stop --now
    grep -qF '"verb":"stop","args":{"now":true}' "$log" ||
        fail 'stop does not pass --now on'
    run 0 $c record fake rel/dir
    out_is "$PWD/rel/dir"
    run 0 $c record fake --stop
    grep -qF '"args":{"provider":"fake","dir":null}' "$log" ||
        fail 'record --stop asks for something else'
    run 2 $c record fake
    run 2 $c --no-host chat hello
    err 'exclude each other'

    # --- no host where one has to be
    for cmd in 'status' 'log' 'reload' 'stop' 'record a b' \
        '--host models' '--host chat hi'; do
        run 4 $cmd
        err 'no host is running'
    done
    run 4 --control "$work/none" models
    err "nothing answers at $work/none"
    python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$work/stale"
    run 4 --control "$work/stale" models
    run 4 --control "$work/$(printf '%0120d' 0)" models
    err 'name too long'
    run 2 --no-host status
}

finish
