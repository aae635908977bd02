# SPDX-License-Identifier: MIT
# tests/e2e
