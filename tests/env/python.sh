#!/bin/sh
# SPDX-License-Identifier: MIT
# OpenAI's SDK for Python in an environment of its own. Prints the path of the
# environment's python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$here/common.sh"

openai=3.52.0

lock python
dir=$cache/python-openai-$openai
if ! "$dir/bin/python" -c 'import openai' >/dev/null 2>&1; then
    need python3 python3
    rm -rf "$dir"
    run python3 -m venv "$dir" ||
        skip 'python3 cannot make an environment (Debian package: python3-venv)'
    say "fetching openai $openai with pip ..."
    run "$dir/bin/python" -m pip install --quiet --retries 1 \
        --timeout 60 --only-binary :all: \
        "openai==$openai" || skip "pip cannot install openai $openai"
    run "$dir/bin/python" -c 'import openai' ||
        skip "the openai $openai installed cannot be imported"
fi
printf '%s\n' "$dir/bin/python"
