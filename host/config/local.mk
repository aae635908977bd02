# SPDX-License-Identifier: MIT
# host/config: sources of the host library.

host_sources +=
