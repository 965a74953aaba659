// SPDX-License-Identifier: BSD-3-Clause
// What the scans have in common: see scan_args.h.
#include "commands/scan_args.h"

#include "base/glob.h"
#include "base/numbers.h"

// Steps that one call makes at most for each element it is asked for: a sparse table must not make one
// call long.
#define STEPS_PER_ELEMENT 10

#define SCAN_COUNT_DEFAULT 10

struct scan scan_of(struct cmd_ctx *ctx)
{
    return (struct scan){ .ctx = ctx, .count = SCAN_COUNT_DEFAULT, .all = true };
}

void scan_set_pattern(struct scan *scan, struct slice pattern)
{
    scan->pattern = pattern;
    scan->all = slice_equal(pattern, SLICE("*"));
}

// A cursor as strtoul() reads it, with nothing before or behind it: a minus sign wraps around, a NUL ends
// the text.
static bool parse_cursor(struct slice text, uint64_t *cursor)
{
    text.len = strnlen(text.ptr, text.len);
    bool negative = text.len > 0 && text.ptr[0] == '-';
    if (negative || (text.len > 0 && text.ptr[0] == '+')) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 1 && text.ptr[0] == '0') {
        text.ptr++;
        text.len--;
    }
    *cursor = 0;
    if (text.len > 0 && !parse_uint64(text, cursor))
        return false;
    *cursor = negative ? -*cursor : *cursor;
    return true;
}

bool scan_arg_cursor(struct scan *scan, uint32_t i)
{
    if (parse_cursor(scan->ctx->argv[i], &scan->cursor))
        return true;
    reply_error(scan->ctx, ERR_INVALID_CURSOR);
    return false;
}

int scan_arg_option(struct scan *scan, uint32_t i)
{
    struct cmd_ctx *ctx = scan->ctx;
    if (i + 1 == ctx->argc)
        return 0;
    if (arg_is(ctx, i, "match")) {
        scan_set_pattern(scan, ctx->argv[i + 1]);
        return 2;
    }
    if (!arg_is(ctx, i, "count"))
        return 0;
    if (!arg_int64(ctx, i + 1, &scan->count))
        return -1;
    if (scan->count < 1) {
        reply_error(ctx, ERR_SYNTAX);
        return -1;
    }
    return 2;
}

bool scan_matches(const struct scan *scan, struct slice text)
{
    return scan->all || glob_match(scan->pattern, text, false);
}

void scan_run(struct scan *scan, uint64_t (*step)(struct scan *scan, uint64_t cursor, void *udata),
              void *udata)
{
    struct resp_writer *reply = &scan->ctx->reply;
    struct resp_deferred elements;
    // The cursor is known only at the end and stands first.
    resp_deferred_begin(reply, &elements);
    int64_t steps = scan->count < INT64_MAX / STEPS_PER_ELEMENT ? scan->count * STEPS_PER_ELEMENT
                                                                : INT64_MAX;
    uint64_t cursor = scan->cursor;
    do {
        cursor = step(scan, cursor, udata);
    } while (cursor != 0 && scan->visited < scan->count && --steps > 0);
    resp_deferred_header(reply, &elements);
    resp_array(reply, 2);
    resp_bulk_int(reply, (int64_t)cursor);
    resp_array(reply, scan->emitted);
    resp_deferred_append(reply, &elements);
}

void scan_reply_nothing(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, 2);
    resp_bulk_int(&ctx->reply, 0);
    resp_array(&ctx->reply, 0);
}
