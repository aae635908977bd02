/* SPDX-License-Identifier: MIT */
/* When the host counts tokens itself. */
#include "manager/count.h"

bool count_may_estimate(const struct err *e)
{
    switch (e->kind) {
    case ERR_NOT_SUPPORTED:
    case ERR_CONNECT:
    case ERR_RESET:
    case ERR_CONNECT_TIMEOUT:
    case ERR_HEADERS_TIMEOUT:
    case ERR_FIRST_TIMEOUT:
    case ERR_IDLE_TIMEOUT:
    case ERR_UNAVAILABLE:
    case PBAY_E_RATE:
    case PBAY_E_OVERLOADED:
    case PBAY_E_LOADING:
    case PBAY_E_UPSTREAM:
        return true;
    default:
        return false;
    }
}
