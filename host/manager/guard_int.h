/* SPDX-License-Identifier: MIT */
/* The inside of a guard, for guard.c and guard_repair.c only. */
#ifndef PB_GUARD_INT_H
#define PB_GUARD_INT_H

#include "base/buf.h"
#include "manager/guard.h"
#include "manager/tape.h"
#include "text/schema.h"

#define GUARD_MEMORY  ((size_t)64 << 20) /* schema, and the repair */
#define GUARD_CHOICES 128

struct guard_choice {
    uint32_t number;
    struct buf text;
    bool lost;  /* too long */
    bool other; /* it calls a tool, or refuses */
    bool over;
};

struct guard {
    struct cfg_structured cfg;
    struct arena arena;
    struct schema *schema; /* NULL: see unsupported */
    pbay_str text;         /* the schema's */
    pbay_str unsupported;  /* why it cannot be checked */
    bool held;

    /* of the attempt */
    struct guard_choice choices[GUARD_CHOICES];
    size_t n_choices;
    bool many, bad, unsure;
    struct buf faults;

    /* held back */
    const struct call_sink *behind;
    void *behind_arg;
    struct tape_item *first, **last;
    size_t held_bytes;
    bool lost, large, deaf;
    pbay_str warning;
    unsigned attempts;

    /* the repair */
    bool repairing, repaired; /* under way; has been tried */
    struct call_request again;
    struct buf answer; /* its body */
    pbay_usage used;   /* before it */
};

#endif
