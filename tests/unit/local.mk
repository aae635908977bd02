# SPDX-License-Identifier: MIT
# tests/unit
