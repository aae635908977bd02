# The manager: snapshots, names to targets, attempts.
host_sources += \
	host/manager/attempt.c host/manager/attempt.h \
	host/manager/attempt_codec.c host/manager/attempt_int.h \
	host/manager/attempt_native.c \
	host/manager/call.c host/manager/call.h \
	host/manager/codec_driver.c host/manager/codec_driver.h \
	host/manager/codec_events.c host/manager/codec_events.h \
	host/manager/exchange.c host/manager/exchange.h \
	host/manager/listing.c host/manager/listing.h \
	host/manager/models.c host/manager/models.h \
	host/manager/recorder.c host/manager/recorder.h \
	host/manager/router.c host/manager/router.h \
	host/manager/snapshot.c host/manager/snapshot.h \
	host/manager/stats.c \
	host/manager/transcript.c host/manager/transcript.h
