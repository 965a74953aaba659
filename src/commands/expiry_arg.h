// SPDX-License-Identifier: BSD-3-Clause
// Reading a time to live, as SET, SETEX, GETEX and EXPIRE take it.
#pragma once

#include "server/ctx.h"

// How the number is meant.
struct expiry_unit {
    bool seconds;   // else milliseconds
    bool absolute;  // Unix time, else from now
    bool past_ok;   // zero and negative times are times (EXPIRE), not mistakes (SET)
};

// The point in time in Unix ms. False: not an integer or out of range; the error has been replied.
bool arg_expiry(struct cmd_ctx *ctx, uint32_t i, struct expiry_unit unit, int64_t *at_ms);

// An absolute time as text, for an effect.
#define EXPIRY_TEXT_MAX 20
struct slice expiry_text(int64_t at_ms, char out[EXPIRY_TEXT_MAX]);
