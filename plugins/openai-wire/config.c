/* SPDX-License-Identifier: MIT */
/* OpenAI's language: what the plugins that speak it read of their
 * configuration. */
#include <stdlib.h>
#include <string.h>

#include "oai.h"

int oai_take_string(pbay_str config, const char *name, const char *dflt,
                    pbay_str *to)
{
    pbay_str v = pbay_json_get(config, name);
    char *p;
    int64_t n;

    if (pbay_json_type(v) != 's') {
        n = (int64_t)strlen(dflt);
        p = malloc((size_t)n + 1);
        if (p)
            memcpy(p, dflt, (size_t)n);
    } else {
        p = malloc(v.n);
        n = p ? pbay_json_unescape(v, p, v.n) : -1;
    }
    if (!p || n < 0) {
        free(p);
        return 0;
    }
    *to = (pbay_str){p, (size_t)n};
    return 1;
}

int oai_take_word(pbay_str config, const char *name, const char *const *words)
{
    pbay_str v = pbay_json_get(config, name);

    for (int i = 0; words[i]; i++)
        if (pbay_json_is(v, words[i]))
            return i;
    return 0;
}

/* Header values may not break out of their line. */
int oai_bad_header(const pbay_host *host, const char *name, pbay_str value)
{
    char text[128] = "";
    pbay_out w = {.p = text, .room = sizeof text};

    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f) {
            pbay_out_cstr(&w, name);
            pbay_out_cstr(&w, " must not contain control characters");
            host->log(host, PBAY_LOG_ERROR, (pbay_str){w.p, w.n});
            return 1;
        }
    return 0;
}
