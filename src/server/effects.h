// SPDX-License-Identifier: BSD-3-Clause
// The effect stream: every write, once, as RESP commands, to whoever keeps or copies them.
//
// What a command changed goes out after it, by default as the client's own bytes. A handler may say
// it otherwise (a relative expiry becomes an absolute one) or say nothing. Keys that expired are DELs
// ahead of the effect of the command that met them. Several effects of one command, or of one transaction, are
// wrapped in MULTI and EXEC. A SELECT goes ahead where the database changes.
// With no sink nothing is built.
#pragma once

#include "base/bytes.h"
#include "server/ctx.h"
#include "store/reclaim.h"

struct effects;

// Registers itself as the keyspace's listener.
struct effects *effects_new(struct server *server);
void effects_free(struct effects *effects);

// A sink gets whole commands, in order; the bytes are valid during the call only.
typedef void (*effect_sink_fn)(void *udata, struct slice resp);
void effects_add_sink(struct effects *effects, effect_sink_fn fn, void *udata);
// The same for one that hears what is said to replicas only, too.
void effects_add_replica_sink(struct effects *effects, effect_sink_fn fn, void *udata);

// To replicas only, and counted by effects_offset(): whole commands of the server's own (PING), which concern no
// database.
void effects_tell_replicas(struct effects *effects, struct slice resp);

// It gets nothing any more.
void effects_remove_sink(struct effects *effects, effect_sink_fn fn, const void *udata);

// At start-up: `fn` is called at the end of each turn of the loop, before any reply is sent. What has been
// fed until then is whole: no transaction is under way.
void effects_on_turn(struct effects *effects, void (*fn)(void *udata), void *udata);

// Bytes that have been fed so far. A client whose replies may have to wait for its writes remembers where its
// last one ended (client->effect_offset).
uint64_t effects_offset(const struct effects *effects);

// The next effect says its database, whatever the one before it was: such a sink begins anew.
void effects_restate_file_db(struct effects *effects);
void effects_restate_replica_db(struct effects *effects);

// Between effects_begin_group() and effects_end_group().
bool effects_in_group(const struct effects *effects);

// Whether anybody listens: building an effect is pointless if not.
bool effects_wanted(const struct effects *effects);

// The command's effect is this command instead of its own bytes; may be called several times, for
// several commands.
void effect_replace(struct cmd_ctx *ctx, const struct slice *words, size_t count);

// The command has no effect on others, whatever it changed here.
void effect_drop(struct cmd_ctx *ctx);

// The command itself is of use to replicas (a message), and is no write: it says so in its handler.
void effect_tell_replicas(struct cmd_ctx *ctx);

// The name of the command that removes keys for this reason as it was done here: DEL, or UNLINK if large values are
// freed later.
struct slice effect_removal(const struct effects *effects, enum removal why);

// What is committed between the two belongs together: MULTI goes ahead of the first of it, and EXEC behind
// the last. One alone goes as it is, and nothing is said if there is none: the first one is held back until it is
// known, which is never beyond the command that runs.
void effects_begin_group(struct effects *effects);
void effects_end_group(struct effects *effects);

// After a command that changed something: sends its effect.
void effects_commit(struct cmd_ctx *ctx);
