// SPDX-License-Identifier: BSD-3-Clause
// What the files about DEBUG share.
#pragma once

#include "server/ctx.h"

// DEBUG PROTOCOL type
void debug_protocol(struct cmd_ctx *ctx);
