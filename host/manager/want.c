/* SPDX-License-Identifier: MIT */
/* What a request is like; see want.h. */
#include "manager/want.h"

#include "base/str.h"
#include "base/tokens.h"
#include <patchbay/json.h>
#include <patchbay/request.h>

uint64_t want_input(struct want *w)
{
    if (!w->has_input)
        /* Else four bytes a token, as English text has them. */
        w->input = w->canonical && w->op == PBAY_OP_CHAT
                       ? tokens_of_chat(w->members, w->n_members)
                       : w->body.n / 4 + 1;
    w->has_input = true;
    return w->input;
}

static uint64_t number(pbay_str v)
{
    int64_t n;

    return pbay_json_type(v) == 'n' && pbay_json_i64(v, &n) == 0 && n > 0
               ? (uint64_t)n
               : 0;
}

uint64_t want_most(const pbay_kv *members, size_t n)
{
    static const char *const names[] = {"max_tokens", "max_completion_tokens",
                                        "max_output_tokens"};
    uint64_t most = 0;

    for (size_t i = 0; i < n && !most; i++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
            if (str_is(members[i].k, names[k]))
                most = number(members[i].v);
        if (str_is(members[i].k, "options")) /* Ollama's */
            most = number(pbay_json_get(members[i].v, "num_predict"));
    }
    return most;
}

uint64_t want_output(const struct want *w)
{
    uint64_t most = want_most(w->members, w->n_members);

    if (w->op != PBAY_OP_CHAT)
        return 0;
    return most && most < WANT_OUTPUT ? most : WANT_OUTPUT;
}
