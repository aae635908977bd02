# SPDX-License-Identifier: MIT
# host/dialect: sources of the host library.

host_sources +=
