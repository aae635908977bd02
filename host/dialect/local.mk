# Client APIs: what they share, then one group of files a dialect.
host_sources += \
	host/dialect/browser.c \
	host/dialect/chat.c \
	host/dialect/dialect.h host/dialect/front.c \
	host/dialect/dialog.c host/dialect/dialog.h \
	host/dialect/anthropic.c host/dialect/anthropic.h \
	host/dialect/anthropic_in.c host/dialect/anthropic_in.h \
	host/dialect/anthropic_out.c host/dialect/anthropic_out.h \
	host/dialect/openai.c host/dialect/openai.h \
	host/dialect/openai_body.c host/dialect/openai_items.c \
	host/dialect/openai_models.c host/dialect/openai_render.c
