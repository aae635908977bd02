/* SPDX-License-Identifier: MIT */
/* Chat messages in canonical form. */
#include "config.h"

#include "base/str.h"
#include "cli/chat.h"

struct json_object *chat_message(const char *role, pbay_str text)
{
    struct json_object *m = json_object_new_object();

    if (m && !js_add_str(m, "role", str_c(role)) &&
        !js_add_str(m, "content", text))
        return m;
    json_object_put(m);
    return NULL;
}

/* The text and the images as parts. */
static struct json_object *parts(pbay_str text, struct json_object *images)
{
    struct json_object *list = json_object_new_array();
    struct json_object *part = json_object_new_object();

    if (!list || !part || js_add_str(part, "type", STR("text")) ||
        js_add_str(part, "text", text) || json_object_array_add(list, part))
        goto failed;
    part = NULL;
    for (size_t i = 0; i < json_object_array_length(images); i++) {
        struct json_object *image = json_object_array_get_idx(images, i);
        if (json_object_array_add(list, json_object_get(image))) {
            json_object_put(image);
            goto failed;
        }
    }
    return list;
failed:
    json_object_put(part);
    json_object_put(list);
    return NULL;
}

struct json_object *chat_user_message(pbay_str text, struct json_object *images)
{
    struct json_object *m = chat_message("user", text);
    struct json_object *list;

    if (!m || !images || !json_object_array_length(images))
        return m;
    list = parts(text, images);
    if (list && !js_add(m, "content", list))
        return m;
    json_object_put(m);
    return NULL;
}
