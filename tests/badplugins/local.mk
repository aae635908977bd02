# SPDX-License-Identifier: MIT
# tests/badplugins
