# Texts: JSON Schema and what it needs.
host_sources += \
	host/text/number.c host/text/number.h \
	host/text/regex.c host/text/regex.h host/text/regex_int.h \
	host/text/regex_match.c \
	host/text/schema.h host/text/schema_int.h \
	host/text/schema_check.c host/text/schema_compile.c \
	host/text/schema_ref.c \
	host/text/split.c host/text/split.h \
	host/text/task.c host/text/task.h \
	host/text/value.c host/text/value.h
