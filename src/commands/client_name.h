// SPDX-License-Identifier: BSD-3-Clause
// Naming a client, as CLIENT SETNAME and HELLO do.
#pragma once

#include "server/ctx.h"

// Sets the client's name, or clears it with an empty one. False: it has characters that CLIENT LIST
// could not show; the error has been replied.
bool client_name_set(struct cmd_ctx *ctx, struct slice name);
