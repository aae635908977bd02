# SPDX-License-Identifier: MIT
# tests/fuzz
