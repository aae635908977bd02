#!/bin/sh
# SPDX-License-Identifier: MIT
# Vercel's AI SDK and OpenRouter's provider for it. Prints the directory that
# holds them in node_modules; node.sh has the node to run them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

ai=7.0.173
openrouter=3.1.0
zod=4.6.7               # which both want beside them

lock vercel
dir=$cache/vercel-ai-$ai-openrouter-$openrouter-zod-$zod
if [ ! -e "$dir/complete" ]; then
    need npm npm
    rm -rf "$dir"
    mkdir -p "$dir"
    echo '{"private": true}' >"$dir/package.json"
    set -- "ai@$ai" "@openrouter/ai-sdk-provider@$openrouter" "zod@$zod"
    say "fetching $* with npm ..."
    (cd "$dir" && run npm install --no-audit --no-fund --no-save \
        --fetch-retries=1 --fetch-retry-mintimeout=2000 \
        --ignore-scripts --legacy-peer-deps "$@") ||
        skip "npm cannot install $*"
    [ -d "$dir/node_modules/ai" ] || skip "npm did not install ai $ai"
    : >"$dir/complete"
fi
printf '%s\n' "$dir"
