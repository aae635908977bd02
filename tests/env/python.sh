#!/bin/sh
# SPDX-License-Identifier: MIT
# OpenAI's SDK for Python, and a JSON Schema checker, in an environment of their
# own. Prints the path of the environment's python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

openai=3.52.0
jsonschema=4.26.0

lock python
dir=$cache/python-openai-$openai-$jsonschema
if ! "$dir/bin/python" -c 'import openai, jsonschema' >/dev/null 2>&1; then
    need python3 python3
    rm -rf "$dir"
    run python3 -m venv "$dir" ||
        skip 'python3 cannot make an environment (Debian package: python3-venv)'
    say "fetching openai $openai with pip ..."
    run "$dir/bin/python" -m pip install --quiet --retries 1 \
        --timeout 60 --only-binary :all: \
        "openai==$openai" "jsonschema==$jsonschema" || skip "pip cannot install openai $openai"
    run "$dir/bin/python" -c 'import openai, jsonschema' ||
        skip "the openai $openai installed cannot be imported"
fi
printf '%s\n' "$dir/bin/python"
