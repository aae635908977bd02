# SPDX-License-Identifier: MIT
# host/module: sources of the host library.

host_sources +=
