#!/bin/sh
# SPDX-License-Identifier: MIT
# The reference tokenizer: a directory with `node` and, in node_modules, the npm
# package gpt-tokenizer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

version=4.0.0
sdk=$("$here/node.sh") || exit $?

lock tokenizer
dir=$cache/gpt-tokenizer-$version
if [ ! -e "$dir/complete" ]; then
    need npm npm
    rm -rf "$dir"
    mkdir -p "$dir"
    echo '{"private": true}' >"$dir/package.json"
    say "fetching gpt-tokenizer@$version with npm ..."
    (cd "$dir" && run npm install --no-audit --no-fund --no-save \
        --fetch-retries=1 --fetch-retry-mintimeout=2000 \
        --ignore-scripts "gpt-tokenizer@$version") ||
        skip "npm cannot install gpt-tokenizer@$version"
    : >"$dir/complete"
fi
ln -sfn "$sdk/node" "$dir/node"
printf '%s\n' "$dir"
