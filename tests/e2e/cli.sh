#!/bin/sh
# SPDX-License-Identifier: MIT
# Every command with the loopback provider: in its own process, then against a
# running host, which have to give the same. Statuses, JSON, what stays behind.
# shellcheck disable=SC2181,SC2317

# shellcheck source=tests/e2e/cli_lib.sh
. "$(dirname "$0")/cli_lib.sh"
: "${PATCHBAY_PROVIDERS:?the directory with the providers}"
PATCHBAY_PLUGIN_PATH=$PATCHBAY_PROVIDERS
export PATCHBAY_PLUGIN_PATH
case $work in *[!A-Za-z0-9./_-]*) echo "SKIP: odd TMPDIR"; exit 77 ;; esac

# What a question does, whoever answers.
questions()
{
    run 0 chat hello there
    out_is 'hello there'
    no_err
    run 0 chat -m loopback/echo -v 'a b c'
    out_is 'a b c'
    err 'route:  loopback/echo ('
    err 'tokens: about '
    err 'time:   '
    run 0 chat --no-stream -m loopback/echo hi
    out_is hi
    printf 'grüße aus der datei\n' >"$work/in"
    input=$work/in
    run 0 chat -m loopback/echo
    out_is 'grüße aus der datei'
    run 0 chat -m loopback/echo 'first'
    out 'first'
    out 'grüße aus der datei'
    input=/dev/null
    run 0 chat --json -m loopback/echo hi
    json
    out '"text": "hi"'
    out '"provider": "loopback"'
    run 0 chat -m loopback/reason -v think
    out_is think
    run 0 chat -m loopback/refuse x
    run 0 chat -m loopback/lorem --set max_tokens=5 x
    err 'output limit'
    run 0 chat -m loopback/tool \
        --set 'tools=[{"type":"function","function":{"name":"clock"}}]' x
    out '[tool call: clock '
    run 0 chat --json --set 'response_format={"type":"json_object"}' x
    json

    # faults: never status 0, and the line is ended
    run 5 chat -m 'loopback/lorem?fault=cut@10' x
    err 'the answer was cut'
    [ "$(tail -c 1 "$work/out" | od -An -c | tr -d ' ')" = '\n' ] ||
        fail 'a cut answer does not end its line'
    run 6 chat -m 'loopback/echo?fault=auth' x
    err 'mend api_key'
    run 6 chat -m 'loopback/echo?fault=quota' x
    run 7 chat -m 'loopback/echo?fault=context' x
    run 5 chat -m 'loopback/echo?fault=overloaded' x
    no_out
    run 7 chat -m loopback/nosuch x
    run 7 chat -m nosuch/model x
    no_out

    run 0 embed one two
    [ "$(grep -c '^{"index":[01],"embedding":\[' "$work/out")" -eq 2 ] ||
        fail 'embed: not two vectors'
    run 0 embed --json --dimensions 4 one
    json
    run 0 models
    out loopback/echo
    run 0 models --json -p loopback
    json
    out '"id": "loopback/echo"'
    run 0 models --refresh
    run 7 models -p nosuch
    run 0 plugins
    out loopback
    out "$PATCHBAY_PROVIDERS/loopback.so"
    run 0 plugins --json
    json
    run 0 provider list
    out loopback
    run 0 provider list --json
    json
    run 0 provider info loopback
    out 'state         ready'
    run 0 provider info --json loopback
    json
    run 7 provider info nosuch
    run 0 provider test loopback
    out 'loopback: ok'
    run 0 provider test --json loopback
    json
    run 7 provider test nosuch
    run 0 config show
    out 'loopback'
    run 0 config show --json
    json
}

# --- without a host
questions
if [ -n "$(find "$work/run" -mindepth 2 -name '*.so')" ]; then
    fail 'private copies of modules are left'
fi

# --- interrupted in the middle: the status says so and nothing is left
: >"$work/out" # what an earlier command wrote is no first token
"$PATCHBAY" chat -m 'loopback/lorem?fault=stall@3' x </dev/null \
    >"$work/out" 2>"$work/err" &
pid=$!
what='chat, stalled, SIGTERM'
await 20 test -s "$work/out" || fail 'no first token'
kill "$pid"
wait "$pid"
[ $? = 143 ] || fail 'not status 143'
no_err
if [ -n "$(find "$work/run" -mindepth 2 -name '*.so')" ]; then
    fail 'private copies of modules are left after SIGTERM'
fi

# --- configuration
run 0 config check
run 0 config init
grep -q '^#' "$work/out" || fail 'the template has no comments'
run 0 config init --output "$work/p.conf"
out_is "$work/p.conf"
run 0 --config "$work/p.conf" config check
run 0 config check --config "$work/p.conf" --json
json
out '"ok": true'
run 1 config init --output "$work/p.conf"
err 'it is kept'
cat >"$work/bad.conf" <<'END'
server: { listne = "127.0.0.1:0"; };
providers: { loopback: { lenght = 3; }; };
END
run 1 config check --config "$work/bad.conf"
out "$work/bad.conf:1: "
out listen
out "$work/bad.conf:2: "
out length
run 1 config check --json --config "$work/bad.conf"
json
run 3 config show --config "$work/bad.conf"
err "$work/bad.conf:1: "
run 3 chat --config "$work/bad.conf" hello
err "$work/bad.conf:1: "
run 3 plugins --config "$work/bad.conf"
out loopback.so
run 3 serve --config "$work/bad.conf"
err "$work/bad.conf:1: "
run 3 chat --config "$work/none.conf" hello
run 0 --config "$work/p.conf" chat hello
out_is hello
run 2 config
run 2 config shwo
err 'did you mean "show"?'

# --- keys: shown once, and what is printed is what the host takes
run 0 key new -n ci -r chat,models
key=$(head -n 1 "$work/out")
case $key in pbk_?????????????????????*) ;; *) fail "no key: $key" ;; esac
sed 1d "$work/out" >"$work/keys.conf"
if grep -q "$key" "$work/keys.conf"; then fail 'the stanza has the key'; fi
run 0 config check --config "$work/keys.conf"
run 0 key --json new
json
run 2 key new -r chta
err 'did you mean "chat"?'
run 2 key new -n 'a"b'
run 2 key old

# --- with a running host
cat >"$work/host.conf" <<END
server: { listen = "unix:$work/run/http.sock"; loops = 1; };
providers: { loopback: { }; };
END
"$PATCHBAY" serve --config "$work/host.conf" >"$work/serve.log" 2>&1 &
host=$!
background=$host
await 30 "$PATCHBAY" status || {
    cat "$work/serve.log"
    echo 'FAIL: the host does not come up'
    exit 1
}
questions
run 0 --host chat "is it you"
out_is 'is it you'
run 0 status
out "process $host, "
out "unix:$work/run/http.sock"
out 'configuration  '
run 0 status --json --host
json
out '"pid": '"$host"
run 0 log
out_is info
run 0 log debug
out_is debug
run 0 chat "at debug"
run 0 log --json info
json
# With a file named, only a host that has the same file counts.
run 0 --config "$work/host.conf" --host chat hello
run 4 --config "$work/p.conf" --host chat hello
err 'another configuration'
run 0 --config "$work/p.conf" chat hello
run 0 reload
cp "$work/bad.conf" "$work/host.conf"
run 3 reload
err "$work/host.conf:1: "
run 0 chat "still there"
out_is 'still there'
run 0 record loopback "$work/transcripts"
out_is "$work/transcripts"
run 0 record --stop loopback
run 7 record nosuch "$work/transcripts"

# --- interrupted: the host goes on
: >"$work/out" # what an earlier command wrote is no first token
"$PATCHBAY" chat -m 'loopback/lorem?fault=stall@3' x </dev/null \
    >"$work/out" 2>"$work/err" &
pid=$!
what='chat, stalled, SIGTERM, running host'
await 20 test -s "$work/out" || fail 'no first token'
kill "$pid"
wait "$pid"
[ $? = 143 ] || fail 'not status 143'
no_active()
{
    "$PATCHBAY" status --json | grep -q '"calls": 0'
}
await 20 no_active || fail 'the call goes on after its client has left'

run 0 stop
wait "$host"
[ $? = 0 ] || fail 'serve does not end with status 0'
background=''
run 4 status
err 'no host is running'

# --- serve's own options
"$PATCHBAY" serve --listen "unix:$work/run/two.sock" --log-level debug \
    >"$work/serve.log" 2>&1 &
host=$!
background=$host
await 30 "$PATCHBAY" status || fail 'serve --listen does not come up'
run 0 status
out "unix:$work/run/two.sock"
run 0 log
out_is debug
run 1 serve --listen "unix:$work/run/three.sock"
err 'another host is running'
kill "$host"
wait "$host"
[ $? = 0 ] || fail 'SIGTERM: serve does not end with status 0'
background=''
run 2 serve --log-level loud
run 2 serve extra
run 3 serve --listen nowhere

finish
