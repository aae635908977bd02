#!/bin/sh
# SPDX-License-Identifier: MIT
# The whole program with a directory full of bad modules and a good one: it says
# of each what is wrong with it, and answers as if they were not there. (The one
# that hangs is left to tests/unit/test_loader.)

set -eu
built=${top_builddir:?run by make check}/tests/badplugins/built
dir=$(mktemp -d "${TMPDIR:-/tmp}/patchbay-bad.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir -m 755 "$dir/providers"
cp "$built"/*.so "${PATCHBAY_PROVIDERS:?}/loopback.so" "$dir/providers/"
rm "$dir/providers/ctor_hang.so"
cp "$dir/providers/loopback.so" "$dir/providers/writable.so"
chmod 755 "$dir/providers"/*
chmod 757 "$dir/providers/writable.so"
PATCHBAY_PLUGIN_PATH=$dir/providers
PATCHBAY_CONTROL=$dir/none.sock
export PATCHBAY_PLUGIN_PATH PATCHBAY_CONTROL

answer=$("${PATCHBAY:?}" chat -m loopback/json 'a word' 2>"$dir/log")
case $answer in
*'{"answer":"a word"}'*) ;;
*)
    echo "the good provider gave: $answer"
    cat "$dir/log"
    exit 1
    ;;
esac

"$PATCHBAY" plugins >"$dir/list" 2>"$dir/log"
grep -Eq '^loopback +[0-9].* loaded +' "$dir/list"

# said NAME TEXT: the line after the module's own says why
said()
{
    if ! grep -A1 "/$1.so\$" "$dir/list" | grep -Fq "$2"; then
        echo "of $1 it is not said: $2"
        cat "$dir/list"
        exit 1
    fi
}
said abi_two 'needs ABI 2.0, host offers 0.1'
said ctor_crash 'its constructor crashed: signal 11'
said ctor_exit 'its constructor ended the process with exit status 0'
said entry_crash 'its entry function crashed: signal 6'
said lying_size 'its table says it has 4096 bytes'
said missing_dep 'libpatchbay-nowhere.so.1'
said no_entry 'has no function pbay_provider_entry()'
said no_note 'has no Patchbay manifest'
said not_json 'the manifest is not JSON'
said note_differs 'differ from byte'
said null_table 'returned NULL'
said other_id 'rename it to "someone-else.so"'
said two_notes 'has 2 manifests'
said undefined 'undefined symbol: nobody_has_this'
said wild_table 'crashed: signal 11'
said writable 'is world-writable'
said wrong_magic 'begins with 0xdeadbeef'
# Its create() fails: that is the instance's matter, and in the log.
grep -q 'create_fails always does' "$dir/log"
