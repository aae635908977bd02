#!/bin/sh
# SPDX-License-Identifier: MIT
# The transcripts of openrouter.so, replayed in every way a network can cut them.
set -eu
: "${top_srcdir:?}" "${top_builddir:?}" "${PATCHBAY_PROVIDERS:?}"
set -- "$top_srcdir"/plugins/openrouter/transcripts/*.jsonl
[ $# -ge 80 ] || { echo "only $# transcripts are there"; exit 1; }
exec "$top_builddir/tests/codec/codec_replay" \
    "$PATCHBAY_PROVIDERS/openrouter.so" "$@"
