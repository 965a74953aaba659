// SPDX-License-Identifier: BSD-3-Clause
// Random choices: see random_pick.h.
#include "commands/random_pick.h"

// The largest reply of choices that repeat.
#define REPEATED_BYTES_MAX ((size_t)256 << 20)

// The shortest element of a reply: $0, CRLF, CRLF.
#define ELEMENT_BYTES_MIN 6

bool random_arg_count(struct random_pick *pick)
{
    if (!arg_int64(pick->ctx, 2, &pick->count))
        return false;
    if (pick->count != INT64_MIN)
        return true;
    reply_errorf(pick->ctx, "ERR value is out of range, value must between %lld and %lld",
                 (long long)-INT64_MAX, (long long)INT64_MAX);
    return false;
}

bool random_args(struct random_pick *pick, const char *pairs_word)
{
    struct cmd_ctx *ctx = pick->ctx;
    if (!random_arg_count(pick))
        return false;
    if (ctx->argc == 3)
        return true;
    if (ctx->argc > 4 || !arg_is(ctx, 3, pairs_word)) {
        reply_error(ctx, ERR_SYNTAX);
        return false;
    }
    pick->pairs = true;
    if (pick->count >= -INT64_MAX / 2 && pick->count <= INT64_MAX / 2)
        return true;
    reply_error(ctx, ERR_OUT_OF_RANGE);
    return false;
}

void random_reply_count(const struct random_pick *pick, size_t count)
{
    struct resp_writer *reply = &pick->ctx->reply;
    bool flat = pick->pairs && reply->proto == 2;
    resp_array(reply, flat ? count * 2 : count);
}

void random_reply_repeated(const struct random_pick *pick, const struct entry *entry,
                           random_choose_fn choose)
{
    struct cmd_ctx *ctx = pick->ctx;
    uint64_t count = (uint64_t)-pick->count;
    struct resp_deferred choices;
    resp_deferred_begin(&ctx->reply, &choices);
    bool fits = count <= REPEATED_BYTES_MAX / ELEMENT_BYTES_MIN;
    for (uint64_t i = 0; fits && i < count; i++) {
        choose(pick, entry);
        fits = ctx->reply.out->bytes <= REPEATED_BYTES_MAX;
    }
    resp_deferred_header(&ctx->reply, &choices);
    if (!fits) {
        outq_clear(&choices.elements);
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return;
    }
    random_reply_count(pick, (size_t)count);
    resp_deferred_append(&ctx->reply, &choices);
}
