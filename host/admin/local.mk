# SPDX-License-Identifier: MIT
# host/admin: sources of the host library.

host_sources +=
