// SPDX-License-Identifier: BSD-3-Clause
// Ranges of sorted sets as arguments: scores, the alphabet, ranks.
#pragma once

#include "server/ctx.h"
#include "types/zset.h"

// Two bounds at arguments `min` and `max`. False: an error has been replied.
bool arg_score_range(struct cmd_ctx *ctx, uint32_t min, uint32_t max, struct zset_score_range *out);
bool arg_lex_range(struct cmd_ctx *ctx, uint32_t min, uint32_t max, struct zset_lex_range *out);

// The ranks from `start` to `end`, both of which count from the end if negative, of so many.
struct zset_span zset_span_of_ranks(int64_t start, int64_t end, size_t len);
