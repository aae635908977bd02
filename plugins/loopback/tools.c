/* SPDX-License-Identifier: MIT */
/* Which tool a chat wants called: by tool_choice, by the model "tool", or
 * because the last message speaks of one. */
#include "lb.h"

#include <string.h>

#define TOOLS_MAX 1024

static bool find_tool(struct lb_run *r, pbay_str tools, pbay_str wanted,
                      struct lb_call *out)
{
    pbay_str tool;
    unsigned n = 0;
    for (size_t pos = 0;
         n++ < TOOLS_MAX && pbay_json_next(tools, &pos, NULL, &tool);) {
        pbay_str f = pbay_json_get(tool, "function");
        pbay_str name = lb_text(r, pbay_json_get(f, "name"));
        if (!name.n)
            continue;
        bool match = !wanted.p || (wanted.n == name.n &&
                                   memcmp(wanted.p, name.p, name.n) == 0);
        if (!match)
            continue;
        *out = (struct lb_call){name, pbay_json_get(f, "parameters")};
        return true;
    }
    return false;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Does the word stand alone in the text?  ASCII case is ignored. */
static bool mentions(pbay_str text, pbay_str word)
{
    for (size_t i = 0; word.n && word.n <= text.n && i <= text.n - word.n;
         i++) {
        size_t k = 0;
        while (k < word.n) {
            char a = text.p[i + k], b = word.p[k];
            a = a >= 'A' && a <= 'Z' ? (char)(a + 32) : a;
            b = b >= 'A' && b <= 'Z' ? (char)(b + 32) : b;
            if (a != b)
                break;
            k++;
        }
        if (k == word.n && (i == 0 || !is_word_byte(text.p[i - 1])) &&
            (i + k == text.n || !is_word_byte(text.p[i + k])))
            return true;
    }
    return false;
}

/* Nobody said which: the one the text names, or the first for "tool". */
static void by_text(struct lb_run *r, pbay_str tools, const struct lb_prompt *p,
                    struct lb_call *out)
{
    pbay_str tool;
    unsigned n = 0;
    if (p->tool_result)
        return;
    for (size_t pos = 0;
         n++ < TOOLS_MAX && pbay_json_next(tools, &pos, NULL, &tool);) {
        pbay_str f = pbay_json_get(tool, "function");
        pbay_str name = lb_text(r, pbay_json_get(f, "name"));
        if (mentions(p->user, name)) {
            *out = (struct lb_call){name, pbay_json_get(f, "parameters")};
            return;
        }
    }
    if (lb_is(r->model, "tool") || mentions(p->user, LB_STR("tool")) ||
        mentions(p->user, LB_STR("tools")))
        find_tool(r, tools, (pbay_str){NULL, 0}, out);
}

pbay_rc lb_tool_wanted(struct lb_run *r, const struct lb_prompt *p,
                       struct lb_call *out)
{
    pbay_str tools = lb_field(r, "tools"), choice = lb_field(r, "tool_choice");
    *out = (struct lb_call){{NULL, 0}, {NULL, 0}};
    if (pbay_json_type(choice) == 'o') {
        pbay_str f = pbay_json_get(choice, "function");
        pbay_str name = lb_text(r, pbay_json_get(f, "name"));
        if (name.p &&
            (pbay_json_type(tools) != 'a' || !find_tool(r, tools, name, out))) {
            pbay_str shown = lb_cut(name, 64);
            return lb_invalid(r, "tool_choice",
                              "tool_choice names \"%.*s\", which is not "
                              "among tools",
                              (int)shown.n, shown.p);
        }
        if (name.p)
            return PBAY_OK;
    }
    if (pbay_json_type(tools) != 'a' || pbay_json_is(choice, "none"))
        return PBAY_OK;
    if (pbay_json_is(choice, "required"))
        find_tool(r, tools, (pbay_str){NULL, 0}, out);
    else
        by_text(r, tools, p, out);
    return PBAY_OK;
}
