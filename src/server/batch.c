// SPDX-License-Identifier: BSD-3-Clause
// The way of a command: see batch.h.
#include "server/batch_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/arena.h"
#include "resp/request.h"
#include "server/block.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/effects.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/server.h"
#include "server/transaction.h"

// The keys' array is kept up to this many.
#define BATCH_KEYS_KEEP 16384

// Displaced entries of a batch that are worth a second step.
#define PREFETCH_DISPLACED 32

// Commands that one client runs in one turn of the loop.
#define TURN_COMMANDS 2048

static void run_hook(void *udata)
{
    batch_run(udata);
}

struct batch *batch_new(struct server *server)
{
    struct batch *batch = mem_alloc_zeroed(sizeof(*batch));
    batch->server = server;
    arena_init(&batch->arena);
    list_init(&batch->ready);
    list_init(&batch->settling);
    list_init(&batch->deferred);
    list_init(&batch->behind);
    list_init(&batch->gated);
    batch->key_cap = BATCH_KEYS;
    batch->keys = mem_alloc(batch->key_cap * sizeof(*batch->keys));
    loop_on_ready(server->loop, run_hook, batch);
    return batch;
}

void batch_free(struct batch *batch)
{
    arena_release(&batch->arena);
    resp_argv_release(&batch->argv);
    mem_free(batch->keys, batch->key_cap * sizeof(*batch->keys));
    mem_free(batch, sizeof(*batch));
}

const char *batch_running(const struct batch *batch, unsigned long long *client_id)
{
    const struct cmd_ctx *ctx = batch->running;
    if (!ctx || !ctx->command)
        return NULL;
    *client_id = ctx->client->id;
    return ctx->command->full_name;
}

const struct client *batch_running_client(const struct batch *batch)
{
    return batch->running ? batch->running->client : NULL;
}

// --- Filling the batch --------------------------------------------------------------------------

// Room for `count` more keys: how many there are is the client's choice.
MUST_CHECK static bool reserve_keys(struct batch *batch, size_t count)
{
    size_t wanted = batch->key_count + count;
    if (likely(wanted <= batch->key_cap))
        return true;
    size_t cap = wanted > batch->key_cap * 2 ? wanted : batch->key_cap * 2;
    struct key *keys = mem_try_realloc(batch->keys, batch->key_cap * sizeof(*keys),
                                       cap * sizeof(*keys));
    if (!keys)
        return false;
    batch->keys = keys;
    batch->key_cap = cap;
    return true;
}

// Gives back what an unusual request has made the array grow by.
static void forget_keys(struct batch *batch)
{
    batch->key_count = 0;
    if (likely(batch->key_cap <= BATCH_KEYS_KEEP))
        return;
    mem_free(batch->keys, batch->key_cap * sizeof(*batch->keys));
    batch->keys = mem_alloc(BATCH_KEYS * sizeof(*batch->keys));
    batch->key_cap = BATCH_KEYS;
}

static void add_key(struct batch *batch, const struct client *client, struct slice name)
{
    struct key key = key_of(name);
    db_prefetch_bucket(client->db, key.hash);
    batch->keys[batch->key_count++] = key;
}

// False: no memory.
MUST_CHECK static bool add_complex_keys(struct batch *batch, const struct cmd_ctx *ctx)
{
    struct key_place few[BATCH_KEYS];
    int count = registry_find_keys(ctx->command, ctx->argv, ctx->argc, few, BATCH_KEYS);
    if (count <= 0)
        return true;
    struct key_place *places = few;
    size_t bytes = 0;
    if (unlikely(count > BATCH_KEYS)) {
        bytes = (size_t)count * sizeof(*places);
        places = mem_try_alloc(bytes);
        if (!places)
            return false;
        registry_find_keys(ctx->command, ctx->argv, ctx->argc, places, count);
    }
    bool room = reserve_keys(batch, (size_t)count);
    for (int i = 0; room && i < count; i++)
        add_key(batch, ctx->client, ctx->argv[places[i].position]);
    if (unlikely(bytes))
        mem_free(places, bytes);
    return room;
}

// Hashes the command's keys; their places in the batch's array follow one another.
static void add_keys(struct batch *batch, struct cmd_ctx *ctx)
{
    const struct command_entry *command = ctx->command;
    ctx->keys_first = batch->key_count;
    if (unlikely(!command))
        return;
    batch->elements += command->element != 0;
    if (likely(command->key_first)) {
        int64_t last = command->key_last >= 0 ? command->key_last
                                              : (int64_t)ctx->argc + command->key_last;
        if (last >= (int64_t)ctx->argc)
            last = (int64_t)ctx->argc - 1;
        if (unlikely(!reserve_keys(batch, ctx->argc)))
            ctx->out_of_memory = true;
        for (int64_t i = command->key_first; i <= last && !ctx->out_of_memory;
             i += command->key_step)
            add_key(batch, ctx->client, ctx->argv[i]);
    } else if (unlikely(command->keys_complex)) {
        ctx->out_of_memory = !add_complex_keys(batch, ctx);
    }
    ctx->key_count = (uint32_t)(batch->key_count - ctx->keys_first);
}

static struct cmd_ctx *new_command(struct batch *batch, struct client *client)
{
    struct cmd_ctx *ctx = &batch->commands[batch->count++];
    ctx->server = batch->server;
    ctx->client = client;
    ctx->db = client->db;
    ctx->command = NULL;
    ctx->argc = 0;
    ctx->key_count = 0;
    ctx->reply.out = &client->conn.out;
    ctx->changes = 0;
    ctx->effect_mode = EFFECT_VERBATIM;
    ctx->incoming = NULL;
    ctx->out_of_memory = false;
    ctx->protocol_error = false;
    ctx->must_not_wait = false;
    ctx->woken = false;
    ctx->waits = false;
    ctx->refused = false;
    ctx->argv_first = ctx->keys_first = 0;
    return ctx;
}

static const struct command_entry *add_command(struct batch *batch, struct client *client,
                                               const struct resp_command *parsed, const char *start)
{
    struct cmd_ctx *ctx = new_command(batch, client);
    ctx->argv_first = parsed->argv_first;
    ctx->argc = parsed->argc;
    ctx->raw = (struct slice){ .ptr = start, .len = parsed->consumed };
    ctx->raw_is_resp = !parsed->is_inline && !parsed->detached;
    if (unlikely(parsed->detached)) {
        ctx->incoming = client->incoming;
        client->incoming = NULL;
    }
    // The array may still move while the batch is being filled: execute_one() sets it again.
    ctx->argv = batch->argv.items + parsed->argv_first;
    dispatch_resolve(ctx);
    add_keys(batch, ctx);
    return ctx->command;
}

static bool batch_full(const struct batch *batch)
{
    return batch->count == BATCH_COMMANDS || batch->key_count >= BATCH_KEYS;
}

// --- Waiting ------------------------------------------------------------------------------------

void batch_hold(struct batch *batch, struct client *client)
{
    if (client->flags & CLIENT_HELD)
        return;
    client->flags |= CLIENT_HELD;
    batch->server->clients->held++;
}

// A client that waited reads on, and what it has sent is run.
static void go_on(struct batch *batch, struct client *client)
{
    conn_resume_reading(&client->conn);
    if (client->input.len == 0 || incoming_active(client->incoming))
        return;
    list_append(&batch->ready, &client->ready_link);
    loop_keep_awake(batch->server->loop, &batch->waker, true);
}

void batch_resume(struct batch *batch, struct client *client)
{
    if (!(client->flags & CLIENT_HELD))
        return;
    client->flags &= ~(uint32_t)CLIENT_HELD;
    batch->server->clients->held--;
    list_remove(&client->ready_link);
    if (!(client->flags & (CLIENT_CLOSING | CLIENT_PARKED)))
        go_on(batch, client);
}

void batch_park(struct batch *batch, struct client *client)
{
    (void)batch;
    client->flags |= CLIENT_PARKED;
    // One that is held may stand at a gate.
    if (!(client->flags & CLIENT_HELD))
        list_remove(&client->ready_link);
}

void batch_unpark(struct batch *batch, struct client *client)
{
    client->flags &= ~(uint32_t)CLIENT_PARKED;
    if (!(client->flags & (CLIENT_CLOSING | CLIENT_HELD)))
        go_on(batch, client);
}

void batch_resume_held(struct batch *batch)
{
    struct list_link *link;
    while ((link = list_first(&batch->gated)) != NULL)
        batch_resume(batch, LIST_ITEM(link, struct client, ready_link));
}

// Whether the command has to wait at one of the gates that hold.
static bool waits(const struct batch *batch, struct client *client,
                  const struct resp_command *parsed)
{
    struct cmd_ctx ctx = {
        .server = batch->server,
        .client = client,
        .argv = batch->argv.items + parsed->argv_first,
        .argc = parsed->argc,
    };
    dispatch_resolve(&ctx);
    client->last_command = ctx.command ? ctx.command : client->last_command;
    if (!ctx.command || !dispatch_right_arity(ctx.command, ctx.argc))
        return false;
    uint32_t gates = ctx.command->gates | transaction_gates(client, ctx.command);
    return gates & batch->server->holds;
}

static void put_at_gate(struct batch *batch, struct client *client)
{
    batch_settle(client);
    list_remove(&client->ready_link);
    list_append(&batch->gated, &client->ready_link);
    batch_hold(batch, client);
}

// Lets the client wait in front of the command that was just parsed, its first one in this batch.
static void wait_at_gate(struct batch *batch, struct client *client,
                         const struct resp_command *parsed)
{
    struct client_input *input = &client->input;
    if (parsed->is_inline) {
        // Its quotes are gone: it cannot be parsed a second time as it is.
        struct bytes again = { 0 };
        resp_append_request(&again, batch->argv.items + parsed->argv_first, parsed->argc);
        bytes_append(&again, input->buf + input->pos + parsed->consumed,
                     input->len - input->pos - parsed->consumed);
        bytes_release(&input->own);
        input->own = again;
        input->buf = again.data;
        input->pos = 0;
        input->len = again.len;
    }
    batch->argv.len = parsed->argv_first;
    put_at_gate(batch, client);
}

// --- Filling the batch --------------------------------------------------------------------------

// Lets a client be on another list than the ready one.
static void move_to(struct list *list, struct client *client)
{
    list_remove(&client->ready_link);
    list_append(list, &client->ready_link);
}

// What a client may have in one batch.
struct share {
    const struct resp_limits *limits;
    bool one_at_a_time;  // what it may send next depends on this one
    bool held;           // commands may have to wait
};

static struct share share_of(const struct batch *batch, const struct client *client)
{
    const struct clients *clients = batch->server->clients;
    bool authenticated = client->flags & CLIENT_AUTHENTICATED;
    bool held = batch->server->holds && !(client->flags & CLIENT_PRIMARY);
    const struct resp_limits *limits = authenticated ? &clients->limits : &clients->unauth_limits;
    return (struct share){
        .limits = client->flags & CLIENT_PRIMARY ? &clients->primary_limits : limits,
        .one_at_a_time = !authenticated || held,
        .held = held,
    };
}

// The client's input is used up, or what is left of it is not a whole command, or none at all.
static void end_of_input(struct batch *batch, struct client *client, enum resp_result result)
{
    struct client_input *input = &client->input;
    if (result == RESP_INCOMPLETE && input->pos < input->len)
        batch_begin_incoming(client);
    if (result == RESP_ERROR) {
        struct cmd_ctx *ctx = new_command(batch, client);
        ctx->protocol_error = true;
        input->pos = input->len;
    }
    move_to(&batch->settling, client);
}

static void skip_blank(struct client *client, size_t bytes)
{
    const struct peer_hooks *hooks = &client->server->clients->peer_hooks;
    hooks->skipped(hooks->udata, client, bytes);
}

// Takes commands from one client, until its input is used up (it goes to the settling list), its
// turn is over (to the deferred list), it waits (to the list of those behind a barrier or at a gate)
// or the batch is full (it stays where it is).
static void take_commands(struct batch *batch, struct client *client)
{
    struct client_input *input = &client->input;
    const struct share share = share_of(batch, client);
    enum resp_result result = RESP_INCOMPLETE;
    if (unlikely(share.held && client->incoming)) {
        // Its arguments could not be put back.
        put_at_gate(batch, client);
        return;
    }
    while (input->pos < input->len) {
        if (batch_full(batch))
            return;
        if (client->turn_commands >= TURN_COMMANDS) {
            move_to(&batch->deferred, client);
            return;
        }
        struct resp_command parsed;
        char *start = input->buf + input->pos;
        result = resp_parse(&client->parser, start, input->len - input->pos, share.limits,
                            &batch->argv, &parsed);
        if (result != RESP_COMMAND)
            break;
        if (unlikely(share.held) && parsed.argc && waits(batch, client, &parsed)) {
            wait_at_gate(batch, client, &parsed);
            return;
        }
        if (unlikely(parsed.argc == 0 && client->flags & CLIENT_PRIMARY && batch->count)) {
            // It is to be counted behind the commands before it.
            move_to(&batch->behind, client);
            return;
        }
        input->pos += parsed.consumed;
        if (parsed.argc == 0) {
            if (client->flags & CLIENT_PRIMARY)
                skip_blank(client, parsed.consumed);
            continue;
        }
        client->turn_commands++;
        const struct command_entry *command = add_command(batch, client, &parsed, start);
        bool alone = share.one_at_a_time || (command && command->is_barrier);
        if (unlikely(alone) && input->pos < input->len) {
            move_to(&batch->behind, client);
            return;
        }
    }
    end_of_input(batch, client, result);
}

static void fill(struct batch *batch)
{
    struct list_link *link;
    while (!batch_full(batch) && (link = list_first(&batch->ready)) != NULL) {
        struct client *client = LIST_ITEM(link, struct client, ready_link);
        if (client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY)) {
            client->input.pos = client->input.len;
            move_to(&batch->settling, client);
            continue;
        }
        take_commands(batch, client);
        // One that is still at the front has been given as much as it gets in this batch.
        if (list_first(&batch->ready) == link)
            move_to(&batch->ready, client);
    }
}

// --- Executing ----------------------------------------------------------------------------------

struct prefetch {
    const struct db *db;
    uint64_t hash;
};

static void prefetch_entries(const struct batch *batch)
{
    struct prefetch displaced[PREFETCH_DISPLACED];
    unsigned count = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        const struct cmd_ctx *ctx = &batch->commands[i];
        const struct key *keys = batch->keys + ctx->keys_first;
        for (uint32_t k = 0; k < ctx->key_count; k++) {
            if (unlikely(!db_prefetch_entry(ctx->db, keys[k].hash)) && count < PREFETCH_DISPLACED)
                displaced[count++] = (struct prefetch){ .db = ctx->db, .hash = keys[k].hash };
        }
    }
    for (unsigned i = 0; i < count; i++)
        db_prefetch_displaced(displaced[i].db, displaced[i].hash);
}

static void refuse_protocol(struct cmd_ctx *ctx)
{
    char text[RESP_ERROR_TEXT_MAX];
    reply_errorf(ctx, "ERR %s", resp_parser_error(&ctx->client->parser, text));
    client_close_after_reply(ctx->client);
}

static void after_command(struct server *server, struct client *client)
{
    if (server->after_command & AFTER_COMMAND_EFFECTS)
        effects_end_group(server->effects);
    if (server->after_command & AFTER_COMMAND_PUSHES)
        pushes_settle(server->pushes, client);
    if (server->after_command & AFTER_COMMAND_KEYS)
        blocks_serve(server->blocks);
    // Keys that somebody waited for may have expired.
    if (server->after_command & AFTER_COMMAND_EFFECTS)
        effects_end_group(server->effects);
}

static void run(struct batch *batch, struct cmd_ctx *ctx)
{
    ctx->reply.proto = ctx->client->proto;
    if (unlikely(ctx->protocol_error)) {
        refuse_protocol(ctx);
    } else if (unlikely(ctx->out_of_memory)) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        transaction_refused(ctx);
    } else {
        ctx->argv = batch->argv.items + ctx->argv_first;
        ctx->keys = batch->keys + ctx->keys_first;
        batch->running = ctx;
        dispatch(ctx);
        if (unlikely(batch->server->after_command))
            after_command(batch->server, ctx->client);
        batch->running = NULL;
    }
    client_output_added(ctx->client);
}

// Between the bytes of the stream there is no place for a reply. What a replica of ours says needs none.
static void cut_answered_replica(struct client *client, const struct cmd_ctx *ctx)
{
    struct bytes text = { 0 };
    client_describe(client, &text);
    log_warning("Replica generated a reply to command '%s', disconnecting it: %.*s",
                ctx->command ? ctx->command->full_name : "?", (int)text.len, text.data);
    bytes_release(&text);
    client_close(client);
}

// A command of a client that has CLIENT_UNUSUAL flags.
static void run_unusual(struct batch *batch, struct cmd_ctx *ctx)
{
    struct client *client = ctx->client;
    struct keyspace *keyspace = batch->server->keyspace;
    if (client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY))
        return;
    struct outq nowhere;
    outq_init(&nowhere, &batch->server->clients->pool);
    bool is_primary = client->flags & CLIENT_PRIMARY;
    bool is_replica = client->flags & CLIENT_REPLICA;
    size_t waiting = client->conn.out.bytes;
    if (is_primary || is_replica || client->flags & (CLIENT_REPLY_OFF | CLIENT_REPLY_SKIP))
        ctx->reply.out = &nowhere;
    client->flags &= ~(uint32_t)CLIENT_REPLY_SKIP;
    keyspace->untouched = client->flags & CLIENT_NO_TOUCH;
    // When a key's time has come is the primary's to say.
    bool kept = keyspace->keep_expired;
    keyspace->keep_expired = kept || is_primary;
    // Nobody would hear the reply that it waits for.
    ctx->must_not_wait = is_primary;
    run(batch, ctx);
    keyspace->keep_expired = kept;
    keyspace->untouched = false;
    if (is_primary)
        batch->server->clients->peer_hooks.ran(batch->server->clients->peer_hooks.udata, ctx);
    if (is_replica && (nowhere.bytes || client->conn.out.bytes != waiting))
        cut_answered_replica(client, ctx);
    outq_clear(&nowhere);
}

// The command that the client's others waited for is done; it may have had the client held.
static void leave_barrier(struct batch *batch, struct client *client)
{
    if (!(client->flags & CLIENT_HELD)) {
        move_to(&batch->ready, client);
        return;
    }
    list_remove(&client->ready_link);
    client->turn_commands = 0;
    batch_settle(client);
}

static void execute(struct batch *batch)
{
    prefetch_entries(batch);
    if (batch->elements > 1)
        batch_look_ahead(batch);
    batch->elements = 0;
    dispatch_begin(batch->server);
    for (unsigned i = 0; i < batch->count; i++) {
        struct cmd_ctx *ctx = &batch->commands[i];
        if (likely(!(ctx->client->flags & CLIENT_UNUSUAL)))
            run(batch, ctx);
        else
            run_unusual(batch, ctx);
        if (likely(!ctx->incoming))
            continue;
        dispatch_end(batch->server);
        incoming_release(&ctx->incoming);
    }
    dispatch_end(batch->server);
    batch->count = 0;
    forget_keys(batch);
    resp_argv_clear(&batch->argv);

    struct list_link *link;
    while ((link = list_first(&batch->settling)) != NULL) {
        struct client *client = LIST_ITEM(link, struct client, ready_link);
        list_remove(link);
        client->turn_commands = 0;
        batch_settle(client);
    }
    while ((link = list_first(&batch->behind)) != NULL)
        leave_barrier(batch, LIST_ITEM(link, struct client, ready_link));
}

void batch_run(struct batch *batch)
{
    if (list_empty(&batch->ready)) {
        // The one that had more to run may be gone.
        loop_keep_awake(batch->server->loop, &batch->waker, false);
        return;
    }
    clock_update();
    do {
        fill(batch);
        execute(batch);
    } while (!list_empty(&batch->ready));

    // Those who have had their turn go on in the next one, from a buffer of their own.
    bool more = !list_empty(&batch->deferred);
    struct list_link *link;
    while ((link = list_first(&batch->deferred)) != NULL) {
        struct client *client = LIST_ITEM(link, struct client, ready_link);
        client->turn_commands = 0;
        batch_settle(client);
        list_remove(link);
        list_append(&batch->ready, link);
    }
    arena_reset(&batch->arena);
    loop_keep_awake(batch->server->loop, &batch->waker, more);
}
