/* SPDX-License-Identifier: MIT */
/* The whole ABI in one include.  The helper library has headers of its own,
 * patchbay/json.h and patchbay/wire.h. */
#ifndef PATCHBAY_PROVIDER_H
#define PATCHBAY_PROVIDER_H

#include <patchbay/backend.h>
#include <patchbay/codec.h>
#include <patchbay/event.h>
#include <patchbay/host.h>
#include <patchbay/native.h>
#include <patchbay/plugin.h>
#include <patchbay/request.h>
#include <patchbay/types.h>

#endif
