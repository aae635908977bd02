# SPDX-License-Identifier: MIT
# The provider loopback.

loopback_sources =
