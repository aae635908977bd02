# The host put together, and its control socket.
host_sources += \
	host/admin/checks.c host/admin/checks.h \
	host/admin/control.c host/admin/control.h host/admin/control_int.h \
	host/admin/control_backend.c \
	host/admin/control_http.c \
	host/admin/control_route.c \
	host/admin/control_call.c host/admin/control_ops.c \
	host/admin/control_moderate.c host/admin/control_text.c \
	host/admin/control_verbs.c \
	host/admin/host.c host/admin/host.h host/admin/host_int.h \
	host/admin/host_load.c
