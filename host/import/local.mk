# SPDX-License-Identifier: MIT
# host/import: sources of the host library.

host_sources += \
	host/import/import.c \
	host/import/import.h \
	host/import/provider.c \
	host/import/routes.c \
	host/import/setting.c \
	host/import/state.h \
	host/import/tree.c \
	host/import/tree.h \
	host/import/types.c \
	host/import/yaml.c
