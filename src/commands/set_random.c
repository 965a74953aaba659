// SPDX-License-Identifier: BSD-3-Clause
// Random members of sets: SPOP SRANDMEMBER.
#include "types/set.h"

#include "base/numbers.h"
#include "commands/random_pick.h"
#include "commands/set_reply.h"
#include "commands/tables.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "server/server.h"

// Members, and about as many bytes, that one effect of SPOP names.
#define EFFECT_MEMBERS 64
#define EFFECT_BYTES   ((size_t)64 << 10)

// What a pop has taken out: the effect names it.
struct popped {
    struct cmd_ctx *ctx;
    struct bytes texts;
    size_t lens[EFFECT_MEMBERS];
    size_t count;
};

static void flush_popped(struct popped *popped)
{
    struct slice words[2 + EFFECT_MEMBERS] = { SLICE("SREM"), key_slice(&popped->ctx->keys[0]) };
    // There are no bytes at all if the only member is the empty text.
    const char *at = popped->texts.data ? popped->texts.data : "";
    if (popped->count == 0)
        return;
    for (size_t i = 0; i < popped->count; i++) {
        words[2 + i] = (struct slice){ .ptr = at, .len = popped->lens[i] };
        at += popped->lens[i];
    }
    effect_replace(popped->ctx, words, 2 + popped->count);
    popped->count = 0;
    bytes_clear(&popped->texts);
}

static void note_popped(struct popped *popped, struct slice text)
{
    if (!effects_wanted(popped->ctx->server->effects))
        return;
    bytes_append_slice(&popped->texts, text);
    popped->lens[popped->count++] = text.len;
    if (popped->count == EFFECT_MEMBERS || popped->texts.len >= EFFECT_BYTES)
        flush_popped(popped);
}

// Takes `count` members out of the set at `ref` (at most all but one, or the only one) and replies
// them.
static void pop(struct cmd_ctx *ctx, struct entry_ref *ref, size_t count)
{
    struct popped popped = { .ctx = ctx };
    struct entry *entry = ref->entry;
    for (size_t i = 0; i < count; i++) {
        struct set_member member;
        set_random(entry, &ctx->db->keyspace->random, &member);
        reply_member(&ctx->reply, &member);
        note_popped(&popped, set_member_text(&member));
        set_remove(&entry, &member);
    }
    flush_popped(&popped);
    bytes_release(&popped.texts);
    db_entry_changed(ref, entry);
    ctx->changes += count - 1;
}

static void remove_set(struct cmd_ctx *ctx, struct entry_ref ref)
{
    db_remove(ctx->db, &ctx->keys[0], ref);
    ctx_emptied(ctx, 0, NOTIFY_SET, "spop");
}

static void pop_one(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find(ctx, 0, TYPE_SET, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    pop(ctx, &ref, 1);
    if (set_count(ref.entry) == 0)
        remove_set(ctx, ref);
    else
        ctx_written(ctx, 0, NOTIFY_SET, "spop");
}

static void pop_all(struct cmd_ctx *ctx, struct entry_ref ref)
{
    size_t count = set_count(ref.entry);
    resp_set(&ctx->reply, count);
    reply_members(&ctx->reply, ref.entry);
    effect_replace(ctx, (struct slice[]){ SLICE("DEL"), key_slice(&ctx->keys[0]) }, 2);
    remove_set(ctx, ref);
    ctx->changes += count - 1;
}

// SPOP key [count]
static void cmd_spop(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    int64_t count;
    if (ctx->argc == 2) {
        pop_one(ctx);
        return;
    }
    if (ctx->argc > 3) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    if (!parse_int64(ctx->argv[2], &count) || count < 0) {
        reply_error(ctx, ERR_NOT_POSITIVE);
        return;
    }
    if (!ctx_find(ctx, 0, TYPE_SET, &ref))
        return;
    if (!ref.entry || count == 0) {
        resp_set(&ctx->reply, 0);
    } else if ((size_t)count >= set_count(ref.entry)) {
        pop_all(ctx, ref);
    } else {
        resp_set(&ctx->reply, (size_t)count);
        pop(ctx, &ref, (size_t)count);
        ctx_written(ctx, 0, NOTIFY_SET, "spop");
    }
}

static void emit_member(struct set_member *member, void *udata)
{
    struct cmd_ctx *ctx = udata;
    reply_member(&ctx->reply, member);
}

// Different members, at most all.
static void reply_different(struct cmd_ctx *ctx, const struct entry *entry, size_t count)
{
    size_t have = set_count(entry);
    if (count > have)
        count = have;
    resp_array(&ctx->reply, count);
    set_sample(entry, &ctx->db->keyspace->random, count, emit_member, ctx);
}

static void choose(const struct random_pick *pick, const struct entry *entry)
{
    struct set_member member;
    set_random(entry, &pick->ctx->db->keyspace->random, &member);
    reply_member(&pick->ctx->reply, &member);
}

static void reply_one(struct cmd_ctx *ctx)
{
    struct entry_ref ref;
    if (!ctx_find_read(ctx, 0, TYPE_SET, &ref))
        return;
    if (!ref.entry) {
        reply_null(ctx);
        return;
    }
    struct set_member member;
    set_random(ref.entry, &ctx->db->keyspace->random, &member);
    reply_member(&ctx->reply, &member);
}

// SRANDMEMBER key [count]
static void cmd_srandmember(struct cmd_ctx *ctx)
{
    struct random_pick pick = { .ctx = ctx };
    struct entry_ref ref;
    if (ctx->argc == 2) {
        reply_one(ctx);
        return;
    }
    if (ctx->argc > 3) {
        reply_error(ctx, ERR_SYNTAX);
        return;
    }
    if (!random_arg_count(&pick) || !ctx_find_read(ctx, 0, TYPE_SET, &ref))
        return;
    if (!ref.entry || pick.count == 0)
        resp_array(&ctx->reply, 0);
    else if (pick.count > 0)
        reply_different(ctx, ref.entry, (size_t)pick.count);
    else
        random_reply_repeated(&pick, ref.entry, choose);
}

const struct command set_random_commands[] = {
    { .name = "spop",
      .summary = "Takes random members out of a set and returns them.",
      .since = "1.0.0",
      .complexity = "O(1) without a count, else O(N) where N is the count",
      .group = GROUP_SET,
      .arity = -2,
      .flags = CMD_WRITE | CMD_FAST,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RW | KEY_ACCESS | KEY_DELETE) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY },
          { .name = "count", .type = ARG_INTEGER, .since = "3.2.0", .flags = ARG_OPTIONAL }),
      .handler = cmd_spop },
    { .name = "srandmember",
      .summary = "Returns random members of a set: different ones, or, for a negative count, any.",
      .since = "1.0.0",
      .complexity = "O(1) without a count, else O(N) where N is the count without its sign",
      .group = GROUP_SET,
      .arity = -2,
      .flags = CMD_READONLY,
      .acl = ACL_SET,
      .keys = { KEYS_FIRST(KEY_RO | KEY_ACCESS) },
      .tips = { "nondeterministic_output" },
      .args = ARGS(
          { .name = "key", .type = ARG_KEY },
          { .name = "count", .type = ARG_INTEGER, .since = "2.6.0", .flags = ARG_OPTIONAL }),
      .handler = cmd_srandmember },
    { 0 },
};
