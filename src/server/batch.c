// SPDX-License-Identifier: BSD-3-Clause
// The way of a command: see batch.h.
#include "server/batch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/arena.h"
#include "server/client.h"
#include "server/dispatch.h"
#include "server/registry.h"
#include "server/server.h"

// Commands and keys that are in flight between parsing and execution.
#define BATCH_COMMANDS 64
#define BATCH_KEYS     512

// The keys' array is kept up to this many.
#define BATCH_KEYS_KEEP 16384

// Displaced entries of a batch that are worth a second step.
#define PREFETCH_DISPLACED 32

// Commands that one client runs in one turn of the loop.
#define TURN_COMMANDS 2048

// Reads into a client's own buffer grow with what is there, up to this.
#define OWN_READ_MAX (1u << 20)

struct batch {
    struct server *server;
    struct arena arena;
    struct list ready;     // clients with input that has not been looked at
    struct list settling;  // clients whose input is used up or incomplete
    struct list deferred;  // clients that have had their turn and have more
    struct resp_argv argv;
    struct key *keys;
    size_t key_count;
    size_t key_cap;
    unsigned count;
    const struct cmd_ctx *running;
    struct cmd_ctx commands[BATCH_COMMANDS];
};

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

// --- Reading ------------------------------------------------------------------------------------

static void note_read(struct batch *batch, struct client *client, size_t received)
{
    struct server *server = batch->server;
    server->stats.net_input_bytes += received;
    server->stats.reads++;
    client->active_us = clock_mono_us();
    if (!list_linked(&client->ready_link))
        list_append(&batch->ready, &client->ready_link);
}

static void cut_for_memory(struct client *client, size_t bytes)
{
    log_warning("Closing client %llu: no memory for %zu more bytes of its request",
                (unsigned long long)client->id, bytes);
    client_close(client);
}

static void read_failed(struct client *client, enum status status)
{
    if (status != STATUS_AGAIN)
        client_close(client);
}

static uint64_t query_buffer_limit(const struct client *client)
{
    return (uint64_t)client->server->clients->config.query_buffer_bytes;
}

static void cut_query_buffer(struct client *client)
{
    struct bytes text = { 0 };
    client_describe(client, &text);
    log_warning("Closing client that reached max query buffer length (client-query-buffer-limit "
                "%llu): %.*s",
                (unsigned long long)query_buffer_limit(client), (int)text.len, text.data);
    bytes_release(&text);
    client->server->stats.query_limit_disconnections++;
    client_close(client);
}

// Reads behind an incomplete command.
static void read_own(struct batch *batch, struct client *client)
{
    struct client_input *input = &client->input;
    if (input->pos) {
        bytes_consume(&input->own, input->pos);
        input->pos = 0;
    }
    size_t room = input->own.len < ARENA_READ ? ARENA_READ : input->own.len;
    room = room < OWN_READ_MAX ? room : OWN_READ_MAX;
    uint64_t limit = query_buffer_limit(client);
    if (input->own.len >= limit) {
        cut_query_buffer(client);
        return;
    }
    room = input->own.len + room > limit ? limit - input->own.len : room;
    if (bytes_try_reserve(&input->own, room) != STATUS_OK) {
        cut_for_memory(client, room);
        return;
    }
    input->buf = input->own.data;
    size_t received;
    enum status status = conn_recv(&client->conn, input->buf + input->own.len, room, &received);
    if (status != STATUS_OK) {
        read_failed(client, status);
        return;
    }
    input->own.len += received;
    input->len = input->own.len;
    note_read(batch, client, received);
}

// Reads a large argument into its own place.
static void read_incoming(struct batch *batch, struct client *client)
{
    size_t received;
    enum status status = incoming_recv(client->incoming, &client->conn, &received);
    batch->server->stats.net_input_bytes += received;
    client->active_us = clock_mono_us();
    if (status == STATUS_OK)
        note_read(batch, client, 0);
    else
        read_failed(client, status);
}

void batch_read(struct batch *batch, struct client *client)
{
    struct client_input *input = &client->input;
    // Input that is still to be run (the client had its turn) is run before more is taken.
    if (list_linked(&client->ready_link))
        return;
    if (incoming_active(client->incoming)) {
        read_incoming(batch, client);
        return;
    }
    if (input->len) {
        read_own(batch, client);
        return;
    }
    char *room = arena_room(&batch->arena);
    if (!room) {
        batch_run(batch);
        if (client->flags & CLIENT_CLOSING || input->len)
            return;
        room = arena_room(&batch->arena);
    }
    size_t received;
    enum status status = conn_recv(&client->conn, room, ARENA_READ, &received);
    if (status != STATUS_OK) {
        read_failed(client, status);
        return;
    }
    arena_take(&batch->arena, received);
    input->buf = room;
    input->pos = 0;
    input->len = received;
    note_read(batch, client, received);
}

// Keeps what is left of the client's input where it can stay, or lets the buffer go.
static void settle(struct client *client)
{
    struct client_input *input = &client->input;
    bool is_own = input->own.data && input->buf == input->own.data;
    size_t left = input->len - input->pos;
    struct clients *clients = client->server->clients;
    if (left > clients->recent_max_input)
        clients->recent_max_input = left;
    if (left == 0) {
        if (is_own)
            bytes_release(&input->own);
        input->buf = NULL;
        input->pos = input->len = 0;
    } else if (!is_own) {
        bytes_append(&input->own, input->buf + input->pos, left);
        input->buf = input->own.data;
        input->pos = 0;
        input->len = left;
    }
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
    ctx->argv_first = ctx->keys_first = 0;
    return ctx;
}

static void add_command(struct batch *batch, struct client *client,
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
}

static bool batch_full(const struct batch *batch)
{
    return batch->count == BATCH_COMMANDS || batch->key_count >= BATCH_KEYS;
}

// The command is not complete: if it waits in a large argument, that one is received apart.
static void begin_incoming(struct client *client)
{
    struct client_input *input = &client->input;
    size_t len = input->len - input->pos;
    if (!(client->flags & CLIENT_AUTHENTICATED))
        return;
    switch (incoming_begin(&client->incoming, &client->parser, input->buf + input->pos, &len)) {
    case STATUS_OK:
        input->len = input->pos + len;
        if (input->buf == input->own.data)
            input->own.len = input->len;
        if (len + incoming_bytes(client->incoming) > query_buffer_limit(client))
            cut_query_buffer(client);
        break;
    case STATUS_NOMEM: cut_for_memory(client, client->parser.bulk_len); break;
    default: break;
    }
}

// Takes commands from one client, until its input is used up (it goes to the settling list), its
// turn is over (to the deferred list) or the batch is full (it stays where it is).
static void take_commands(struct batch *batch, struct client *client)
{
    struct client_input *input = &client->input;
    bool authenticated = client->flags & CLIENT_AUTHENTICATED;
    const struct resp_limits *limits = authenticated ? &client->server->clients->limits
                                                     : &client->server->clients->unauth_limits;
    enum resp_result result = RESP_INCOMPLETE;
    while (input->pos < input->len) {
        if (batch_full(batch))
            return;
        if (client->turn_commands >= TURN_COMMANDS) {
            list_remove(&client->ready_link);
            list_append(&batch->deferred, &client->ready_link);
            return;
        }
        struct resp_command parsed;
        char *start = input->buf + input->pos;
        result = resp_parse(&client->parser, start, input->len - input->pos, limits, &batch->argv,
                            &parsed);
        if (result != RESP_COMMAND)
            break;
        input->pos += parsed.consumed;
        if (parsed.argc == 0)
            continue;
        client->turn_commands++;
        add_command(batch, client, &parsed, start);
        // What it may send next depends on this one.
        if (!authenticated)
            return;
    }
    if (result == RESP_INCOMPLETE && input->pos < input->len)
        begin_incoming(client);
    if (result == RESP_ERROR) {
        struct cmd_ctx *ctx = new_command(batch, client);
        ctx->protocol_error = true;
        input->pos = input->len;
    }
    list_remove(&client->ready_link);
    list_append(&batch->settling, &client->ready_link);
}

static void fill(struct batch *batch)
{
    struct list_link *link;
    while (!batch_full(batch) && (link = list_first(&batch->ready)) != NULL) {
        struct client *client = LIST_ITEM(link, struct client, ready_link);
        if (client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY)) {
            client->input.pos = client->input.len;
            list_remove(link);
            list_append(&batch->settling, link);
            continue;
        }
        take_commands(batch, client);
        // One that is still at the front has been given as much as it gets in this batch.
        if (list_first(&batch->ready) == link) {
            list_remove(link);
            list_append(&batch->ready, link);
            if (!(client->flags & CLIENT_AUTHENTICATED))
                return;
        }
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

static void execute_one(struct batch *batch, struct cmd_ctx *ctx)
{
    struct client *client = ctx->client;
    if (unlikely(client->flags & (CLIENT_CLOSING | CLIENT_CLOSE_AFTER_REPLY)))
        return;
    ctx->reply.proto = client->proto;
    if (unlikely(ctx->protocol_error)) {
        refuse_protocol(ctx);
    } else if (unlikely(ctx->out_of_memory)) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
    } else {
        ctx->argv = batch->argv.items + ctx->argv_first;
        ctx->keys = batch->keys + ctx->keys_first;
        batch->running = ctx;
        dispatch(ctx);
        batch->running = NULL;
    }
    client_output_added(client);
}

static void execute(struct batch *batch)
{
    prefetch_entries(batch);
    dispatch_begin(batch->server);
    for (unsigned i = 0; i < batch->count; i++) {
        struct cmd_ctx *ctx = &batch->commands[i];
        execute_one(batch, ctx);
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
        settle(client);
    }
}

void batch_run(struct batch *batch)
{
    if (list_empty(&batch->ready)) {
        // The one that had more to run may be gone.
        loop_keep_awake(batch->server->loop, false);
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
        settle(client);
        list_remove(link);
        list_append(&batch->ready, link);
    }
    arena_reset(&batch->arena);
    loop_keep_awake(batch->server->loop, more);
}
