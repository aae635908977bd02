/* SPDX-License-Identifier: MIT */
/* `patchbay chat`: what its two forms, one question and a conversation, share.
 */
#ifndef PB_CHAT_H
#define PB_CHAT_H

#include "cli/answer.h"

struct chat {
    const char *model, *system;
    struct json_object *fields; /* --set; NULL: none */
    struct json_object *images; /* array of parts; NULL: none */
    unsigned how;               /* ANSWER_* */
    bool stream, history;
};

/* A message {"role":"user","content":...}; images (may be NULL) become parts of
 * it.  NULL without memory. */
struct json_object *chat_user_message(pbay_str text,
                                      struct json_object *images);
struct json_object *chat_message(const char *role, pbay_str text);

/* A conversation on the terminal, with the host already reached. */
int converse(struct cli *cli, struct chat *c);

#endif
