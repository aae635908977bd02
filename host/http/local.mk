# SPDX-License-Identifier: MIT
# host/http: sources of the host library.

host_sources +=
