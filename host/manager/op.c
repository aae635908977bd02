/* SPDX-License-Identifier: MIT */
/* Names of operations; who pulls a model. */
#include "manager/op.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include <patchbay/request.h>

static const char *const names[] = {"",       "chat",   "embed",   "moderate",
                                    "image",  "count",  "list",    "show",
                                    "pull",   "delete", "credits", "generation",
                                    "health", "raw",    "ps"};

const char *op_name(int op)
{
    return op > 0 && (size_t)op < sizeof(names) / sizeof(*names) ? names[op]
                                                                 : "";
}

int op_by_name(const char *name)
{
    for (size_t i = 1; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return (int)i;
    return 0;
}

static bool pulls(const struct instance *in)
{
    return (in->ops & PBAY_OP_BIT(PBAY_OP_PULL)) != 0;
}

int op_pull_target(const struct snapshot *s, pbay_str model,
                   const struct instance **in, pbay_str *rest, struct err *e)
{
    pbay_str tail = model, name = str_cut(&tail, '/');
    const struct instance *named = tail.n ? snapshot_find(s, name) : NULL;
    char who[256] = "";
    size_t n = 0;

    *in = NULL;
    if (named && !pulls(named)) {
        err_set(e, ERR_NOT_SUPPORTED, "provider %s cannot pull models",
                named->name);
        return -1;
    }
    for (size_t i = 0; !named && i < s->n; i++) {
        size_t at = strlen(who);
        if (!pulls(s->instances[i]))
            continue;
        *in = s->instances[i];
        snprintf(who + at, sizeof(who) - at, "%s%s", n++ ? ", " : "",
                 (*in)->name);
    }
    if (named || n == 1) {
        *in = named ? named : *in;
        *rest = named ? tail : model;
        return 0;
    }
    if (n)
        err_set(e, PBAY_E_INVALID,
                "several providers can pull models (%s): write the name as "
                "provider/model",
                who);
    else
        err_set(e, ERR_NOT_SUPPORTED, "no provider here can pull models");
    snprintf(e->param, sizeof(e->param), "model");
    return -1;
}
