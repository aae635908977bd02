/* SPDX-License-Identifier: MIT */
/* What models can do, and what requests are for: two closed lists of words. */
#ifndef PB_ABILITY_H
#define PB_ABILITY_H

#include <stddef.h>
#include <stdint.h>

#include <patchbay/types.h>

enum {
    ABLE_TEXT = 1,
    ABLE_CHAT = 1 << 1,
    ABLE_CODE = 1 << 2,
    ABLE_TRANSLATION = 1 << 3,
    ABLE_SUMMARISATION = 1 << 4,
    ABLE_MODERATION = 1 << 5,
    ABLE_EMBEDDINGS = 1 << 6,
    ABLE_VISION = 1 << 7,
    ABLE_IMAGES = 1 << 8,
    ABLE_TOOLS = 1 << 9,
    ABLE_STRUCTURED = 1 << 10,
    ABLE_REASONING = 1 << 11,
    ABLE_LONG = 1 << 12 /* prompts of ABILITY_LONG tokens and more */
};

#define ABILITY_LONG 100000

/* The bit of a word; 0: it is none of them. */
uint32_t ability_named(pbay_str word);
/* The word of the lowest bit; NULL: there is none. */
const char *ability_word(uint32_t bits);
/* All of them: "text, chat, ..." */
extern const char ability_words[];

/* What a request is for: any word above, or one of those that say what is to be
 * good about the answer. */
struct task {
    const char *name;
    uint32_t needs;
    const char *prefers; /* a module or provider; NULL: none */
    const char *vendor;  /* the same in the price list */
};
/* NULL: it is none of them. */
const struct task *task_named(pbay_str word);
extern const char task_words[];

#endif
