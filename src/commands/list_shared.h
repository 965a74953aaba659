// SPDX-License-Identifier: BSD-3-Clause
// What the files of the list commands share.
#pragma once

#include "server/ctx.h"
#include "types/list.h"

// What keyspace notifications call it.
static inline const char *list_push_event(enum list_end end)
{
    return end == LIST_LEFT ? "lpush" : "rpush";
}

static inline const char *list_pop_event(enum list_end end)
{
    return end == LIST_LEFT ? "lpop" : "rpop";
}

// LEFT or RIGHT; false: neither, the error has been replied.
bool arg_list_end(struct cmd_ctx *ctx, uint32_t i, enum list_end *end);

// Whether there is memory for values of so many bytes; false: the error has been replied. Small ones
// are not asked about.
bool list_has_room(struct cmd_ctx *ctx, size_t bytes);

// One element as a bulk string.
void list_reply_element(struct resp_writer *w, const struct list_place *place);

// `count` elements from `start` on, towards the tail; there are that many.
void list_reply_range(struct resp_writer *w, const struct entry *entry, size_t start, size_t count);

// Pushes values to the list at `ref`, the key's; makes the list if there is none. To be called
// once its type has been checked.
void list_push_values(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, enum list_end end,
                      const struct slice *values, size_t count);

// To be called after an event has removed `count` elements from the list at `ref`, which is now
// `entry`: keeps the database informed, and removes a list that is empty.
void list_removed(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, struct entry *entry,
                  size_t count, const char *event);

// Replies the element at this end of the list at `ref` and removes it.
void list_pop_one(struct cmd_ctx *ctx, uint32_t key, struct entry_ref *ref, enum list_end end);
