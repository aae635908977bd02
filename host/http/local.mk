# SPDX-License-Identifier: MIT
# host/http: sources of the host library.

host_sources += \
	host/http/chunked.c \
	host/http/conn.c \
	host/http/inner.c \
	host/http/inner.h \
	host/http/input.c \
	host/http/io.c \
	host/http/listen.c \
	host/http/parse.c host/http/parse.h host/http/parse_int.h \
	host/http/reply.c \
	host/http/server.c host/http/server.h host/http/server_int.h \
	host/http/tls.c

# the upstream side, and cutting replies
host_sources += \
	host/http/framing.c host/http/framing.h \
	host/http/transport.h \
	host/http/transport_fake.c \
	host/http/resolver.c host/http/resolver.h \
	host/http/curl_impl.h \
	host/http/curl_easy.c \
	host/http/curl_end.c \
	host/http/curl_names.c \
	host/http/curl_sock.c \
	host/http/curl_warm.c \
	host/http/transport_curl.c
