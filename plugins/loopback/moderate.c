/* SPDX-License-Identifier: MIT */
/* Moderation: what holds the word "flagme" is flagged as harassment. */
#include "lb.h"

#include <string.h>

static const char *const categories[] = {"harassment",
                                         "harassment/threatening",
                                         "hate",
                                         "hate/threatening",
                                         "illicit",
                                         "illicit/violent",
                                         "self-harm",
                                         "self-harm/instructions",
                                         "self-harm/intent",
                                         "sexual",
                                         "sexual/minors",
                                         "violence",
                                         "violence/graphic"};
#define N_CATEGORIES (sizeof categories / sizeof *categories)

static bool flagged(pbay_str text)
{
    return text.n && memmem(text.p, text.n, "flagme", 6) != NULL;
}

static pbay_rc verdict(struct lb_run *r, uint32_t index, bool flag)
{
    pbay_out o = lb_out(r);
    pbay_out_cstr(&o, flag ? "{\"flagged\":true,\"categories\":{"
                           : "{\"flagged\":false,\"categories\":{");
    for (int part = 0; part < 3; part++) {
        if (part)
            pbay_out_cstr(&o, part == 1
                                  ? "},\"category_scores\":{"
                                  : "},\"category_applied_input_types\":{");
        for (size_t i = 0; i < N_CATEGORIES; i++) {
            bool hit = flag && i == 0;
            if (i)
                pbay_out_cstr(&o, ",");
            pbay_out_string(&o,
                            (pbay_str){categories[i], strlen(categories[i])});
            pbay_out_cstr(&o, part == 0   ? (hit ? ":true" : ":false")
                              : part == 1 ? (hit ? ":0.99" : ":0.01")
                                          : ":[\"text\"]");
        }
    }
    pbay_out_cstr(&o, "}}");
    return lb_item(r, "moderation", index, &o);
}

/* A string, or a part with text in it. */
static pbay_rc judge(struct lb_run *r, pbay_str input, bool *flag)
{
    pbay_str text =
        pbay_json_type(input) == 'o' ? pbay_json_get(input, "text") : input;
    if (pbay_json_type(text) != 's')
        return PBAY_OK; /* an image has no words */
    text = lb_text(r, text);
    if (!text.p)
        return PBAY_NOMEM;
    r->input += lb_token_count(text);
    *flag = *flag || flagged(text);
    return PBAY_OK;
}

pbay_rc lb_moderate(struct lb_run *r)
{
    pbay_str input = lb_field(r, "input"), one;
    char type = pbay_json_type(input);
    bool flag = false;
    size_t pos = 0;
    if (type != 's' && type != 'a')
        return lb_invalid(r, "input", "input must be a string or a list");
    pbay_rc rc = lb_first(r);
    if (rc == PBAY_OK && type == 's') {
        rc = judge(r, input, &flag);
        return rc == PBAY_OK ? verdict(r, 0, flag) : rc;
    }
    /* Strings are judged one by one, parts together. */
    uint32_t n = 0;
    bool parts = false;
    while (rc == PBAY_OK && pbay_json_next(input, &pos, NULL, &one)) {
        parts = pbay_json_type(one) == 'o';
        if (!parts)
            flag = false;
        rc = judge(r, one, &flag);
        if (rc == PBAY_OK && !parts)
            rc = verdict(r, n++, flag);
    }
    if (rc == PBAY_OK && parts)
        rc = verdict(r, n++, flag);
    if (rc == PBAY_OK && !n)
        return lb_invalid(r, "input", "input is an empty list");
    return rc == PBAY_OK ? lb_last(r) : rc;
}
