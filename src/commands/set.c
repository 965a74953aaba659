// SPDX-License-Identifier: BSD-3-Clause
// Sets and their members: SADD SREM SCARD SISMEMBER SMISMEMBER SMEMBERS SMOVE SSCAN.
#include "types/set.h"

#include "commands/scan_args.h"
#include "commands/set_reply.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/server.h"

// Makes members of the arguments from `first` on, up to SET_BATCH of them, and returns how many.
static size_t take_batch(const struct cmd_ctx *ctx, uint32_t first, struct set_member *members)
{
    size_t count = 0;
    for (uint32_t i = first; i < ctx->argc && count < SET_BATCH; i++)
        set_member_init(&members[count++], ctx->argv[i]);
    return count;
}

static struct entry *new_set(const struct cmd_ctx *ctx, uint32_t key, struct set_member *member,
                             size_t expected)
{
    return set_new(key_slice(&ctx->keys[key]), ctx->db->keyspace->access_clock, ctx->server->limits,
                   member, expected);
}

// Adds the batch to the set, which is made if it is NULL. Returns how many are new.
static size_t add_batch(const struct cmd_ctx *ctx, struct entry **entry, struct set_member *members,
                        size_t count)
{
    size_t i = 0;
    size_t added = 0;
    if (!*entry) {
        *entry = new_set(ctx, 0, &members[i++], ctx->argc - 2);
        added++;
    }
    set_prefetch(*entry, members, set_batch_all(count));
    for (; i < count; i++)
        added += set_add(entry, ctx->server->limits, &members[i]);
    return added;
}

// SADD key member [member ...]
static void cmd_sadd(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_SET, &ref))
        return;
    struct entry *entry = ref.entry;
    size_t added = 0;
    size_t count;
    if (entry)
        set_expect(&entry, ctx->server->limits, ctx->argc - 2);
    for (uint32_t i = 2; i < ctx->argc; i += (uint32_t)count) {
        struct set_member members[SET_BATCH];
        count = take_batch(ctx, i, members);
        added += add_batch(ctx, &entry, members, count);
    }
    if (ref.entry)
        db_entry_changed(&ref, entry);
    else
        db_insert(ctx->db, &ctx->keys[0], entry);
    if (added > 0) {
        ctx_written(ctx, 0, NOTIFY_SET, "sadd");
        ctx->changes += added - 1;
    }
    reply_int(ctx, (int64_t)added);
}

// The set at keys[i] has lost a member: it is gone with the last.
static void note_removal(struct cmd_ctx *ctx, uint32_t i, struct entry_ref *ref,
                         struct entry *entry)
{
    db_entry_changed(ref, entry);
    if (set_count(entry) > 0) {
        ctx_written(ctx, i, NOTIFY_SET, "srem");
        return;
    }
    db_remove(ctx->db, &ctx->keys[i], *ref);
    ctx_emptied(ctx, i, NOTIFY_SET, "srem");
}

// SREM key member [member ...]
static void cmd_srem(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_SET, &ref))
        return;
    struct entry *entry = ref.entry;
    size_t removed = 0;
    size_t count;
    for (uint32_t i = 2; entry && i < ctx->argc && set_count(entry) > 0; i += (uint32_t)count) {
        struct set_member members[SET_BATCH];
        count = take_batch(ctx, i, members);
        set_prefetch(entry, members, set_batch_all(count));
        for (size_t j = 0; j < count && set_count(entry) > 0; j++)
            removed += set_remove(&entry, &members[j]);
    }
    if (removed > 0) {
        note_removal(ctx, 0, &ref, entry);
        ctx->changes += removed - 1;
    }
    reply_int(ctx, (int64_t)removed);
}

// SCARD key
static void cmd_scard(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (ctx_find_read(ctx, 0, TYPE_SET, &ref))
        reply_int(ctx, ref.entry ? (int64_t)set_count(ref.entry) : 0);
}

// SISMEMBER key member
static void cmd_sismember(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_SET, &ref))
        return;
    struct set_member member;
    set_member_init(&member, ctx->argv[2]);
    reply_int(ctx, ref.entry && set_has(ref.entry, &member));
}

// SMISMEMBER key member [member ...]
static void cmd_smismember(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_SET, &ref))
        return;
    size_t count;
    resp_array(&ctx->reply, ctx->argc - 2);
    for (uint32_t i = 2; i < ctx->argc; i += (uint32_t)count) {
        struct set_member members[SET_BATCH];
        count = take_batch(ctx, i, members);
        uint32_t found = ref.entry ? set_has_many(ref.entry, members, set_batch_all(count)) : 0;
        for (size_t j = 0; j < count; j++)
            reply_int(ctx, found >> j & 1);
    }
}

// SMEMBERS key
static void cmd_smembers(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_SET, &ref))
        return;
    resp_set(&ctx->reply, ref.entry ? set_count(ref.entry) : 0);
    if (ref.entry)
        reply_members(&ctx->reply, ref.entry);
}

// Adds the member to the set at keys[1], which has been looked up; true if it is new there.
static bool add_to_destination(struct cmd_ctx *ctx, struct set_member *member)
{
    struct entry_ref ref = db_peek(ctx->db, &ctx->keys[1]);
    if (!ref.entry) {
        db_insert(ctx->db, &ctx->keys[1], new_set(ctx, 1, member, 1));
        return true;
    }
    struct entry *entry = ref.entry;
    bool added = set_add(&entry, ctx->server->limits, member);
    db_entry_changed(&ref, entry);
    return added;
}

// SMOVE source destination member
static void cmd_smove(struct cmd_ctx *ctx)
{
    struct entry_ref source;
    struct entry_ref destination;
    if (!ctx_find(ctx, 0, TYPE_SET, &source))
        return;
    if (!source.entry) {
        reply_int(ctx, 0);
        return;
    }
    if (!ctx_find(ctx, 1, TYPE_SET, &destination))
        return;
    // If the destination has just expired, the reference to the source died with it.
    if (!destination.entry)
        source = db_find(ctx->db, &ctx->keys[0]);
    struct set_member member;
    set_member_init(&member, ctx->argv[3]);
    if (source.entry == destination.entry) {
        reply_int(ctx, set_has(source.entry, &member));
        return;
    }
    struct entry *entry = source.entry;
    if (!set_remove(&entry, &member)) {
        reply_int(ctx, 0);
        return;
    }
    note_removal(ctx, 0, &source, entry);
    // The reference to the destination may have died with the source.
    if (add_to_destination(ctx, &member))
        ctx_written(ctx, 1, NOTIFY_SET, "sadd");
    reply_int(ctx, 1);
}

struct member_scan {
    struct scan scan;
    const struct entry *entry;
};

static void emit_scanned(struct set_member *member, void *udata)
{
    struct member_scan *scan = udata;
    scan->scan.visited++;
    if (!scan_matches(&scan->scan, set_member_text(member)))
        return;
    resp_bulk_slice(&scan->scan.ctx->reply, set_member_text(member));
    scan->scan.emitted++;
}

static uint64_t scan_step(struct scan *scan, uint64_t cursor, void *udata)
{
    (void)scan;
    struct member_scan *members = udata;
    return set_scan(members->entry, cursor, emit_scanned, members);
}

// SSCAN key cursor [MATCH pattern] [COUNT count]
static void cmd_sscan(struct cmd_ctx *ctx)
{
    struct member_scan scan = { .scan = scan_of(ctx) };
    struct entry_ref ref;
    if (!scan_arg_cursor(&scan.scan, 2) || !ctx_find_read(ctx, 0, TYPE_SET, &ref))
        return;
    if (!ref.entry) {
        scan_reply_nothing(ctx);
        return;
    }
    for (uint32_t i = 3; i < ctx->argc; i += 2) {
        int taken = scan_arg_option(&scan.scan, i);
        if (taken == 0)
            reply_error(ctx, ERR_SYNTAX);
        if (taken <= 0)
            return;
    }
    scan.entry = ref.entry;
    scan_run(&scan.scan, scan_step, &scan);
}

const struct command set_commands[] = {
    { .name = "sadd",
      .summary = "Adds members to a set, which is made if there is none.",
      .since = "1.0.0",
      .complexity = "O(1) a member, so O(N) where N is the number of members given",
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_DENYOOM | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_INSERT) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_sadd },
    { .name = "srem",
      .summary = "Removes members from a set, and the set with its last one.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of members given",
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_DELETE) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_srem },
    { .name = "scard",
      .summary = "Counts the members of a set.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SET,
      .arity = 2,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RO) },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_scard },
    { .name = "sismember",
      .summary = "Tells whether a set has a member.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SET,
      .arity = 3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RO) },
      .element = 2,
      .args = ARGS({ .name = "key", .type = ARG_KEY }, { .name = "member", .type = ARG_STRING }),
      .handler = cmd_sismember },
    { .name = "smismember",
      .summary = "Tells for each of several members whether a set has it.",
      .since = "6.2.0",
      .complexity = "O(N) where N is the number of members given",
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_READONLY | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .args = ARGS({ .name = "key", .type = ARG_KEY },
                   { .name = "member", .type = ARG_STRING, .flags = ARG_MULTIPLE }),
      .handler = cmd_smismember },
    { .name = "smembers",
      .summary = "Returns all members of a set.",
      .since = "1.0.0",
      .complexity = "O(N) where N is the number of members",
      .group = GROUP_SET,
      .arity = 2,
      .flags = CMD_READONLY,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output_order" },
      .args = ARGS({ .name = "key", .type = ARG_KEY }),
      .handler = cmd_smembers },
    { .name = "smove",
      .summary = "Moves a member from one set to another.",
      .since = "1.0.0",
      .complexity = "O(1)",
      .group = GROUP_SET,
      .arity = 4,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE), KEYS_SECOND(KEY_RW | KEY_INSERT) },
      .args = ARGS({ .name = "source", .type = ARG_KEY },
                   { .name = "destination", .type = ARG_KEY, .key_spec = 1 },
                   { .name = "member", .type = ARG_STRING }),
      .handler = cmd_smove },
    { .name = "sscan",
      .summary = "Walks the members of a set, some a call.",
      .since = "2.8.0",
      .complexity = "O(1) a call; O(N) for a whole walk where N is the number of members",
      .group = GROUP_SET,
      .arity = -3,
      .flags = CMD_READONLY,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY }, { .name = "cursor", .type = ARG_INTEGER },
          { .name = "pattern", .type = ARG_PATTERN, .token = "MATCH", .flags = ARG_OPTIONAL },
          { .name = "count", .type = ARG_INTEGER, .token = "COUNT", .flags = ARG_OPTIONAL }),
      .handler = cmd_sscan },
    { 0 },
};
