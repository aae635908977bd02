# SPDX-License-Identifier: MIT
# tests/abi
