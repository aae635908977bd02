# The manager: snapshots, names to targets, attempts.
host_sources += \
	host/manager/account.c host/manager/account.h \
	host/manager/allowance.c host/manager/allowance.h \
	host/manager/attempt.c host/manager/attempt.h \
	host/manager/attempt_admit.c \
	host/manager/attempt_backend.c \
	host/manager/attempt_codec.c host/manager/attempt_int.h \
	host/manager/attempt_native.c \
	host/manager/cache.c host/manager/cache.h \
	host/manager/cache_int.h host/manager/cache_key.c \
	host/manager/cache_read.c host/manager/cache_tape.c \
	host/manager/call.c host/manager/call.h \
	host/manager/call_attempt.c host/manager/call_count.c \
	host/manager/call_int.h \
	host/manager/call_manager.c host/manager/call_next.c \
	host/manager/call_plan.c host/manager/call_plan.h \
	host/manager/call_show.c \
	host/manager/chats.c host/manager/chats.h \
	host/manager/codec_driver.c host/manager/codec_driver.h \
	host/manager/codec_events.c host/manager/codec_events.h \
	host/manager/embed.c \
	host/manager/embed.h \
	host/manager/exchange.c host/manager/exchange.h \
	host/manager/compare.c \
	host/manager/compare.h \
	host/manager/count.c host/manager/count.h \
	host/manager/guard.c host/manager/guard.h \
	host/manager/guard_int.h host/manager/guard_repair.c \
	host/manager/health.c host/manager/health.h \
	host/manager/health_log.c host/manager/health_log.h \
	host/manager/health_tell.c host/manager/health_tell.h \
	host/manager/limits.c host/manager/limits.h \
	host/manager/limits_count.c host/manager/limits_int.h \
	host/manager/listing.c host/manager/listing.h \
	host/manager/model_find.c host/manager/model_find.h \
	host/manager/models.c host/manager/models.h \
	host/manager/moderate.c host/manager/moderate.h \
	host/manager/op.c host/manager/op.h \
	host/manager/pace.c host/manager/pace.h \
	host/manager/pricing.c host/manager/pricing.h \
	host/manager/recorder.c host/manager/recorder.h \
	host/manager/report.c \
	host/manager/request.c \
	host/manager/rescue.c host/manager/rescue.h \
	host/manager/rescue_ask.c host/manager/rescue_int.h \
	host/manager/results.c \
	host/manager/results.h \
	host/manager/retry.c host/manager/retry.h \
	host/manager/room.c host/manager/room.h \
	host/manager/route.c host/manager/route_default.c \
	host/manager/route_order.c \
	host/manager/stand_in.c host/manager/bare.c host/manager/bare.h \
	host/manager/router.c host/manager/router.h \
	host/manager/router_int.h \
	host/manager/snapshot.c host/manager/snapshot.h \
	host/manager/debug.c host/manager/debug.h \
	host/manager/explain.c host/manager/explain.h \
	host/manager/explain_room.c \
	host/manager/spread.h \
	host/manager/split.c host/manager/split.h \
	host/manager/stats.c \
	host/manager/text_job.c host/manager/text_job.h \
	host/manager/usage.c host/manager/usage.h \
	host/manager/suit.c host/manager/suit.h \
	host/manager/tape.c host/manager/tape.h \
	host/manager/tried.c host/manager/tried.h \
	host/manager/transcript.c host/manager/transcript.h \
	host/manager/want.c host/manager/want.h \
	host/manager/when.c host/manager/when.h

EXTRA_DIST += host/manager/README.md host/manager/TROUBLESHOOTING.md
