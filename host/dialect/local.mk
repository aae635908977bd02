# Client APIs: what they share, then one group of files a dialect.
host_sources += \
	host/dialect/browser.c \
	host/dialect/chat.c \
	host/dialect/batch.c \
	host/dialect/batch.h \
	host/dialect/results.c \
	host/dialect/results.h \
	host/dialect/compare.c \
	host/dialect/compare.h \
	host/dialect/completions.c host/dialect/completions.h \
	host/dialect/completions_in.c host/dialect/completions_in.h \
	host/dialect/completions_out.c \
	host/dialect/counting.c \
	host/dialect/follow.c host/dialect/follow.h \
	host/dialect/dialect.h host/dialect/front.c \
	host/dialect/dialog.c host/dialect/dialog.h \
	host/dialect/anthropic.c host/dialect/anthropic.h \
	host/dialect/anthropic_follow.c \
	host/dialect/anthropic_in.c host/dialect/anthropic_in.h \
	host/dialect/anthropic_out.c host/dialect/anthropic_out.h \
	host/dialect/opaque.c host/dialect/opaque.h \
	host/dialect/ops.c host/dialect/ops.h host/dialect/ops_int.h \
	host/dialect/ops_models.c \
	host/dialect/ops_providers.c \
	host/dialect/ops_pull.c \
	host/dialect/raw.c host/dialect/raw.h host/dialect/raw_headers.c \
	host/dialect/raw_path.c host/dialect/raw_path.h \
	host/dialect/responses.c host/dialect/responses.h \
	host/dialect/responses_in.c host/dialect/responses_in.h \
	host/dialect/responses_items.c host/dialect/responses_out.c \
	host/dialect/responses_passed.c \
	host/dialect/text.c host/dialect/text.h \
	host/dialect/spool.c host/dialect/spool.h \
	host/dialect/stand_in.c \
	host/dialect/inside.c \
	host/dialect/ollama.c host/dialect/ollama.h \
	host/dialect/ollama_calls.c host/dialect/ollama_calls.h \
	host/dialect/ollama_embed.c \
	host/dialect/ollama_in.c host/dialect/ollama_in.h \
	host/dialect/ollama_manage.c host/dialect/ollama_models.c \
	host/dialect/ollama_out.c host/dialect/ollama_out.h \
	host/dialect/openai.c host/dialect/openai.h \
	host/dialect/openai_follow.c \
	host/dialect/openai_body.c host/dialect/openai_items.c \
	host/dialect/openai_models.c host/dialect/openai_moderate.c host/dialect/openai_render.c

EXTRA_DIST += host/dialect/MIGRATING.md host/dialect/README.md
