# Client APIs: one file per dialect and operation.
host_sources += \
	host/dialect/anthropic_in.c host/dialect/anthropic_in.h \
	host/dialect/anthropic_out.c host/dialect/anthropic_out.h \
	host/dialect/browser.c \
	host/dialect/dialect.h host/dialect/front.c \
	host/dialect/openai.h \
	host/dialect/openai_body.c host/dialect/openai_chat.c \
	host/dialect/openai_items.c host/dialect/openai_models.c \
	host/dialect/openai_render.c host/dialect/openai_reply.c
