/* SPDX-License-Identifier: MIT */
/* The words for what models can do and what requests are for. */
#include "base/ability.h"

#include "base/str.h"

/* In the order of the bits. */
static const char *const words[] = {"text",
                                    "chat",
                                    "code",
                                    "translation",
                                    "summarisation",
                                    "moderation",
                                    "embeddings",
                                    "vision",
                                    "image_generation",
                                    "tools",
                                    "structured_output",
                                    "reasoning",
                                    "long_context"};

#define WORDS (sizeof(words) / sizeof(*words))
#define ALL                                                                  \
    "text, chat, code, translation, summarisation, moderation, embeddings, " \
    "vision, image_generation, tools, structured_output, reasoning, "        \
    "long_context"

const char ability_words[] = ALL;
const char task_words[] = ALL ", analytical, creative, synthesis, speed, cost";

uint32_t ability_named(pbay_str word)
{
    for (size_t i = 0; i < WORDS; i++)
        if (str_is(word, words[i]))
            return UINT32_C(1) << i;
    return 0;
}

const char *ability_word(uint32_t bits)
{
    for (size_t i = 0; i < WORDS; i++)
        if (bits >> i & 1)
            return words[i];
    return NULL;
}

const struct task *task_named(pbay_str word)
{
    static const struct task tasks[] = {
        {"text", ABLE_TEXT, NULL, NULL},
        {"chat", ABLE_CHAT, NULL, NULL},
        {"code", ABLE_CODE, NULL, NULL},
        {"translation", ABLE_TRANSLATION, NULL, NULL},
        {"summarisation", ABLE_SUMMARISATION, NULL, NULL},
        {"moderation", ABLE_MODERATION, NULL, NULL},
        {"embeddings", ABLE_EMBEDDINGS, NULL, NULL},
        {"vision", ABLE_VISION, NULL, NULL},
        {"image_generation", ABLE_IMAGES, NULL, NULL},
        {"tools", ABLE_TOOLS, NULL, NULL},
        {"structured_output", ABLE_STRUCTURED, NULL, NULL},
        {"reasoning", ABLE_REASONING, NULL, NULL},
        {"long_context", ABLE_LONG, NULL, NULL},
        {"analytical", 0, "openai", "openai"},
        {"creative", 0, "claude", "anthropic"},
        {"synthesis", 0, "claude", "anthropic"},
        {"speed", 0, "gemini", "google"},
        {"cost", 0, "gemini", "google"}};

    for (size_t i = 0; i < sizeof(tasks) / sizeof(*tasks); i++)
        if (str_is(word, tasks[i].name))
            return &tasks[i];
    return NULL;
}
