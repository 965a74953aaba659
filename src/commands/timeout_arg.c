// SPDX-License-Identifier: BSD-3-Clause
// Timeouts: see timeout_arg.h.
#include "commands/timeout_arg.h"

#include "base/clock.h"
#include "base/numbers.h"

#include <math.h>

bool arg_timeout(struct cmd_ctx *ctx, uint32_t i, int64_t *timeout_ms)
{
    *timeout_ms = 0;
    if (ctx->woken)
        return true;
    long double seconds;
    if (!parse_long_double(ctx->argv[i], &seconds)) {
        reply_error(ctx, ERR_TIMEOUT_NOT_FLOAT);
        return false;
    }
    long double ms = ceill(seconds * 1000);
    if (ms < 0) {
        reply_error(ctx, ERR_TIMEOUT_NEGATIVE);
        return false;
    }
    // Its end must be a time, too.
    if (ms > (long double)(INT64_MAX - clock_wall_ms())) {
        reply_error(ctx, ERR_TIMEOUT_RANGE);
        return false;
    }
    *timeout_ms = (int64_t)ms;
    return true;
}

bool arg_timeout_ms(struct cmd_ctx *ctx, uint32_t i, int64_t *timeout_ms)
{
    if (!parse_int64(ctx->argv[i], timeout_ms)) {
        reply_error(ctx, ERR_TIMEOUT_NOT_INTEGER);
        return false;
    }
    if (*timeout_ms < 0) {
        reply_error(ctx, ERR_TIMEOUT_NEGATIVE);
        return false;
    }
    if (!ctx->woken && *timeout_ms > INT64_MAX - clock_wall_ms()) {
        reply_error(ctx, ERR_TIMEOUT_RANGE);
        return false;
    }
    return true;
}
