/* SPDX-License-Identifier: MIT */
/* OpenAI's language: blocks of earlier answers that come back.  A canonical
 * assistant message carries them in `patchbay_blocks`, a name that no provider
 * knows: where reasoning_details are understood, those blocks that are some
 * become that again; what another provider made is left out, with a warning. */
#include <string.h>

#include "oai.h"

/* A detail of a reasoning, as it came: {"type":"reasoning.*",..}. */
static int is_detail(pbay_str block)
{
    static const char kind[] = "\"reasoning.";
    pbay_str type = pbay_json_get(block, "type");

    return type.n > sizeof kind - 1 &&
           memcmp(type.p, kind, sizeof kind - 1) == 0;
}

int oai_is_shown(pbay_str block)
{
    pbay_str signature = pbay_json_get(block, "signature");

    return pbay_json_is(pbay_json_get(block, "type"), "thinking") &&
           (pbay_json_type(signature) != 's' || signature.n == 2);
}

/* The blocks that can be sent, as one member; how many could not. */
static unsigned put_details(pbay_out *w, pbay_str blocks, int *any)
{
    pbay_str block;
    size_t pos = 0;
    unsigned left_out = 0;
    int inside = 0;

    while (pbay_json_next(blocks, &pos, NULL, &block)) {
        if (!is_detail(block)) {
            left_out += !oai_is_shown(block);
            continue;
        }
        if (inside)
            pbay_out_cstr(w, ",");
        else
            pbay_out_cstr(w, *any ? ",\"reasoning_details\":["
                                  : "\"reasoning_details\":[");
        pbay_out_raw(w, block);
        inside = *any = 1;
    }
    if (inside)
        pbay_out_cstr(w, "]");
    return left_out;
}

unsigned oai_put_blocks(const struct openai *o, pbay_out *w, pbay_str blocks,
                        int has_details, int *any)
{
    pbay_str block;
    size_t pos = 0;
    unsigned left_out = 0;

    if (o->details)
        return has_details ? 0 : put_details(w, blocks, any);
    while (pbay_json_next(blocks, &pos, NULL, &block))
        left_out += !oai_is_shown(block);
    return left_out;
}
