/* SPDX-License-Identifier: MIT */
/* From a failure's kind to the exit status. */
#include "config.h"

#include "cli/exit.h"

#include <string.h>

#include "base/error.h"

static int exit_for(int kind)
{
    switch (kind) {
    case PBAY_E_AUTH:
    case PBAY_E_PERMISSION:
    case PBAY_E_QUOTA:
    case ERR_CLIENT_AUTH:
    case ERR_CLIENT_RIGHT:
        return EXIT_DENIED;
    case PBAY_E_INVALID:
    case PBAY_E_NOT_FOUND:
    case PBAY_E_TOO_LARGE:
    case PBAY_E_CONTEXT:
    case PBAY_E_FILTER:
    case ERR_NO_MODEL:
    case ERR_NOT_SUPPORTED:
    case ERR_NO_ROUTE:
    case ERR_METHOD:
    case ERR_BODY_TOO_LARGE:
    case ERR_BAD_BODY:
        return EXIT_REFUSED;
    case ERR_CANCELLED:
    case ERR_INTERNAL:
        return EXIT_FAILED;
    default:
        return EXIT_PROVIDER;
    }
}

int exit_for_kind(const char *kind)
{
    for (const struct err_class *c = err_table(); kind && c->kind; c++)
        if (!strcmp(c->name, kind))
            return exit_for(c->kind);
    return EXIT_FAILED;
}

const char *exit_mend(const char *kind)
{
    if (!strcmp(kind, err_class(PBAY_E_AUTH)->name))
        return "the provider did not take the key it was sent: mend api_key or "
               "api_key_file, or the variable that stands for it; "
               "`patchbay config show` says where it comes from";
    return NULL;
}
