// SPDX-License-Identifier: BSD-3-Clause
// What a handler gets: one command of one client, and the replies it can give.
#pragma once

#include "base/bytes.h"
#include "resp/writer.h"
#include "server/notifications.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct command_entry;
struct incoming;
struct server;

// One list yields the enum and the texts.
#define ERROR_ENUM(name, text) name,
#define X(name, text)          ERROR_ENUM(name, text)
enum error_id {
#include "server/errors.def"
    ERROR_COUNT
};
#undef X
#undef ERROR_ENUM

// What goes into the effect stream for a command (server/effects.h).
enum effect_mode {
    EFFECT_VERBATIM,  // the command as it came
    EFFECT_REPLACED,  // what the handler said instead
    EFFECT_DROPPED,   // nothing
};

// Slices live until the batch is over: what must live longer is copied.
struct cmd_ctx {
    struct server *server;
    struct client *client;
    struct db *db;
    struct command_entry *command;
    const struct slice *argv;  // argv[0] is the name
    struct key *keys;          // hashed once, in the order of their positions
    uint32_t argc;
    uint32_t key_count;
    struct resp_writer reply;
    uint64_t changes;  // how much the command changed: the handler adds to it
    enum effect_mode effect_mode;
    uint32_t secret_args;       // those that ctx_redact() was told of, from dispatch() on
    struct slice raw;           // the request's bytes
    bool raw_is_resp;           // raw is one contiguous RESP array
    bool out_of_memory;         // its keys found no room
    bool must_not_wait;         // a blocking command is answered as if its time were over
    bool woken;                 // it has waited, and is run once more
    bool waits;                 // it cannot be answered yet
    bool refused;               // it is not run: a gate, or its arity
    bool protocol_error;        // not a command: the parser refused the bytes
    bool failed;                // has replied with an error, from dispatch() on
    struct incoming *incoming;  // large arguments that arrived apart, or NULL
    size_t argv_first;          // while the batch is being filled
    size_t keys_first;
};

// Error replies; they count in INFO.
void reply_error(struct cmd_ctx *ctx, enum error_id error);
void reply_errorf(struct cmd_ctx *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// "ERR wrong number of arguments for 'x' command" and its kin.
void reply_wrong_arity(struct cmd_ctx *ctx);
void reply_unknown_subcommand(struct cmd_ctx *ctx);
// The same for a subcommand that checks its number of arguments by itself.
void reply_subcommand_arity(struct cmd_ctx *ctx);
void reply_unknown_command(struct cmd_ctx *ctx);

// Short forms of the commonest replies.
static inline void reply_ok(struct cmd_ctx *ctx)
{
    resp_ok(&ctx->reply);
}

static inline void reply_int(struct cmd_ctx *ctx, int64_t value)
{
    resp_int(&ctx->reply, value);
}

static inline void reply_null(struct cmd_ctx *ctx)
{
    resp_null(&ctx->reply);
}

// The help of a container: one line an item, as a plain array of status texts. The first one begins
// with the container's name, in place of which stands what clients call it.
void reply_help(struct cmd_ctx *ctx, const char *const *lines, size_t count);

// Whether an argument is this word, any case.
static inline bool arg_is(const struct cmd_ctx *ctx, uint32_t i, const char *word)
{
    return slice_is(ctx->argv[i], word);
}

// The arguments from this one on are secret together.
#define SECRET_ARGS_REST 31

// Marks an argument as one that neither the slow log nor MONITOR may show: a password.
static inline void ctx_redact(struct cmd_ctx *ctx, uint32_t i)
{
    ctx->secret_args |= UINT32_C(1) << (i < SECRET_ARGS_REST ? i : SECRET_ARGS_REST);
}

// The argument as others may see it once the command has run: itself, or "(redacted)".
static inline struct slice ctx_shown_arg(const struct cmd_ctx *ctx, uint32_t i)
{
    uint32_t bit = i < SECRET_ARGS_REST ? i : SECRET_ARGS_REST;
    return ctx->secret_args >> bit & 1 ? SLICE("(redacted)") : ctx->argv[i];
}

// An integer argument; false: the error has been replied.
bool arg_int64(struct cmd_ctx *ctx, uint32_t i, int64_t *out);
// The same for one that must fit 32 bits.
bool arg_int32(struct cmd_ctx *ctx, uint32_t i, int64_t *out);

// Looks up keys[i] for a read or a write and checks its type: false if it has another one; the error
// has been replied. A missing key gives an empty ref and true.
bool ctx_find_read(struct cmd_ctx *ctx, uint32_t i, enum value_type type, struct entry_ref *out);
bool ctx_find(struct cmd_ctx *ctx, uint32_t i, enum value_type type, struct entry_ref *out);

// What a handler says once it has done something to keys[i]. Each counts and announces the change, and
// tells those who listen to keyspace notifications which event of which class it was.

// A value was set or changed; in another database than the client's.
void ctx_written(struct cmd_ctx *ctx, uint32_t i, enum notify_class class, const char *event);
void ctx_written_in(struct cmd_ctx *ctx, struct db *db, uint32_t i, enum notify_class class,
                    const char *event);

// The key was removed ("del").
void ctx_removed(struct cmd_ctx *ctx, uint32_t i);

// The event took the last element of a collection, and the key went with it.
void ctx_emptied(struct cmd_ctx *ctx, uint32_t i, enum notify_class class, const char *event);

// The value has left this key for another one: what is written there is what counts.
void ctx_moved(struct cmd_ctx *ctx, uint32_t i, const char *event);

// One more event, of a change that has been told of.
void ctx_notify(struct cmd_ctx *ctx, uint32_t i, enum notify_class class, const char *event);
