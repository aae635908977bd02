/* SPDX-License-Identifier: MIT */
/* Items as lines of a name and a value. */
#include "config.h"

#include "cli/print.h"

#include <string.h>

#include "base/str.h"

static void put_value(struct out *o, struct json_object *v)
{
    if (json_object_is_type(v, json_type_string)) {
        out_textc(o, json_object_get_string(v));
    } else if (json_object_is_type(v, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(v); i++) {
            out_c(o, i ? " " : "");
            put_value(o, json_object_array_get_idx(v, i));
        }
    } else {
        out_text(o, js_text(v));
    }
}

void print_members(struct out *o, struct json_object *item,
                   const char *const *but)
{
    struct json_object_iterator it = json_object_iter_begin(item);
    struct json_object_iterator end = json_object_iter_end(item);

    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        const char *const *b = but;
        while (*b && strcmp(*b, name))
            b++;
        if (*b || !json_object_iter_peek_value(&it))
            continue;
        out_textc(o, name);
        out_f(o, "%*s", strlen(name) < 20 ? 20 - (int)strlen(name) : 1, "");
        put_value(o, json_object_iter_peek_value(&it));
        out_c(o, "\n");
    }
}
