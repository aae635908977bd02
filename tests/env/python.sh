#!/bin/sh
# SPDX-License-Identifier: MIT
# The SDKs of OpenAI and Anthropic for Python, and a JSON Schema checker, in an
# environment of their own. Prints the path of the environment's python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

openai=3.52.0
anthropic=2.11.0
jsonschema=4.26.0

lock python
dir=$cache/python-openai-$openai-$jsonschema-anthropic-$anthropic
if ! "$dir/bin/python" -c 'import openai, anthropic, jsonschema' >/dev/null 2>&1; then
    need python3 python3
    rm -rf "$dir"
    run python3 -m venv "$dir" ||
        skip 'python3 cannot make an environment (Debian package: python3-venv)'
    say "fetching openai $openai and anthropic $anthropic with pip ..."
    run "$dir/bin/python" -m pip install --quiet --retries 1 \
        --timeout 60 --only-binary :all: \
        "openai==$openai" "anthropic==$anthropic" \
        "jsonschema==$jsonschema" ||
        skip "pip cannot install openai $openai and anthropic $anthropic"
    run "$dir/bin/python" -c 'import openai, anthropic, jsonschema' ||
        skip "what pip installed cannot be imported"
fi
printf '%s\n' "$dir/bin/python"
