# SPDX-License-Identifier: MIT
# host/http: sources of the host library.

host_sources += \
	host/http/chunked.c \
	host/http/parse.c host/http/parse.h host/http/parse_int.h

# the upstream side, and cutting replies
host_sources += \
	host/http/framing.c host/http/framing.h \
	host/http/transport.h \
	host/http/transport_fake.c
