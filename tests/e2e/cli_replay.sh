#!/bin/sh
# SPDX-License-Identifier: MIT
# Record and replay, all the way round: recorded replies are served as an
# upstream, a host asks that upstream and records it, and what it has recorded
# gives the same events through the codec again.
# shellcheck disable=SC2012,SC2181,SC2317

# shellcheck source=tests/e2e/cli_lib.sh
. "$(dirname "$0")/cli_lib.sh"
: "${PATCHBAY_PROVIDERS:?the directory with the providers}"
: "${top_srcdir:=$(dirname "$0")/../..}"
PATCHBAY_PLUGIN_PATH=$PATCHBAY_PROVIDERS
export PATCHBAY_PLUGIN_PATH
transcripts=$top_srcdir/plugins/openai/transcripts
case $work in *[!A-Za-z0-9./_-]*) echo "SKIP: odd TMPDIR"; exit 77 ;; esac

# --- through the codec: as recorded, and in pieces of any size
for size in '' '--chunk 1' '--chunk 7' '-n 1009'; do
    # shellcheck disable=SC2086 # words
    run 0 replay $size "$transcripts"/*.jsonl
    no_err
    [ "$(grep -c ': ok, [0-9]* events as expected$' "$work/out")" -eq \
        "$(ls "$transcripts"/*.jsonl | wc -l)" ] ||
        fail "$what: not every transcript was run"
done

# --- a transcript with two answers of our own
mkdir "$work/t"
cat >"$work/t/stream.jsonl" <<'END'
{"patchbay_transcript":1,"provider":"openai","op":"chat","flags":["stream"],"dialect":"canonical/1","model":"m","request":{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}}
{"exchange":{"method":"POST","path":"/chat/completions","headers":[["Accept","text/event-stream"],["Content-Type","application/json"]],"body":"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}"}}
{"head":{"status":200,"headers":[["content-type","text/event-stream"],["content-length","5"],["x-request-id","r-1"]]}}
{"data":"data: {\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Guten \"}}]}\n\nda"}
{"data":"ta: {\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Tag\"},\"finish_reason\":\"stop\"}]}\n\n"}
{"data":"data: [DONE]\n\n"}
{"end":"ok"}
END
run 0 replay "$work/t/stream.jsonl"
out '{"ev":"text","text":"Guten Tag"}'
out '{"end":"ok"}'
cp "$work/out" "$work/events"
sed 's/include_usage\\":true/include_usage\\":1/' "$work/t/stream.jsonl" \
    >"$work/other.jsonl"
run 1 replay "$work/other.jsonl"
out '{"violation":"the exchange differs"}'
run 0 replay -n 1 "$work/t/stream.jsonl"
cmp -s "$work/out" "$work/events" || fail "$what: other events"
sed 's|"path":"/chat|"path":"http://x/v1/chat|
    s/,\\"finish_reason\\":\\"stop\\"//; /DONE/d; $d' "$work/t/stream.jsonl" \
    >"$work/t/cut.jsonl"
echo '{"end":"cut"}' >>"$work/t/cut.jsonl"
run 0 replay "$work/t/cut.jsonl"
out '{"end":"truncated"}'
echo '{"expect":[{"ev":"text","text":"Good day"}]}' |
    cat "$work/t/stream.jsonl" - >"$work/expect.jsonl"
run 1 replay "$work/expect.jsonl"
err 'is expected'
sed 's/"provider":"openai"/"provider":"mine"/' "$work/t/stream.jsonl" \
    >"$work/mine.jsonl"
run 7 replay "$work/mine.jsonl"
err '"mine"'
run 0 replay --type openai "$work/mine.jsonl"
echo 'providers: { mine: { type = "openai"; api_key = "test-key-of-mine"; }; };' \
    >"$work/mine.conf"
run 0 replay --config "$work/mine.conf" "$work/mine.jsonl"
sed 's/"provider":"openai"/"provider":"loopback"/' "$work/t/stream.jsonl" \
    >"$work/native.jsonl"
run 7 replay "$work/native.jsonl"
err 'no codec'
echo '{"nonsense":1}' >"$work/bad.jsonl"
run 7 replay "$work/bad.jsonl"
err "$work/bad.jsonl: "
run 1 replay "$work/none.jsonl"
err 'No such file'
run 2 replay --serve 127.0.0.1:0 --type x "$work/t/stream.jsonl"

# --- served as an upstream
"$PATCHBAY" replay --serve 127.0.0.1:0 -n 5 "$work/t/stream.jsonl" \
    >"$work/url" 2>"$work/served" &
upstream=$!
background=$upstream
await 20 grep -q '^http://127.0.0.1:' "$work/url" || {
    cat "$work/served"
    echo 'FAIL: replay --serve does not come up'
    exit 1
}
url=$(cat "$work/url")
cat >"$work/host.conf" <<END
server: { listen = "unix:$work/run/http.sock"; loops = 1; };
providers: {
    mine: { type = "openai"; base_url = "$url/v1";
            api_key = "test-key-that-stays-here"; };
};
END
chmod 600 "$work/host.conf"
run 0 --config "$work/host.conf" chat -m mine/m Hi
out_is 'Guten Tag'
no_err
grep -q '^POST /v1/chat/completions: .*/stream.jsonl (exchange 1, status 200)$' \
    "$work/served" || fail 'the upstream does not tell what it served'

# --- recorded by a running host
"$PATCHBAY" serve --config "$work/host.conf" >"$work/serve.log" 2>&1 &
host=$!
background="$background $host"
await 30 "$PATCHBAY" status || {
    cat "$work/serve.log"
    echo 'FAIL: the host does not come up'
    exit 1
}
run 0 chat -m mine/m 'not recorded'
run 0 record mine "$work/kept"
run 0 chat -m mine/m Hi
out_is 'Guten Tag'
run 0 record --stop mine
run 0 chat -m mine/m 'not recorded either'
kept() { [ "$(find "$work/kept" -name '*.jsonl' | wc -l)" -eq "$1" ]; }
await 10 kept 1 || fail 'not exactly one exchange is kept'
file=$(find "$work/kept" -name '*.jsonl')
if grep -q test-key-that-stays-here "$file"; then
    fail 'the transcript has the key'
fi
if grep -q 'not recorded' "$file"; then
    fail 'more than what was asked for is recorded'
fi
run 0 replay --config "$work/host.conf" "$file"
out '"text":"Guten Tag"'
run 0 stop
wait "$host"

# --- an upstream that breaks off is one that breaks off
kill "$upstream"
wait "$upstream"
[ $? = 0 ] || fail 'replay --serve does not end with status 0'
background=''
"$PATCHBAY" replay --serve "${url#http://}" "$work/t/cut.jsonl" \
    >"$work/url" 2>"$work/served" &
upstream=$!
background=$upstream
await 20 grep -q '^http://127.0.0.1:' "$work/url" ||
    fail 'replay --serve does not come up again'
run 5 --config "$work/host.conf" chat -m mine/m Hi
out_is 'Guten Tag'
err 'the answer was cut'
run 7 --config "$work/host.conf" embed -m mine/m x
kill "$upstream"
wait "$upstream"
background=''

finish
