/* SPDX-License-Identifier: MIT */
/* Counters of providers by name, for as long as the process lives.  There are
 * as many as names were ever configured. */
#include <stdlib.h>
#include <string.h>

#include "manager/snapshot.h"

struct named {
    struct named *next;
    char *name;
    struct instance_stats stats[LIM_LOOPS + 1];
};

static struct named *all;

struct instance_stats *stats_of(const char *name)
{
    struct named *n;

    for (n = all; n; n = n->next)
        if (strcmp(n->name, name) == 0)
            return n->stats;
    n = calloc(1, sizeof(*n));
    if (!n || !(n->name = strdup(name))) {
        free(n);
        return NULL;
    }
    n->next = all;
    all = n;
    return n->stats;
}

void stats_free(void)
{
    while (all) {
        struct named *n = all;

        all = n->next;
        free(n->name);
        free(n);
    }
}
