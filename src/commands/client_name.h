// SPDX-License-Identifier: BSD-3-Clause
// Naming a client, as CLIENT SETNAME and HELLO do.
#pragma once

#include "server/ctx.h"

// Whether a client may have this name. False: it has characters that CLIENT LIST could not show; the
// error has been replied.
bool client_name_check(struct cmd_ctx *ctx, struct slice name);
