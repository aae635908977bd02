/* SPDX-License-Identifier: MIT */
/* What the configuration says about one model's server: the keys of the
 * instance, and over them those of its model_config. */
#ifndef PBAY_LLAMACPP_SETTINGS_H
#define PBAY_LLAMACPP_SETTINGS_H

#include <patchbay/provider.h>

struct settings {
    const pbay_host *host;
    pbay_call *call;
    pbay_str config; /* of the instance */
    pbay_str model;  /* its model_config; "" or "{}": none */
    pbay_rc rc;      /* PBAY_OK until something was wrong, and told */
};

/* Says what is wrong and with which key; sets rc. */
void settings_fail(struct settings *s, const char *name, const char *what);

/* A whole number of min..max; dflt where it is not set. */
int64_t settings_number(struct settings *s, const char *name, int64_t min,
                        int64_t max, int64_t dflt);
/* One of the words, NULL at the end; "" where it is not set. */
const char *settings_word(struct settings *s, const char *name,
                          const char *const *words);
/* "90s", "5m", a number of seconds: milliseconds (the instance's own is a
 * number of milliseconds already). */
int64_t settings_ms(struct settings *s, const char *name, int64_t dflt);
/* "8G", a number of bytes. */
int64_t settings_bytes(struct settings *s, const char *name);
/* The next string of a list of the instance, and then of the model: start with
 * *pos = 0; {NULL,0} at the end. */
pbay_str settings_next(struct settings *s, const char *name, size_t *pos);
/* Names in the model's group that are none of ours: the host's log is told. */
void settings_unknown(struct settings *s, pbay_str model);

/* A number above zero without any complaint; 0: it is not set, or is none. */
int64_t settings_peek(pbay_str config, pbay_str model, const char *name);

/* "90s" of a string, or a number of `unit`: 0, or -1. */
int settings_span(const char *text, const char *const *names,
                  const int64_t *units, int64_t *out);

#endif
