# SPDX-License-Identifier: MIT
# host/manager: sources of the host library.

host_sources +=
