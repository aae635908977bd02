# SPDX-License-Identifier: MIT
# The provider interface: headers, helper library, what third parties build with.

patchbayinclude_HEADERS += \
	sdk/include/patchbay/backend.h \
	sdk/include/patchbay/codec.h \
	sdk/include/patchbay/event.h \
	sdk/include/patchbay/host.h \
	sdk/include/patchbay/json.h \
	sdk/include/patchbay/native.h \
	sdk/include/patchbay/plugin.h \
	sdk/include/patchbay/provider.h \
	sdk/include/patchbay/request.h \
	sdk/include/patchbay/types.h \
	sdk/include/patchbay/wire.h

sdk_sources = \
	sdk/lib/json.c \
	sdk/lib/json_read.c \
	sdk/lib/json_write.c \
	sdk/lib/wire.c \
	sdk/lib/wire_body.c \
	sdk/lib/wire_edit.c \
	sdk/lib/wire_ends.c \
	sdk/lib/wire_error.c \
	sdk/lib/wire_in.h \
	sdk/lib/scan.h

# Installed, position independent so that a provider can take it in.
lib_LIBRARIES += sdk/libpatchbay-sdk.a
sdk_libpatchbay_sdk_a_SOURCES = $(sdk_sources)
sdk_libpatchbay_sdk_a_CPPFLAGS = $(plugin_cppflags)
sdk_libpatchbay_sdk_a_CFLAGS = $(base_cflags) -fPIC -fvisibility=hidden

# The same for our own providers, as libtool wants it.
noinst_LTLIBRARIES += sdk/libsdk-plugin.la
sdk_libsdk_plugin_la_SOURCES = $(sdk_sources)
sdk_libsdk_plugin_la_CPPFLAGS = $(plugin_cppflags)
sdk_libsdk_plugin_la_CFLAGS = $(plugin_cflags)
sdk_libsdk_plugin_la_LDFLAGS =

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = sdk/patchbay.pc
aclocaldir = $(datadir)/aclocal
dist_aclocal_DATA = sdk/patchbay.m4

# How to write a provider, for those who have only what is installed; laid out
# as here, so that the texts' references to each other hold.
sdkdocdir = $(docdir)/sdk
dist_sdkdoc_DATA = sdk/README.md
sdkexampledir = $(sdkdocdir)/example
dist_sdkexample_DATA = sdk/example/echo.c
sdktranscriptsdir = $(sdkexampledir)/transcripts
dist_sdktranscripts_DATA = sdk/example/transcripts/answer.jsonl \
	sdk/example/transcripts/error.jsonl \
	sdk/example/transcripts/truncated.jsonl
