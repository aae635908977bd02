/* SPDX-License-Identifier: MIT */
/* It loads, but its create() fails and says why. */
#define BAD_ID     "create_fails"
#define BAD_CREATE fail
#include <patchbay/provider.h>

static pbay_rc fail(const pbay_host *host, pbay_str config, void **inst)
{
    static const char why[] = "create_fails always does";
    (void)config;
    (void)inst;
    host->log(host, PBAY_LOG_ERROR, (pbay_str){why, sizeof why - 1});
    return PBAY_FAIL;
}

#include "bad.h"
