// SPDX-License-Identifier: BSD-3-Clause
// Transactions: see transaction.h.
#include "server/transaction.h"

#include "base/memory.h"
#include "base/panic.h"
#include "server/batch.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/effects.h"
#include "server/eviction.h"
#include "server/kept_command.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/watch.h"

#include <string.h>

struct transactions {
    struct watches *watches;
    uint32_t gate;
};

// The command's room stands behind it.
struct queued {
    struct queued *next;
    size_t bytes;  // of the whole allocation
    struct kept_command command;
};

// Of a client that is inside MULTI or watches keys.
struct transaction {
    struct watching watching;
    struct queued *first;
    struct queued *last;
    int length;
    size_t bytes;    // of the queue
    uint32_t gates;  // that what is queued is subject to
    bool failed;     // a command was refused
};

static struct transactions *transactions_of(const struct client *client)
{
    return client->server->transactions;
}

static struct transaction *provide(struct client *client)
{
    if (client->transaction)
        return client->transaction;
    client->transaction = mem_alloc_zeroed(sizeof(*client->transaction));
    watching_init(&client->transaction->watching, client);
    return client->transaction;
}

bool transaction_open(const struct client *client)
{
    return client->flags & CLIENT_MULTI;
}

void transaction_begin(struct client *client)
{
    provide(client);
    client->flags |= CLIENT_MULTI;
    client->gates |= transactions_of(client)->gate;
}

static void free_queue(struct transaction *transaction)
{
    struct queued *next;
    for (struct queued *queued = transaction->first; queued; queued = next) {
        next = queued->next;
        kept_command_release(&queued->command);
        mem_free(queued, queued->bytes);
    }
}

void transaction_discard(struct client *client)
{
    struct transaction *transaction = client->transaction;
    client->flags &= ~(uint32_t)(CLIENT_MULTI | CLIENT_TOUCHED);
    client->gates &= ~transactions_of(client)->gate;
    if (!transaction)
        return;
    watching_end(transactions_of(client)->watches, &transaction->watching);
    free_queue(transaction);
    mem_free(transaction, sizeof(*transaction));
    client->transaction = NULL;
}

// --- Queueing -----------------------------------------------------------------------------------

// EXEC, and no other: how it says that it is not run.
static bool is_exec(const struct command *row)
{
    return row->refusal != NULL;
}

// All but those that end a transaction whatever the state of the server.
static bool is_concerned(const struct command *row)
{
    return strcmp(row->name, "discard") != 0 && strcmp(row->name, "quit") != 0 &&
           strcmp(row->name, "reset") != 0;
}

// These answer inside MULTI, too: that they must not be there.
static bool answers_itself(const struct command *row)
{
    return strcmp(row->name, "multi") == 0 || strcmp(row->name, "watch") == 0;
}

static void add(struct cmd_ctx *ctx)
{
    struct transaction *transaction = ctx->client->transaction;
    size_t bytes = sizeof(struct queued) + kept_command_bytes(ctx);
    struct queued *queued = mem_try_alloc(bytes);
    if (!queued) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return;
    }
    *queued = (struct queued){ .bytes = bytes };
    kept_command_init(&queued->command, ctx, queued + 1);
    if (transaction->last)
        transaction->last->next = queued;
    else
        transaction->first = queued;
    transaction->last = queued;
    transaction->length++;
    transaction->bytes += bytes + kept_command_memory(&queued->command);
    transaction->gates |= ctx->command->gates;
    resp_simple(&ctx->reply, SLICE("QUEUED"));
    batch_limit_request(ctx->client, transaction->bytes);
}

// What our primary sends has passed its own gates.
static bool is_obeyed(const struct cmd_ctx *ctx)
{
    return ctx->client->flags & CLIENT_PRIMARY;
}

static bool refuse_queued(struct cmd_ctx *ctx)
{
    const struct server *server = ctx->server;
    if (is_obeyed(ctx))
        return false;
    uint32_t gates = transaction_gates(ctx->client, ctx->command) & ~server->transactions->gate;
    uint32_t shut = gates & (ctx->client->gates | server->gates);
    return shut && registry_ask_gates(server->registry, shut, ctx);
}

static bool refused_behind(struct cmd_ctx *ctx)
{
    const struct server *server = ctx->server;
    uint32_t own = server->transactions->gate;
    uint32_t behind = ctx->command->gates & server->gates & ~(own | (own - 1));
    return behind && registry_ask_gates(server->registry, behind, ctx);
}

static bool queue(struct cmd_ctx *ctx)
{
    const struct command *row = ctx->command->row;
    if (is_exec(row))
        return refuse_queued(ctx);
    if (row->flags & CMD_NO_MULTI) {
        reply_error(ctx, ERR_NO_MULTI);
        return true;
    }
    // Whatever it is, it would take memory.
    if (!is_obeyed(ctx) && eviction_refuses(ctx))
        return true;
    if (answers_itself(row))
        return false;
    // Queued or not, what the gates behind this one refuse is refused now.
    if (!is_obeyed(ctx) && refused_behind(ctx))
        return true;
    add(ctx);
    return true;
}

void transaction_refused(const struct cmd_ctx *ctx)
{
    struct client *client = ctx->client;
    if (!client->transaction || !ctx->failed)
        return;
    if (ctx->command && is_exec(ctx->command->row))
        transaction_discard(client);
    else if (transaction_open(client))
        client->transaction->failed = true;
}

uint32_t transaction_gates(const struct client *client, const struct command_entry *command)
{
    return client->transaction && is_exec(command->row) ? client->transaction->gates : 0;
}

// --- Running ------------------------------------------------------------------------------------

static void run_queue(struct cmd_ctx *exec)
{
    struct server *server = exec->server;
    struct client *client = exec->client;
    bool untouched = server->keyspace->untouched;
    struct outq *out = exec->reply.out;
    struct outq nowhere;
    outq_init(&nowhere, &server->clients->pool);
    for (struct queued *queued = client->transaction->first; queued; queued = queued->next) {
        // What a command before it has had turned off, or the connection closed.
        if (client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY | CLIENT_REPLY_OFF))
            out = &nowhere;
        struct cmd_ctx ctx = kept_command_context(&queued->command, client, out);
        ctx.must_not_wait = true;
        server->keyspace->untouched = client->flags & CLIENT_NO_TOUCH;
        dispatch_admitted(&ctx);
        out = ctx.reply.out;
        outq_clear(&nowhere);
        kept_command_release(&queued->command);
        client_output_added(client);
    }
    server->keyspace->untouched = untouched;
}

void transaction_exec(struct cmd_ctx *ctx)
{
    struct client *client = ctx->client;
    struct transaction *transaction = client->transaction;
    bool touched = client->flags & CLIENT_TOUCHED || watching_expired(&transaction->watching);
    watching_end(transactions_of(client)->watches, &transaction->watching);
    if (transaction->failed) {
        reply_error(ctx, ERR_EXEC_ABORT);
    } else if (touched) {
        resp_null_array(&ctx->reply);
    } else {
        resp_array(&ctx->reply, (size_t)transaction->length);
        effects_begin_group(ctx->server->effects);
        run_queue(ctx);
        effects_end_group(ctx->server->effects);
    }
    transaction_discard(client);
}

// --- Watching -----------------------------------------------------------------------------------

bool watch_key(struct cmd_ctx *ctx, uint32_t i)
{
    struct client *client = ctx->client;
    // One that has been touched already tells enough.
    if (client->flags & CLIENT_TOUCHED)
        return true;
    return watching_add(transactions_of(client)->watches, &provide(client)->watching, ctx->db,
                        &ctx->keys[i]);
}

void watch_end(struct client *client)
{
    client->flags &= ~(uint32_t)CLIENT_TOUCHED;
    // Inside EXEC nothing is watched any more.
    if (!transaction_open(client))
        transaction_discard(client);
}

// --- Figures ------------------------------------------------------------------------------------

size_t transaction_queue_memory(const struct client *client)
{
    return client->transaction ? client->transaction->bytes : 0;
}

size_t transaction_memory(const struct client *client)
{
    const struct transaction *transaction = client->transaction;
    if (!transaction)
        return 0;
    return sizeof(*transaction) + transaction->bytes + transaction->watching.bytes;
}

int transaction_length(const struct client *client)
{
    return transaction_open(client) ? client->transaction->length : -1;
}

struct transactions *transactions_new(struct server *server)
{
    struct transactions *transactions = mem_alloc_zeroed(sizeof(*transactions));
    transactions->watches = watches_new(server);
    // What refuses a command does so before it is queued.
    transactions->gate = registry_add_last_gate(server->registry, is_concerned, queue);
    return transactions;
}

void transactions_free(struct transactions *transactions)
{
    watches_free(transactions->watches);
    mem_free(transactions, sizeof(*transactions));
}
