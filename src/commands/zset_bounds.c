// SPDX-License-Identifier: BSD-3-Clause
// Ranges of sorted sets as arguments: see zset_bounds.h.
#include "commands/zset_bounds.h"

#include "base/memory.h"
#include "base/numbers.h"

#include <math.h>
#include <stdlib.h>

// As strtod() reads it: blanks may come first, nothing at all is 0, too large is infinite, and a NUL
// ends the text.
static bool parse_loosely(struct slice text, double *out)
{
    char *copy = mem_strndup(text.ptr, text.len);
    char *end;
    *out = strtod(copy, &end);
    bool whole = *end == '\0';
    mem_free(copy, text.len + 1);
    return whole && !isnan(*out);
}

static bool parse_score_bound(struct slice text, double *score, bool *open)
{
    *open = text.len > 0 && text.ptr[0] == '(';
    text.ptr += *open;
    text.len -= *open;
    return parse_double(text, score) || parse_loosely(text, score);
}

bool arg_score_range(struct cmd_ctx *ctx, uint32_t min, uint32_t max, struct zset_score_range *out)
{
    if (parse_score_bound(ctx->argv[min], &out->min, &out->min_open) &&
        parse_score_bound(ctx->argv[max], &out->max, &out->max_open))
        return true;
    reply_error(ctx, ERR_SCORE_RANGE);
    return false;
}

static bool parse_lex_bound(struct slice text, struct zset_lex_bound *out)
{
    if (text.len == 0)
        return false;
    *out = (struct zset_lex_bound){ .text = { .ptr = text.ptr + 1, .len = text.len - 1 } };
    switch (text.ptr[0]) {
    case '-': out->kind = ZSET_LEX_FIRST; return text.len == 1;
    case '+': out->kind = ZSET_LEX_LAST; return text.len == 1;
    case '[': out->kind = ZSET_LEX_CLOSED; return true;
    case '(': out->kind = ZSET_LEX_OPEN; return true;
    default: return false;
    }
}

bool arg_lex_range(struct cmd_ctx *ctx, uint32_t min, uint32_t max, struct zset_lex_range *out)
{
    if (parse_lex_bound(ctx->argv[min], &out->min) && parse_lex_bound(ctx->argv[max], &out->max))
        return true;
    reply_error(ctx, ERR_LEX_RANGE);
    return false;
}

struct zset_span zset_span_of_ranks(int64_t start, int64_t end, size_t len)
{
    int64_t count = (int64_t)len;
    start = start < 0 ? start + count : start;
    end = end < 0 ? end + count : end;
    start = start < 0 ? 0 : start;
    end = end >= count ? count - 1 : end;
    if (start > end)
        return (struct zset_span){ 0 };
    return (struct zset_span){ .first = (size_t)start, .count = (size_t)(end - start + 1) };
}
