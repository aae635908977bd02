# SPDX-License-Identifier: MIT
# tests/codec
