#!/bin/sh
# SPDX-License-Identifier: MIT
# Generates configure.
set -eu
cd "$(dirname "$0")"
mkdir -p .build-aux/m4
autoreconf --install --force --warnings=no-obsolete
