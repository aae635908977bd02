/* SPDX-License-Identifier: MIT */
/* A provider's `capabilities`: what its models can do. */
#include "config/parts.h"

/* "gpt-4o* chat tools vision" */
static bool read_line(const struct section *s, pbay_str line,
                      struct cfg_able *out)
{
    pbay_str rest = str_trim(line);

    *out = (struct cfg_able){.model = str_cut(&rest, ' ')};
    while (rest.p) {
        pbay_str word = str_trim(str_cut(&rest, ' '));
        uint32_t bit = ability_named(word);

        if (word.n && !bit) {
            section_issue(s, true, "capabilities",
                          "\"%.*s\" is no capability; they are %s",
                          STR_ARG(str_head(word, 64)), ability_words);
            return false;
        }
        out->can |= bit;
    }
    if (out->model.n && out->can)
        return true;
    section_issue(s, true, "capabilities",
                  "a model, in which \"*\" is wild, and what it can do are "
                  "wanted: \"gpt-4o* chat tools vision\"");
    return false;
}

void provider_able(const struct section *s, struct cfg_provider *p)
{
    struct cfg_able *all = NULL, *more, one;

    for (char **line = section_list(s, "capabilities"); *line; line++) {
        if (!read_line(s, str_c(*line), &one))
            continue;
        more = load_grow(s->l, all, p->n_able, sizeof *all);
        if (!more)
            return;
        more[p->n_able++] = one;
        p->able = all = more;
    }
}
