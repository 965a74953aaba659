// SPDX-License-Identifier: BSD-3-Clause
// Taking the lowest or highest members out of a sorted set, for commands that wait and such that don't.
#pragma once

#include "server/ctx.h"

enum zset_pop_shape {
    ZSET_POP_ONE,       // [member, score]
    ZSET_POP_MANY,      // the same, several; in RESP3 each an array of its own
    ZSET_POP_KEY_ONE,   // [key, member, score]
    ZSET_POP_KEY_MANY,  // [key, [[member, score], ...]]
};

struct zset_pop {
    bool max;
    size_t count;  // at most
    enum zset_pop_shape shape;
};

// Takes members out of the sorted set that `ref` (not empty) was found at by keys[i], and replies them.
// Where the command names more than one key, its effect is that of ZPOPMIN or ZPOPMAX.
void zset_pop_reply(struct cmd_ctx *ctx, uint32_t i, struct entry_ref *ref,
                    const struct zset_pop *pop);

// MIN or MAX at argument `i`, and COUNT with a number behind it: what ZMPOP and BZMPOP end with. False:
// an error has been replied.
bool zset_pop_parse(struct cmd_ctx *ctx, uint32_t i, struct zset_pop *pop);

// The number of keys at argument `i`, which leaves room for one argument behind them. False: an error has
// been replied.
bool zset_pop_parse_numkeys(struct cmd_ctx *ctx, uint32_t i, uint32_t *numkeys);
