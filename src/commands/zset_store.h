// SPDX-License-Identifier: BSD-3-Clause
// What the commands of sorted sets do to keys: storing a result, taking members out.
#pragma once

#include "server/ctx.h"
#include "types/zset_draft.h"

// Puts the draft under keys[0], whatever is there, or removes the key if the draft is empty, and replies
// how many members it has. The draft is used up. The event is called as the command is.
void zset_store_reply(struct cmd_ctx *ctx, struct zset_draft *draft);

// Removes members (not none) from the sorted set at keys[i], and the key with the last of them: `event`.
void zset_take_span(struct cmd_ctx *ctx, uint32_t i, struct entry_ref *ref, struct zset_span span,
                    const char *event);
