// SPDX-License-Identifier: BSD-3-Clause
// Sets out of sets: SINTER SUNION SDIFF, the same stored, and SINTERCARD.
//
// All three walk whole sets in batches and ask other sets which members of the batch they have, so that
// the misses of the cache overlap; a copy is made only where asking would cost more.
//
//   intersection   walk the smallest set, ask the others, the smaller ones first
//   difference     walk the first set and ask the others, the larger ones first: first * others.
//                  Or copy it and take out what the others have: if that is less
//   union          walk the largest set; of each further one, what the larger ones don't have.
//                  Or add everything to one set: if asking would be more
//
// What is stored is in the smallest encoding that it fits.
#include "base/memory.h"
#include "base/numbers.h"
#include "commands/set_reply.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/registry.h"
#include "server/server.h"
#include "types/set.h"

#include <stdlib.h>

// What copying a member costs, in questions whether a set has one: measured, and roughly.
#define COPY_COST 4

// Sources that need no memory of their own.
#define FEW_SOURCES 8

// The sets that a command reads.
struct sources {
    const struct entry **sets;  // NULL: there is no such key
    size_t count;
    size_t missing;
    const struct entry *few[FEW_SOURCES];
};

// Where the result goes.
struct result {
    struct cmd_ctx *ctx;
    enum { RESULT_REPLY, RESULT_STORE, RESULT_COUNT } kind;
    size_t count;
    size_t limit;         // RESULT_COUNT: at most so many
    struct entry *entry;  // RESULT_STORE: the new set, or NULL
};

static void release_sources(struct sources *sources)
{
    if (sources->sets != sources->few)
        mem_free(sources->sets, sources->count * sizeof(*sources->sets));
}

// Looks up `count` sets, the first at keys[first]. False: one is no set; the error has been replied.
static bool find_sources(struct cmd_ctx *ctx, uint32_t first, size_t count, struct sources *sources)
{
    sources->count = count;
    sources->missing = 0;
    sources->sets = count <= FEW_SOURCES ? sources->few : mem_alloc(count * sizeof(*sources->sets));
    for (size_t i = 0; i < count; i++) {
        struct entry_ref ref;
        if (!ctx_find_read(ctx, first + (uint32_t)i, TYPE_SET, &ref)) {
            release_sources(sources);
            return false;
        }
        sources->sets[i] = ref.entry;
        sources->missing += !ref.entry;
    }
    return true;
}

static size_t size_of(const struct entry *set)
{
    return set ? set_count(set) : 0;
}

static int smaller_first(const void *a, const void *b)
{
    size_t size_a = size_of(*(const struct entry *const *)a);
    size_t size_b = size_of(*(const struct entry *const *)b);
    return (size_a > size_b) - (size_a < size_b);
}

static int larger_first(const void *a, const void *b)
{
    return smaller_first(b, a);
}

// ---- the result ---------------------------------------------------------------------------------

// Adds a member to a set that is made when there is a first one. False: it has it.
static bool collect(struct cmd_ctx *ctx, struct entry **entry, struct slice key,
                    struct set_member *member)
{
    const struct collection_limits *limits = ctx->server->limits;
    if (*entry)
        return set_add(entry, limits, member);
    *entry = set_new(key, ctx->db->keyspace->access_clock, limits, member, 1);
    return true;
}

static struct slice result_key(const struct result *result)
{
    return result->kind == RESULT_STORE ? key_slice(&result->ctx->keys[0]) : SLICE("");
}

// Members in `mask` belong to the result; none comes twice.
static void emit(struct result *result, struct set_member *members, uint32_t mask)
{
    if (result->kind == RESULT_COUNT) {
        result->count += (size_t)__builtin_popcount(mask);
        return;
    }
    for (; mask; mask &= mask - 1) {
        struct set_member *member = &members[__builtin_ctz(mask)];
        if (result->kind == RESULT_STORE)
            collect(result->ctx, &result->entry, result_key(result), member);
        else
            reply_member(&result->ctx->reply, member);
        result->count++;
    }
}

static void emit_all(struct result *result, const struct entry *set)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, set);
    while ((count = set_walk_next(&walk, members)) > 0)
        emit(result, members, set_batch_all(count));
}

// A copy of a set under the key of the result, without expiry, in the smallest encoding it fits.
static struct entry *copy(const struct result *result, const struct entry *set)
{
    struct result copied = { .ctx = result->ctx, .kind = RESULT_STORE };
    if (set_is_smallest(set, result->ctx->server->limits)) {
        struct entry *entry = db_copy_entry(result->ctx->db, set, result_key(result));
        return entry_with_expiry(entry, EXPIRY_NONE);
    }
    emit_all(&copied, set);
    return copied.entry;
}

// ---- the three operations -----------------------------------------------------------------------

static void intersect(struct result *result, struct sources *sources)
{
    if (sources->missing > 0)
        return;
    qsort(sources->sets, sources->count, sizeof(*sources->sets), smaller_first);
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, sources->sets[0]);
    while (result->count < result->limit && (count = set_walk_next(&walk, members)) > 0) {
        uint32_t mask = set_batch_all(count);
        for (size_t i = 1; i < sources->count && mask; i++) {
            if (sources->sets[i] != sources->sets[0])
                mask = set_has_many(sources->sets[i], members, mask);
        }
        emit(result, members, mask);
    }
}

// What is in `set` and in none of the `count` others.
static void emit_without(struct result *result, const struct entry *set,
                         const struct entry *const *others, size_t others_count)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, set);
    while ((count = set_walk_next(&walk, members)) > 0) {
        uint32_t mask = set_batch_all(count);
        for (size_t i = 0; i < others_count && mask; i++)
            mask &= ~set_has_many(others[i], members, mask);
        emit(result, members, mask);
    }
}

static void take_out(struct entry **entry, const struct entry *other)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, other);
    while (set_count(*entry) > 0 && (count = set_walk_next(&walk, members)) > 0) {
        set_prefetch(*entry, members, set_batch_all(count));
        for (size_t i = 0; i < count && set_count(*entry) > 0; i++)
            set_remove(entry, &members[i]);
    }
}

// The difference by taking members out of a copy of the first set.
static void subtract_from_copy(struct result *result, const struct sources *sources, size_t present)
{
    struct keyspace *keyspace = result->ctx->server->keyspace;
    struct entry *left = copy(result, sources->sets[0]);
    for (size_t i = 1; i < present; i++)
        take_out(&left, sources->sets[i]);
    size_t count = set_count(left);
    // An empty one is no result: there is none then.
    if (result->kind == RESULT_STORE && count > 0 &&
        set_is_smallest(left, result->ctx->server->limits)) {
        result->count = count;
        result->entry = left;
        return;
    }
    emit_all(result, left);
    keyspace_release_entry(keyspace, left, REMOVED_LATER);
}

static void subtract(struct result *result, struct sources *sources)
{
    const struct entry *first = sources->sets[0];
    if (!first)
        return;
    size_t sum = 0;
    for (size_t i = 1; i < sources->count; i++) {
        if (sources->sets[i] == first)
            return;
        sum += size_of(sources->sets[i]);
    }
    // The missing ones come last.
    qsort(sources->sets + 1, sources->count - 1, sizeof(*sources->sets), larger_first);
    size_t present = sources->count - sources->missing;
    size_t size = set_count(first);
    if (size * (present - 1) <= size * COPY_COST + sum)
        emit_without(result, first, sources->sets + 1, present - 1);
    else
        subtract_from_copy(result, sources, present);
}

// Adds all members of a set to `all`; emits those that are new to it, unless it is the result itself.
static void add_all(struct result *result, struct entry **all, const struct entry *set)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, set);
    while ((count = set_walk_next(&walk, members)) > 0) {
        uint32_t added = 0;
        if (*all)
            set_prefetch(*all, members, set_batch_all(count));
        for (size_t i = 0; i < count; i++)
            added |= (uint32_t)collect(result->ctx, all, result_key(result), &members[i]) << i;
        if (result->kind == RESULT_REPLY)
            emit(result, members, added);
    }
}

static void unite_stored(struct result *result, const struct sources *sources, size_t present)
{
    result->entry = copy(result, sources->sets[0]);
    for (size_t i = 1; i < present; i++)
        add_all(result, &result->entry, sources->sets[i]);
    result->count = set_count(result->entry);
}

static void unite(struct result *result, struct sources *sources)
{
    size_t present = sources->count - sources->missing;
    size_t questions = 0;
    size_t sum = 0;
    if (present == 0)
        return;
    qsort(sources->sets, sources->count, sizeof(*sources->sets), larger_first);
    if (result->kind == RESULT_STORE) {
        unite_stored(result, sources, present);
        return;
    }
    for (size_t i = 0; i < present; i++) {
        questions += set_count(sources->sets[i]) * i;
        sum += set_count(sources->sets[i]);
    }
    if (questions <= sum * COPY_COST) {
        for (size_t i = 0; i < present; i++)
            emit_without(result, sources->sets[i], sources->sets, i);
        return;
    }
    struct entry *all = NULL;
    for (size_t i = 0; i < present; i++)
        add_all(result, &all, sources->sets[i]);
    keyspace_release_entry(result->ctx->server->keyspace, all, REMOVED_LATER);
}

// ---- commands -----------------------------------------------------------------------------------

typedef void (*operation)(struct result *result, struct sources *sources);

static void reply_operation(struct cmd_ctx *ctx, operation operate)
{
    struct result result = { .ctx = ctx, .kind = RESULT_REPLY, .limit = SIZE_MAX };
    struct sources sources;
    if (!find_sources(ctx, 0, ctx->argc - 1, &sources))
        return;
    struct resp_deferred members;
    resp_deferred_begin(&ctx->reply, &members);
    operate(&result, &sources);
    resp_deferred_end(&ctx->reply, &members, resp_set, result.count);
    release_sources(&sources);
}

// Puts the result in place of what is under the destination's key.
static void store_operation(struct cmd_ctx *ctx, operation operate)
{
    struct result result = { .ctx = ctx, .kind = RESULT_STORE, .limit = SIZE_MAX };
    struct sources sources;
    if (!find_sources(ctx, 1, ctx->argc - 2, &sources))
        return;
    operate(&result, &sources);
    release_sources(&sources);
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    if (result.entry) {
        db_overwrite(ctx->db, &ctx->keys[0], &ref, result.entry);
        ctx_written(ctx, 0, NOTIFY_SET, ctx->command->row->name);
    } else if (ref.entry) {
        db_remove(ctx->db, &ctx->keys[0], ref);
        ctx_removed(ctx, 0);
    }
    reply_int(ctx, (int64_t)result.count);
}

// SINTER key [key ...]
static void cmd_sinter(struct cmd_ctx *ctx)
{
    reply_operation(ctx, intersect);
}

// SUNION key [key ...]
static void cmd_sunion(struct cmd_ctx *ctx)
{
    reply_operation(ctx, unite);
}

// SDIFF key [key ...]
static void cmd_sdiff(struct cmd_ctx *ctx)
{
    reply_operation(ctx, subtract);
}

// SINTERSTORE destination key [key ...]
static void cmd_sinterstore(struct cmd_ctx *ctx)
{
    store_operation(ctx, intersect);
}

// SUNIONSTORE destination key [key ...]
static void cmd_sunionstore(struct cmd_ctx *ctx)
{
    store_operation(ctx, unite);
}

// SDIFFSTORE destination key [key ...]
static void cmd_sdiffstore(struct cmd_ctx *ctx)
{
    store_operation(ctx, subtract);
}

// Reads the number of keys and what stands behind them. False: an error has been replied.
static bool parse_card(struct cmd_ctx *ctx, size_t *count, int64_t *limit)
{
    int64_t numkeys;
    if (!parse_int64(ctx->argv[1], &numkeys) || numkeys <= 0) {
        reply_error(ctx, ERR_NUMKEYS);
        return false;
    }
    if (numkeys > (int64_t)ctx->argc - 2) {
        reply_error(ctx, ERR_TOO_MANY_KEYS);
        return false;
    }
    *count = (size_t)numkeys;
    for (uint32_t i = 2 + (uint32_t)numkeys; i < ctx->argc; i += 2) {
        if (i + 1 == ctx->argc || !arg_is(ctx, i, "limit")) {
            reply_error(ctx, ERR_SYNTAX);
            return false;
        }
        if (!parse_int64(ctx->argv[i + 1], limit) || *limit < 0) {
            reply_error(ctx, ERR_NEGATIVE_LIMIT);
            return false;
        }
    }
    return true;
}

// SINTERCARD numkeys key [key ...] [LIMIT limit]
static void cmd_sintercard(struct cmd_ctx *ctx)
{
    struct result result = { .ctx = ctx, .kind = RESULT_COUNT };
    struct sources sources;
    size_t count;
    int64_t limit = 0;
    if (!parse_card(ctx, &count, &limit) || !find_sources(ctx, 0, count, &sources))
        return;
    result.limit = limit == 0 ? SIZE_MAX : (size_t)limit;
    intersect(&result, &sources);
    release_sources(&sources);
    reply_int(ctx, (int64_t)(result.count < result.limit ? result.count : result.limit));
}

// All keys behind the destination.
#define KEYS_BEHIND_FIRST                                                         \
    {                                                                             \
        .flags = KEY_RO | KEY_ACCESS, .begin = KEY_BEGIN_INDEX, .begin_index = 2, \
        .find = KEY_FIND_RANGE, .last = -1, .step = 1                             \
    }

#define SOURCE_ARGS ARGS({ .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE })

#define STORE_ARGS                                   \
    ARGS({ .name = "destination", .type = ARG_KEY }, \
         { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE, .key_spec = 1 })

#define INTERSECTION_COMPLEXITY \
    "O(N*M) at worst, where N is the size of the smallest set and M the number of sets"
#define SUM_COMPLEXITY "O(N) where N is the number of members of all sets together"

const struct command set_algebra_commands[] = {
    { .name = "sinter",
      .summary = "Returns what several sets have in common.",
      .since = "1.0.0",
      .complexity = INTERSECTION_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_SET,
      .keys = { KEYS_ALL(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = SOURCE_ARGS,
      .handler = cmd_sinter },
    { .name = "sinterstore",
      .summary = "Stores what several sets have in common.",
      .since = "1.0.0",
      .complexity = INTERSECTION_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_UPDATE), KEYS_BEHIND_FIRST },
      .args = STORE_ARGS,
      .handler = cmd_sinterstore },
    { .name = "sintercard",
      .summary = "Counts what several sets have in common.",
      .since = "7.0.0",
      .complexity = INTERSECTION_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_MOVABLE_KEYS,
      .acl = ACL_SET,
      .keys = { { .flags = KEY_RO | KEY_ACCESS,
                  .begin = KEY_BEGIN_INDEX,
                  .begin_index = 1,
                  .find = KEY_FIND_KEYNUM,
                  .keynum_first = 1,
                  .step = 1 } },
      .args = ARGS(
          { .name = "numkeys", .type = ARG_INTEGER },
          { .name = "key", .type = ARG_KEY, .flags = ARG_MULTIPLE },
          { .name = "limit", .type = ARG_INTEGER, .token = "LIMIT", .flags = ARG_OPTIONAL }),
      .handler = cmd_sintercard },
    { .name = "sunion",
      .summary = "Returns what is in any of several sets.",
      .since = "1.0.0",
      .complexity = SUM_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_SET,
      .keys = { KEYS_ALL(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = SOURCE_ARGS,
      .handler = cmd_sunion },
    { .name = "sunionstore",
      .summary = "Stores what is in any of several sets.",
      .since = "1.0.0",
      .complexity = SUM_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE), KEYS_BEHIND_FIRST },
      .args = STORE_ARGS,
      .handler = cmd_sunionstore },
    { .name = "sdiff",
      .summary = "Returns what is in the first of several sets and in none of the others.",
      .since = "1.0.0",
      .complexity = SUM_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_SET,
      .keys = { KEYS_ALL(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = SOURCE_ARGS,
      .handler = cmd_sdiff },
    { .name = "sdiffstore",
      .summary = "Stores what is in the first of several sets and in none of the others.",
      .since = "1.0.0",
      .complexity = SUM_COMPLEXITY,
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_OW | KEY_UPDATE), KEYS_BEHIND_FIRST },
      .args = STORE_ARGS,
      .handler = cmd_sdiffstore },
    { 0 },
};
