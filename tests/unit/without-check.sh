#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands in for the unit tests where the check library is missing: names each
# of them and counts as skipped.
for name in ${PATCHBAY_UNIT_TESTS:?}; do
    echo "SKIP: $name: needs the check library" \
        "(Debian: check, Fedora: check-devel)"
done
exit 77
