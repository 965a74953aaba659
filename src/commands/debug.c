// SPDX-License-Identifier: BSD-3-Clause
// DEBUG: what helps to test the server and its clients.
#include "commands/debug.h"

#include "base/glob.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "commands/tables.h"
#include "persist/aof.h"
#include "persist/loading.h"
#include "persist/snapshot.h"
#include "server/client.h"
#include "server/effects.h"
#include "server/process.h"
#include "server/server.h"
#include "server/settings.h"
#include "store/digest.h"
#include "types/string.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool debug_allowed(const struct cmd_ctx *ctx)
{
    switch ((enum debug_command)ctx->server->settings->debug_command) {
    case DEBUG_COMMAND_YES: return true;
    case DEBUG_COMMAND_LOCAL: return conn_is_local(&ctx->client->conn);
    case DEBUG_COMMAND_NO: break;
    }
    return false;
}

// The entry under a key as it lies there: untouched, and even if its time has come.
static const struct entry *find_as_is(const struct cmd_ctx *ctx, struct slice name)
{
    struct key key = key_of(name);
    const struct table_slot *slot = table_find(&ctx->db->table, key.hash, &key);
    return slot ? table_slot_entry(slot) : NULL;
}

// DEBUG SLEEP seconds: what is no number is 0
static void debug_sleep(struct cmd_ctx *ctx)
{
    double seconds;
    if (parse_double(ctx->argv[2], &seconds) && seconds > 0 && seconds <= INT32_MAX) {
        struct timespec left = { .tv_sec = (time_t)seconds };
        left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
        nanosleep(&left, NULL);
    }
    reply_ok(ctx);
}

// Bytes that the value takes in an RDB file, where nothing is compressed. Types without a rule here
// give the memory they take.
static size_t serialized_length(const struct cmd_ctx *ctx, const struct entry *entry)
{
    if (entry_type(entry) != TYPE_STRING)
        return db_entry_memory(ctx->db, entry);
    int64_t number;
    if (string_int64(entry, &number) && number >= INT32_MIN && number <= INT32_MAX)
        return number == (int8_t)number ? 2 : number == (int16_t)number ? 3 : 5;
    size_t len = string_length(entry);
    return len + (len < 64 ? 1 : len < 16384 ? 2 : 5);
}

// DEBUG OBJECT key
static void debug_object(struct cmd_ctx *ctx)
{
    const struct entry *entry = find_as_is(ctx, ctx->argv[2]);
    if (!entry) {
        reply_error(ctx, ERR_NO_SUCH_KEY);
        return;
    }
    const struct keyspace *keyspace = ctx->server->keyspace;
    const struct type_ops *ops = keyspace->types[entry_type(entry)];
    char line[256];
    int len = snprintf(line, sizeof(line),
                       "Value at:%p refcount:%lld encoding:%s serializedlength:%zu lru:%u "
                       "lru_seconds_idle:%u",
                       (const void *)entry, (long long)(ops->refcount ? ops->refcount(entry) : 1),
                       ops->encoding_name(entry), serialized_length(ctx, entry),
                       entry_access(entry), access_idle_s(&keyspace->access, entry_access(entry)));
    resp_simple(&ctx->reply, (struct slice){ .ptr = line, .len = (size_t)len });
}

// DEBUG SET-ACTIVE-EXPIRE 0|1: what is no number is 0
static void debug_set_active_expire(struct cmd_ctx *ctx)
{
    int64_t on = 0;
    ctx->server->keyspace->sweep_paused = !parse_int64(ctx->argv[2], &on) || on == 0;
    reply_ok(ctx);
}

// DEBUG STRINGMATCH-LEN len pattern: 1 if the pattern matches so many times the letter a, else 0
// Redis 7.0 does not have it, so there was nothing to hold this against.
static void debug_stringmatch_len(struct cmd_ctx *ctx)
{
    int64_t len;
    if (!arg_int64(ctx, 2, &len))
        return;
    if (len < 0 || len > ctx->server->clients->limits.max_bulk) {
        reply_error(ctx, len < 0 ? ERR_NOT_POSITIVE : ERR_STRING_TOO_LONG);
        return;
    }
    size_t bytes = (size_t)len;
    char *text = mem_try_alloc(bytes + 1);
    if (!text) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return;
    }
    memset(text, 'a', bytes);
    reply_int(ctx, glob_match(ctx->argv[3], (struct slice){ .ptr = text, .len = bytes }, false));
    mem_free(text, bytes + 1);
}

static void reply_digest(struct cmd_ctx *ctx, struct digest digest)
{
    char hex[2 * SHA1_BYTES + 1];
    for (size_t i = 0; i < SHA1_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest.bytes[i]);
    resp_simple(&ctx->reply, (struct slice){ .ptr = hex, .len = 2 * SHA1_BYTES });
}

// DEBUG DIGEST
static void debug_digest(struct cmd_ctx *ctx)
{
    reply_digest(ctx, digest_keyspace(ctx->server->keyspace));
}

// DEBUG DIGEST-VALUE [key ...]
static void debug_digest_value(struct cmd_ctx *ctx)
{
    resp_array(&ctx->reply, ctx->argc - 2);
    for (uint32_t i = 2; i < ctx->argc; i++)
        reply_digest(ctx, digest_value(ctx->server->keyspace, find_as_is(ctx, ctx->argv[i])));
}

// What DEBUG POPULATE makes.
struct populate {
    struct slice prefix;
    int64_t count;
    int64_t bytes;  // of each value; 0: as long as its text is
};

// Adds the key `prefix:i` with the value "value:i", cut or filled up with zero bytes, if there is no
// such key. `name` is scratch memory. False: there is no memory.
static bool populate_one(struct cmd_ctx *ctx, const struct populate *populate, int64_t i,
                         struct bytes *name)
{
    bytes_clear(name);
    bytes_append_slice(name, populate->prefix);
    bytes_printf(name, ":%lld", (long long)i);
    struct key key = key_of(bytes_slice(name));
    struct entry_ref ref = db_peek(ctx->db, &key);
    if (ref.entry)
        return true;

    char text[ENTRY_EMBED_MAX] = { 0 };
    size_t len = (size_t)snprintf(text, sizeof(text), "value:%lld", (long long)i);
    size_t bytes = populate->bytes ? (size_t)populate->bytes : len;
    if (bytes <= sizeof(text)) {
        string_set(ctx->db, &key, &ref, (struct slice){ .ptr = text, .len = bytes }, EXPIRY_NONE);
    } else {
        struct blob *blob = blob_try_new(bytes);
        if (!blob)
            return false;
        memset(blob->data, 0, bytes);
        memcpy(blob->data, text, len);
        blob->len = bytes;
        string_set_blob(ctx->db, &key, &ref, blob, EXPIRY_NONE);
    }
    ctx->changes++;
    keyspace_announce(ctx->server->keyspace, KEY_WRITTEN, ctx->db, &key);
    return true;
}

// A number that is not negative; false: the error has been replied.
static bool arg_not_negative(struct cmd_ctx *ctx, uint32_t i, int64_t *out)
{
    if (parse_int64(ctx->argv[i], out) && *out >= 0)
        return true;
    reply_error(ctx, ERR_NOT_POSITIVE);
    return false;
}

// DEBUG POPULATE count [prefix] [size]
static void debug_populate(struct cmd_ctx *ctx)
{
    struct populate populate = { .prefix = SLICE("key") };
    if (!arg_not_negative(ctx, 2, &populate.count))
        return;
    if (ctx->argc > 3)
        populate.prefix = ctx->argv[3];
    if (ctx->argc > 4 && !arg_not_negative(ctx, 4, &populate.bytes))
        return;
    if (populate.bytes > ctx->server->clients->limits.max_bulk) {
        reply_error(ctx, ERR_STRING_TOO_LONG);
        return;
    }
    // A test's data, not to be found elsewhere.
    effect_drop(ctx);
    struct bytes name = { 0 };
    bool done = true;
    for (int64_t i = 0; i < populate.count && done; i++)
        done = populate_one(ctx, &populate, i, &name);
    bytes_release(&name);
    if (done)
        reply_ok(ctx);
    else
        reply_error(ctx, ERR_OUT_OF_MEMORY);
}

// DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]
static void debug_reload(struct cmd_ctx *ctx)
{
    struct snapshot *snapshot = ctx->server->snapshot;
    struct keyspace *keyspace = ctx->server->keyspace;
    bool merge = false;
    bool flush = true;
    bool save = true;
    for (uint32_t i = 2; i < ctx->argc; i++) {
        if (arg_is(ctx, i, "merge"))
            merge = true;
        else if (arg_is(ctx, i, "noflush"))
            flush = false;
        else if (arg_is(ctx, i, "nosave"))
            save = false;
        else {
            reply_error(ctx, ERR_RELOAD_OPTION);
            return;
        }
    }
    if (loading_on(ctx->server->loading) || loading_aside(ctx->server->loading)) {
        reply_error(ctx, ERR_LOADING);
        return;
    }
    // A child's snapshot would put older data in the place of this one.
    if (save && snapshot_save_aside(snapshot) != STATUS_OK) {
        reply_error(ctx, ERR_BARE);
        return;
    }
    for (int i = 0; flush && i < keyspace->db_count; i++)
        db_flush(&keyspace->dbs[i], REMOVED_NOW);
    if (snapshot_reload(snapshot, merge) == STATUS_OK)
        reply_ok(ctx);
    else
        reply_error(ctx, ERR_RELOAD);
}

// DEBUG LOADAOF
static void debug_loadaof(struct cmd_ctx *ctx)
{
    struct server *server = ctx->server;
    if (loading_on(server->loading) || loading_aside(server->loading)) {
        reply_error(ctx, ERR_LOADING);
        return;
    }
    switch (server->aof ? aof_reload(server->aof) : STATUS_NOT_FOUND) {
    case STATUS_OK: reply_ok(ctx); break;
    case STATUS_NOT_FOUND: reply_error(ctx, ERR_LOADAOF_OFF); break;
    case STATUS_INVALID:
        // Nobody is to work with half of the data.
        reply_error(ctx, ERR_LOADAOF);
        (void)process_stop(server->process, STOP_NOSAVE | STOP_NOW | STOP_FORCE);
        break;
    default: reply_error(ctx, ERR_LOADAOF_NOT_WHOLE); break;
    }
}

// DEBUG LISTPACK key
static void debug_listpack(struct cmd_ctx *ctx)
{
    reply_error(ctx, find_as_is(ctx, ctx->argv[2]) ? ERR_NOT_LISTPACK : ERR_NO_SUCH_KEY);
}

// DEBUG LOG message
static void debug_log(struct cmd_ctx *ctx)
{
    // Quoted, lest the message look like lines of the log's own.
    struct bytes text = { 0 };
    bytes_append_quoted(&text, ctx->argv[2]);
    log_warning("DEBUG LOG: %.*s", (int)text.len, text.data);
    bytes_release(&text);
    reply_ok(ctx);
}

// DEBUG ERROR message
static void debug_error(struct cmd_ctx *ctx)
{
    reply_errorf(ctx, "%.*s", (int)ctx->argv[2].len, ctx->argv[2].ptr);
}

// DEBUG HELP
static void debug_help(struct cmd_ctx *ctx)
{
    static const char *const lines[] = {
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DIGEST",
        "    40 digits that are the same wherever the data is the same.",
        "DIGEST-VALUE [<key> ...]",
        "    The same for single values.",
        "ERROR <message>",
        "    Answer this error.",
        "HELP",
        "    These lines.",
        "LISTPACK <key>",
        "    What the value's listpack holds.",
        "LOADAOF",
        "    Write what is pending to the append-only file, delete the data, and load it again.",
        "LOG <message>",
        "    Write a line to the log.",
        "OBJECT <key>",
        "    How the value lies in memory.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Add keys prefix:0, prefix:1 ... that are not there (prefix: key), with the values",
        "    value:0, value:1 ... of so many bytes. They go to no replica.",
        "PROTOCOL <type>",
        "    Answer a value of this type: string, integer, double, bignum, null, array, set, map,",
        "    attrib, push, verbatim, true, false.",
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "    Save the data, delete it (not with NOFLUSH), and load it again. NOSAVE: load what was",
        "    saved before. MERGE: loaded keys win over those that are there.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    0: expired keys stay until somebody asks for them. 1: they are looked for, as usual.",
        "SLEEP <seconds>",
        "    Do nothing for so long, for nobody.",
        "STRINGMATCH-LEN <len> <pattern>",
        "    Whether the pattern matches a text of so many letters a: 1 or 0.",
    };
    reply_help(ctx, lines, sizeof(lines) / sizeof(*lines));
}

// Subcommands that are no commands of their own: COMMAND does not show them.
static const struct {
    const char *name;
    uint32_t argc_min;
    uint32_t argc_max;
    void (*handler)(struct cmd_ctx *ctx);
} subcommands[] = {
    { "digest", 2, 2, debug_digest },
    { "digest-value", 2, UINT32_MAX, debug_digest_value },
    { "error", 3, 3, debug_error },
    { "help", 2, 2, debug_help },
    { "listpack", 3, 3, debug_listpack },
    { "loadaof", 2, UINT32_MAX, debug_loadaof },
    { "log", 3, 3, debug_log },
    { "object", 3, 3, debug_object },
    { "populate", 3, 5, debug_populate },
    { "protocol", 3, 3, debug_protocol },
    { "reload", 2, UINT32_MAX, debug_reload },
    { "set-active-expire", 3, 3, debug_set_active_expire },
    { "sleep", 3, 3, debug_sleep },
    { "stringmatch-len", 4, 4, debug_stringmatch_len },
};

// DEBUG subcommand [argument ...]
static void cmd_debug(struct cmd_ctx *ctx)
{
    if (!debug_allowed(ctx)) {
        reply_error(ctx, ERR_DEBUG_REFUSED);
        return;
    }
    for (size_t i = 0; i < sizeof(subcommands) / sizeof(*subcommands); i++) {
        if (!arg_is(ctx, 1, subcommands[i].name) || ctx->argc < subcommands[i].argc_min ||
            ctx->argc > subcommands[i].argc_max)
            continue;
        subcommands[i].handler(ctx);
        return;
    }
    reply_errorf(ctx,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG HELP.",
                 (int)ctx->argv[1].len, ctx->argv[1].ptr);
}

const struct command debug_commands[] = {
    { .name = "debug",
      .summary = "A container for commands that help to test the server.",
      .since = "1.0.0",
      .complexity = "Depends on subcommand.",
      .group = GROUP_SERVER,
      .arity = -2,
      .flags = CMD_ADMIN | CMD_NOSCRIPT | CMD_LOADING | CMD_STALE | CMD_PROTECTED,
      .is_syscmd = true,
      .handler = cmd_debug },
    { 0 },
};
