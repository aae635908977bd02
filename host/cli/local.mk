# SPDX-License-Identifier: MIT
# host/cli: sources of the host library.

host_sources +=
