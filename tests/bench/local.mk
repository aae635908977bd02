# SPDX-License-Identifier: MIT
# tests/bench
