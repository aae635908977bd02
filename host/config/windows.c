/* SPDX-License-Identifier: MIT */
/* A provider's `context_windows`: how much its models hold. */
#include "config/parts.h"

#define MOST UINT64_C(1000000000) /* tokens */

/* "qwen3* 8192" */
static bool read_line(const struct section *s, pbay_str line,
                      struct cfg_window *out)
{
    pbay_str rest = str_trim(line);

    *out = (struct cfg_window){.model = str_cut(&rest, ' ')};
    if (out->model.n && str_u64(str_trim(rest), &out->tokens) == 0 &&
        out->tokens && out->tokens <= MOST)
        return true;
    section_issue(
        s, true, "context_windows",
        "a model, in which \"*\" is wild, and a number of tokens from "
        "1 to %llu are wanted, \"qwen3* 8192\" say, not \"%.*s\"",
        (unsigned long long)MOST, STR_ARG(str_head(line, 80)));
    return false;
}

void provider_windows(const struct section *s, struct cfg_provider *p)
{
    struct cfg_window *all = NULL, *more, one;

    for (char **line = section_list(s, "context_windows"); *line; line++) {
        if (!read_line(s, str_c(*line), &one))
            continue;
        more = load_grow(s->l, all, p->n_windows, sizeof *all);
        if (!more)
            return;
        more[p->n_windows++] = one;
        p->windows = all = more;
    }
}
