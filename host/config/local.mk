# SPDX-License-Identifier: MIT
# host/config: sources of the host library.

host_sources += \
	host/config/able.c \
	host/config/backends.c \
	host/config/client_key.c \
	host/config/config.h \
	host/config/env.c \
	host/config/expand.c \
	host/config/file.c \
	host/config/issues.c \
	host/config/keys.c \
	host/config/limits.c \
	host/config/listen.c \
	host/config/load.c \
	host/config/own.c \
	host/config/parts.h \
	host/config/paths.c \
	host/config/prices.c \
	host/config/provider.c \
	host/config/reach.c \
	host/config/provider_names.c \
	host/config/route.c \
	host/config/scan.c \
	host/config/secret.c \
	host/config/section.c \
	host/config/server.c \
	host/config/show.c \
	host/config/split.c \
	host/config/structured.c \
	host/config/template.c \
	host/config/units.c \
	host/config/url.c \
	host/config/value.c \
	host/config/when.c \
	host/config/windows.c

# The price list, built in: a string for each line.
host/config/price_list.inc: $(top_srcdir)/etc/prices
	$(AM_V_GEN)$(MKDIR_P) host/config && \
	$(SED) -e '/^#/d' -e '/^$$/d' -e 's|[\\"]|\\&|g' -e 's|.*|"&",|' \
	    $(top_srcdir)/etc/prices >$@.new && mv $@.new $@
BUILT_SOURCES += host/config/price_list.inc
CLEANFILES += host/config/price_list.inc
host/config/prices.$(OBJEXT): host/config/price_list.inc
