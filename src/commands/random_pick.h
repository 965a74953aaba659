// SPDX-License-Identifier: BSD-3-Clause
// What HRANDFIELD, SRANDMEMBER and ZRANDMEMBER share: the count and the word behind it, and replies of
// choices that may repeat.
#pragma once

#include "server/ctx.h"

struct random_pick {
    struct cmd_ctx *ctx;
    int64_t count;  // negative: so many, and they may repeat
    bool pairs;     // each with its value or score
};

// Reads the count at argv[2]. False: an error has been replied.
bool random_arg_count(struct random_pick *pick);

// Reads the count and, behind it, `pairs_word` or nothing. False: an error has been replied.
bool random_args(struct random_pick *pick, const char *pairs_word);

// The reply's header for so many choices: in RESP3 pairs are arrays of their own.
void random_reply_count(const struct random_pick *pick, size_t count);

// Replies one choice.
typedef void (*random_choose_fn)(const struct random_pick *pick, const struct entry *entry);

// Replies -count choices, each of them from all; or an error if that becomes too large a reply: its length
// is whatever the client likes.
void random_reply_repeated(const struct random_pick *pick, const struct entry *entry,
                           random_choose_fn choose);
