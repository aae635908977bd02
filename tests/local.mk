# SPDX-License-Identifier: MIT
# What all tests share: how they are run and what they are told.

