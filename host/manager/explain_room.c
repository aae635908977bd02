/* SPDX-License-Identifier: MIT */
/* What explain tells of room: how much the targets hold, and whom a request
 * would go to whose prompt does not fit the first one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "manager/explain.h"
#include "manager/room.h"
#include "manager/suit.h"

void explain_window(struct buf *b, struct model_index *models,
                    const struct target *t, struct want *w)
{
    struct suit s;

    suit_window(t->instance, models, t->model, &s);
    if (!s.window)
        buf_addc(b, ",\"window\":null");
    else
        buf_printf(b, ",\"window\":%llu", (unsigned long long)s.window);
    if (w->op == PBAY_OP_CHAT && room_exceeds(w, s.window))
        buf_printf(b, ",\"prompt_tokens\":%llu",
                   (unsigned long long)want_text(w));
}

static void put_name(struct buf *b, const struct target *t)
{
    char name[700];

    snprintf(name, sizeof(name), "%s/%.*s", t->instance->name,
             STR_ARG(str_head(t->model, 512)));
    buf_json(b, str_c(name));
}

void explain_overflow(struct buf *b, struct model_index *models,
                      const struct plan *p)
{
    /* One that would fill any window. */
    struct want w = {.has_input = true, .input = UINT64_MAX / 2};
    struct plan larger = *p;
    struct room_left *left = calloc(1, sizeof(*left));

    if (left)
        room_larger(&larger, 0, models, &w, left);
    buf_addc(b, ",\"overflow\":{\"next\":[");
    for (size_t i = 1; left && i < larger.n; i++) {
        buf_addc(b, i > 1 ? "," : "");
        put_name(b, &larger.targets[i]);
    }
    buf_addc(b, "],\"left_out\":[");
    for (size_t i = 0; left && i < left->n; i++) {
        buf_addc(b, i ? ",{\"target\":" : "{\"target\":");
        put_name(b, &left->of[i].target);
        buf_addc(b, ",\"why\":");
        buf_json(b, str_c(left->of[i].why));
        buf_addc(b, "}");
    }
    buf_addc(b, "]}");
    free(left);
}
