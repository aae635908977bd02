#!/bin/sh
# SPDX-License-Identifier: MIT
# A real but tiny model for llama.cpp. Prints the path of the GGUF file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

need python3 python3
lock tiny-model
# Named for its recipe: a changed one makes a new file.
sum=$(cksum <"$here/make_tiny_gguf.py")
model=$cache/tiny-${sum%% *}.gguf
if [ ! -s "$model" ]; then
    python3 "$here/make_tiny_gguf.py" "$model.new" >&2
    mv "$model.new" "$model"
fi
printf '%s\n' "$model"
