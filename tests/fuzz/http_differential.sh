#!/bin/sh
# SPDX-License-Identifier: MIT
# Our HTTP parser against others, as far as they can be had: see
# http_compare.py.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cli=${top_builddir:-.}/tests/fuzz/http_parse_cli

command -v python3 >/dev/null 2>&1 || {
    echo 'SKIP: needs python3 (Debian, Fedora: python3)'
    exit 77
}

# Node's parser is not a public interface, so it is tried.
node=-
if command -v node >/dev/null 2>&1 &&
    printf '' | node "$here/http_parse_node.js" >/dev/null 2>&1; then
    node=$(command -v node)
fi

has_h11()
{
    "$1" -c 'import h11' >/dev/null 2>&1
}

# h11 comes with OpenAI's SDK for Python, which other tests need anyway.
python=-
if has_h11 python3; then
    python=python3
elif sdk=$("$here/../env/python.sh" 2>/dev/null) && has_h11 "$sdk"; then
    python=$sdk
fi

if [ "$node$python" = -- ]; then
    echo 'SKIP: needs another parser: node (Debian, Fedora: nodejs), or the' \
        'Python package h11 (Debian, Fedora: python3-h11)'
    exit 77
fi
exec python3 "$here/http_compare.py" "$cli" "$node" "$python"
