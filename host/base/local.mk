# SPDX-License-Identifier: MIT
# host/base: sources of the host library.

host_sources +=
