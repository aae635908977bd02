#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh PATCHBAY: starts the host on a free loopback port with the loopback
# provider (no key, no network), asks it a question in streaming mode,
# shows the answer, the route taken and the usage, then how one provider
# stands in for another, and two of them side by side. Leaves nothing behind.
set -eu
patchbay=${1:?usage: demo.sh PATCHBAY}
work=$(mktemp -d)
host=

finish()
{
    status=$?
    if [ -n "$host" ]; then
        kill "$host" 2>/dev/null || true
        wait "$host" 2>/dev/null || true
    fi
    [ $status = 0 ] || cat "$work/log" >&2
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Whatever keys and hosts are set here have no part in it.
for name in OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY \
    OPENROUTER_API_KEY OLLAMA_HOST OLLAMA_URL OLLAMA_BASE_URL LLAMACPP_URL \
    CUSTOM_PROVIDER_NAME CUSTOM_PROVIDER_API_KEY CUSTOM_PROVIDER_BASE_URL \
    PATCHBAY_CONFIG PATCHBAY_PLUGIN_PATH NOTIFY_SOCKET; do
    unset "$name"
done
PATCHBAY_CONTROL=$work/control.sock
XDG_CONFIG_HOME=$work
XDG_RUNTIME_DIR=$work
export PATCHBAY_CONTROL XDG_CONFIG_HOME XDG_RUNTIME_DIR

show()
{
    # shellcheck disable=SC2016 # a prompt, not an expansion
    printf '\n$ patchbay %s\n' "$*"
    "$patchbay" "$@" 2>&1
}

: >"$work/log"
printf '$ patchbay serve --listen 127.0.0.1:0 &\n'
"$patchbay" serve --listen 127.0.0.1:0 2>"$work/log" &
host=$!
tries=0
until "$patchbay" status >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ] || ! kill -0 "$host" 2>/dev/null; then
        echo 'demo: the host does not start' >&2
        exit 1
    fi
    sleep 0.05
done
cat "$work/log"
show plugins
# Thirty tokens a second, so that one can see it stream.
show chat --host --usage -m 'loopback/lorem?rate=30&length=60' \
    'What does a patch bay do?'

# A route whose first target fails: the second one answers, in the same request.
mkdir "$work/patchbay"
cat >"$work/patchbay/patchbay.conf" <<'END'
providers: {
    loopback: { };
    spare: { type = "loopback"; };
};
routes = (
    { name = "tidy";
      targets = [ "loopback/lorem?fault=overloaded",
                  "spare/lorem?rate=30&length=40" ]; }
);
END
# shellcheck disable=SC2016 # shown as it is typed
printf '\n$ cat patchbay.conf\n'
cat "$work/patchbay/patchbay.conf"
show reload
show route explain tidy
show chat --host --usage -m tidy 'And when a provider is overloaded?'
show provider reset loopback

# The same question to both, one of which is slower.
show compare --host -m 'loopback/lorem?rate=40&length=20' \
    -m 'spare/lorem?rate=20&length=20' 'And which one is faster?'
