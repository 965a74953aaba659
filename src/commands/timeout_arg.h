// SPDX-License-Identifier: BSD-3-Clause
// Reading how long a blocking command waits.
#pragma once

#include "server/ctx.h"

// A time in seconds, fractions allowed, as milliseconds, rounded up; 0: for ever. False: not a number,
// negative or too far away; the error has been replied. A command that has waited is not asked again.
bool arg_timeout(struct cmd_ctx *ctx, uint32_t i, int64_t *timeout_ms);

// The same for one in whole milliseconds.
bool arg_timeout_ms(struct cmd_ctx *ctx, uint32_t i, int64_t *timeout_ms);
