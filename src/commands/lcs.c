// SPDX-License-Identifier: BSD-3-Clause
// LCS: the longest common subsequence of two strings.
//
// Dynamic programming over all pairs of prefixes (Cormen et al., "Introduction to Algorithms", 15.4):
// time and memory are the product of the lengths. Where several subsequences are longest, the way back
// through the table decides which one is shown: it goes to the shorter prefix of the second string
// unless that of the first string is strictly better.
#include "base/memory.h"
#include "commands/tables.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/server.h"
#include "types/string.h"

struct lcs {
    struct slice a;
    struct slice b;
    uint32_t *table;  // (a.len + 1) x (b.len + 1) lengths
    size_t table_bytes;
    bool len_only;
    bool indexes;
    bool with_match_len;
    int64_t min_match_len;
};

static inline uint32_t *cell(const struct lcs *lcs, size_t i, size_t j)
{
    return &lcs->table[i * (lcs->b.len + 1) + j];
}

static bool parse_options(struct cmd_ctx *ctx, struct lcs *lcs)
{
    for (uint32_t i = 3; i < ctx->argc; i++) {
        if (arg_is(ctx, i, "idx")) {
            lcs->indexes = true;
        } else if (arg_is(ctx, i, "len")) {
            lcs->len_only = true;
        } else if (arg_is(ctx, i, "withmatchlen")) {
            lcs->with_match_len = true;
        } else if (arg_is(ctx, i, "minmatchlen") && i + 1 < ctx->argc) {
            if (!arg_int64(ctx, ++i, &lcs->min_match_len))
                return false;
        } else {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
    }
    if (lcs->indexes && lcs->len_only) {
        reply_error(ctx, ERR_LCS_BOTH);
        return false;
    }
    return true;
}

// Makes the table; if it would be too large, replies.
static bool make_table(struct cmd_ctx *ctx, struct lcs *lcs)
{
    size_t limit = (size_t)ctx->server->clients->limits.max_bulk;
    size_t cells;
    if (lcs->a.len >= UINT32_MAX - 1 || lcs->b.len >= UINT32_MAX - 1) {
        reply_error(ctx, ERR_LCS_TOO_LONG);
        return false;
    }
    cells = (lcs->a.len + 1) * (lcs->b.len + 1);
    lcs->table_bytes = cells * sizeof(*lcs->table);
    if (cells > SIZE_MAX / sizeof(*lcs->table) || lcs->table_bytes > limit) {
        reply_error(ctx, ERR_LCS_MEMORY);
        return false;
    }
    lcs->table = mem_try_alloc(lcs->table_bytes);
    if (lcs->table)
        return true;
    reply_error(ctx, ERR_OUT_OF_MEMORY);
    return false;
}

static void fill_table(struct lcs *lcs)
{
    for (size_t i = 0; i <= lcs->a.len; i++) {
        for (size_t j = 0; j <= lcs->b.len; j++) {
            uint32_t best = 0;
            if (i > 0 && j > 0 && lcs->a.ptr[i - 1] == lcs->b.ptr[j - 1]) {
                best = *cell(lcs, i - 1, j - 1) + 1;
            } else if (i > 0 && j > 0) {
                uint32_t up = *cell(lcs, i - 1, j);
                uint32_t left = *cell(lcs, i, j - 1);
                best = up > left ? up : left;
            }
            *cell(lcs, i, j) = best;
        }
    }
}

// A run of matching bytes, found from its end: a[a_first .. a_first+len-1] = b[b_first ...].
struct match {
    size_t a_first;
    size_t b_first;
    size_t len;
};

static void reply_range(struct cmd_ctx *ctx, size_t first, size_t len)
{
    resp_array(&ctx->reply, 2);
    reply_int(ctx, (int64_t)first);
    reply_int(ctx, (int64_t)(first + len - 1));
}

// Emits a run that has ended; returns how many (0 or 1).
static size_t reply_match(struct cmd_ctx *ctx, const struct lcs *lcs, struct match *match)
{
    size_t len = match->len;
    match->len = 0;
    if (len == 0 || (int64_t)len < lcs->min_match_len)
        return 0;
    resp_array(&ctx->reply, lcs->with_match_len ? 3 : 2);
    reply_range(ctx, match->a_first, len);
    reply_range(ctx, match->b_first, len);
    if (lcs->with_match_len)
        reply_int(ctx, (int64_t)len);
    return 1;
}

// Goes back through the table from its end: writes the subsequence to `out`, or emits the runs if that
// is NULL. Returns the number of runs emitted.
static size_t walk_back(struct cmd_ctx *ctx, const struct lcs *lcs, char *out)
{
    size_t i = lcs->a.len;
    size_t j = lcs->b.len;
    uint32_t left = *cell(lcs, i, j);
    size_t emitted = 0;
    struct match match = { 0 };
    while (i > 0 && j > 0) {
        if (lcs->a.ptr[i - 1] == lcs->b.ptr[j - 1]) {
            if (out)
                out[--left] = lcs->a.ptr[i - 1];
            match.a_first = --i;
            match.b_first = --j;
            match.len++;
            continue;
        }
        if (*cell(lcs, i - 1, j) > *cell(lcs, i, j - 1))
            i--;
        else
            j--;
        if (!out)
            emitted += reply_match(ctx, lcs, &match);
    }
    if (!out)
        emitted += reply_match(ctx, lcs, &match);
    return emitted;
}

static void reply_lcs(struct cmd_ctx *ctx, const struct lcs *lcs)
{
    uint32_t len = *cell(lcs, lcs->a.len, lcs->b.len);
    if (lcs->len_only) {
        reply_int(ctx, len);
        return;
    }
    if (lcs->indexes) {
        resp_map(&ctx->reply, 2);
        resp_bulk_text(&ctx->reply, "matches");
        struct resp_deferred matches;
        resp_deferred_begin(&ctx->reply, &matches);
        size_t count = walk_back(ctx, lcs, NULL);
        resp_deferred_end(&ctx->reply, &matches, resp_array, count);
        resp_bulk_text(&ctx->reply, "len");
        reply_int(ctx, len);
        return;
    }
    struct bytes text = { 0 };
    bytes_reserve(&text, len + 1);
    walk_back(ctx, lcs, text.data);
    resp_bulk(&ctx->reply, text.data, len);
    bytes_release(&text);
}

// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]
static void cmd_lcs(struct cmd_ctx *ctx)
{
    struct entry_ref refs[2];
    struct slice values[2] = { SLICE(""), SLICE("") };
    char scratch[2][INT64_TEXT_MAX];
    for (uint32_t i = 0; i < 2; i++) {
        refs[i] = db_find_read(ctx->db, &ctx->keys[i]);
        if (refs[i].entry && entry_type(refs[i].entry) != TYPE_STRING) {
            reply_errorf(ctx, "ERR The specified keys must contain string values");
            return;
        }
        if (refs[i].entry)
            values[i] = string_bytes(refs[i].entry, scratch[i]);
    }
    struct lcs lcs = { .a = values[0], .b = values[1] };
    if (!parse_options(ctx, &lcs) || !make_table(ctx, &lcs))
        return;
    fill_table(&lcs);
    reply_lcs(ctx, &lcs);
    mem_free(lcs.table, lcs.table_bytes);
}

const struct command lcs_commands[] = {
    { .name = "lcs",
      .summary = "Finds the longest common subsequence of two strings.",
      .since = "7.0.0",
      .complexity = "O(N*M) where N and M are the lengths of the strings",
      .group = GROUP_STRING,
      .arity = -3,
      .flags = CMD_READONLY,
      .acl = ACL_STRING,
      .keys = { { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_RANGE,
                  .last = 1,
                  .step = 1 } },
      .args = ARGS(
          { .name = "key1", .type = ARG_KEY }, { .name = "key2", .type = ARG_KEY },
          { .name = "len", .type = ARG_PURE_TOKEN, .token = "LEN", .flags = ARG_OPTIONAL },
          { .name = "idx", .type = ARG_PURE_TOKEN, .token = "IDX", .flags = ARG_OPTIONAL },
          { .name = "len", .type = ARG_INTEGER, .token = "MINMATCHLEN", .flags = ARG_OPTIONAL },
          { .name = "withmatchlen",
            .type = ARG_PURE_TOKEN,
            .token = "WITHMATCHLEN",
            .flags = ARG_OPTIONAL }),
      .handler = cmd_lcs },
    { 0 },
};
