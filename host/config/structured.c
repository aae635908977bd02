/* SPDX-License-Identifier: MIT */
/* The sections `structured_output` and `text`. */
#include <string.h>

#include "config/parts.h"

/* Which of the words, of which the first is the default. */
static int word(const struct section *s, const char *name,
                const char *const *words)
{
    const char *v = section_string(s, name);

    for (int i = 0; v && words[i]; i++)
        if (strcmp(v, words[i]) == 0)
            return i;
    return 0;
}

void read_structured(struct load *l, const struct doc *d,
                     const config_setting_t *root)
{
    static const char *const checks[] = {"repair", "error", "warn", "off",
                                         NULL};
    static const char *const streams[] = {"error", "hold", "warn", NULL};
    static const char *const unsupported[] = {"refuse", "pass", NULL};
    struct section s =
        section_main(l, d, root, "structured_output", l->structured);
    struct cfg_structured *c = &l->c->structured;
    int check, stream;

    check = word(&s, "check", checks);
    c->check = check == 0   ? SCHEMA_CHECK_REPAIR
               : check == 1 ? SCHEMA_CHECK_ERROR
               : check == 2 ? SCHEMA_CHECK_WARN
                            : SCHEMA_CHECK_OFF;
    stream = word(&s, "streams", streams);
    c->streams = stream == 0   ? SCHEMA_STREAMS_ERROR
                 : stream == 1 ? SCHEMA_STREAMS_HOLD
                               : SCHEMA_STREAMS_WARN;
    c->pass_unsupported = word(&s, "unsupported", unsupported) == 1;
}

void read_texts(struct load *l, const struct doc *d,
                const config_setting_t *root)
{
    struct section s = section_main(l, d, root, "text", l->text);
    struct cfg_text *c = &l->c->text;

    c->window = section_int(&s, "window");
    c->max_chunks = section_int(&s, "max_chunks");
    c->parallel = section_int(&s, "parallel");
}
