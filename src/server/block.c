// SPDX-License-Identifier: BSD-3-Clause
// Blocking commands: see block.h.
//
//   table of awaited keys          a blocked client: its command, copied, and one waiter a key
//   +-----------+                  +---------+   +----------+   +----------+
//   | db, "k1"  |-- waiters -----> | waiter  |-->| waiter   |-->| ...      |
//   | db, "k2"  |-- waiters --+    +---------+   +----------+   +----------+
//   +-----------+             |         ^ client A    ^ client B
//                             +--> ...
//   ready: awaited keys that were written, in the order in which they were
//
// The keyspace is listened to only while somebody waits, so that writes cost nothing otherwise.
#include "server/block.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/panic.h"
#include "ds/table.h"
#include "net/alarm.h"
#include "server/batch.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/dispatch.h"
#include "server/effects.h"
#include "server/info.h"
#include "server/interest.h"
#include "server/kept_command.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/server.h"

struct awaited {
    struct interest interest;  // its members are waiters
    unsigned types;            // that any of them has waited for, as bits
    struct list_link ready_link;
};

struct waiter {
    struct list_link link;  // awaited->interest.members
    struct awaited *awaited;
    struct blocked *blocked;
};

struct blocked {
    struct client *client;
    struct kept_command command;
    enum value_type type;
    void (*timed_out)(struct resp_writer *reply);
    struct alarm alarm;
    bool has_timeout;
    bool muted;          // nobody wants the reply
    struct list *queue;  // of what it waits for; NULL: keys
    struct list_link queue_link;
    uint32_t waiter_count;
    struct waiter *waiters;  // as many as keys
    size_t bytes;            // of the whole allocation
};

struct blocks {
    struct server *server;
    int listener;
    struct table keys;  // the interest of struct awaited
    struct list ready;
    size_t clients;  // that wait for keys
    size_t timeouts;
};

// --- Awaited keys -------------------------------------------------------------------------------

static void remove_if_unused(struct blocks *blocks, struct awaited *awaited)
{
    if (awaited->interest.count > 0)
        return;
    list_remove(&awaited->ready_link);
    interest_trim(&blocks->keys, &awaited->interest);
}

static void make_ready(struct blocks *blocks, struct awaited *awaited)
{
    if (list_linked(&awaited->ready_link))
        return;
    list_append(&blocks->ready, &awaited->ready_link);
    blocks->server->after_command |= AFTER_COMMAND_KEYS;
}

static void make_all_ready(struct blocks *blocks, const struct db *db)
{
    struct table_iter iter;
    const struct table_slot *slot;
    table_iter_init(&iter, &blocks->keys);
    while ((slot = table_iter_next(&iter)) != NULL) {
        struct awaited *awaited = table_slot_entry(slot);
        if (awaited->interest.db == db)
            make_ready(blocks, awaited);
    }
}

static void on_key_event(void *udata, enum key_event event, struct db *db, const struct key *key)
{
    struct blocks *blocks = udata;
    if (event == DB_SWAPPED) {
        make_all_ready(blocks, db);
        return;
    }
    struct interest *interest = interest_find(&blocks->keys, db, key);
    if (interest)
        make_ready(blocks, LIST_ITEM(interest, struct awaited, interest));
}

// --- Clients that wait --------------------------------------------------------------------------

// Keeps the command: everything it needs to be run again, in one allocation. NULL: no memory.
static struct blocked *keep_command(struct cmd_ctx *ctx, uint32_t waits)
{
    size_t bytes = sizeof(struct blocked) + waits * sizeof(struct waiter) + kept_command_bytes(ctx);
    struct blocked *blocked = mem_try_alloc(bytes);
    if (!blocked)
        return NULL;
    *blocked = (struct blocked){ .client = ctx->client, .bytes = bytes };
    blocked->waiters = (struct waiter *)(blocked + 1);
    kept_command_init(&blocked->command, ctx, blocked->waiters + waits);
    return blocked;
}

static void free_blocked(struct blocked *blocked)
{
    kept_command_release(&blocked->command);
    mem_free(blocked, blocked->bytes);
}

// Whether a client that is just beginning to wait does so for this key: it is the last one then.
static bool waits_already(const struct blocked *blocked, const struct awaited *awaited)
{
    const struct list *waiters = &awaited->interest.members;
    if (list_empty(waiters))
        return false;
    return LIST_ITEM(waiters->head.prev, struct waiter, link)->blocked == blocked;
}

static void listen(struct blocks *blocks)
{
    uint32_t events = blocks->clients ? KEY_EVENT(KEY_WRITTEN) | KEY_EVENT(DB_SWAPPED) : 0;
    keyspace_hear(blocks->server->keyspace, blocks->listener, events);
}

static void leave_keys(struct blocks *blocks, struct blocked *blocked)
{
    for (uint32_t i = 0; i < blocked->waiter_count; i++) {
        struct waiter *waiter = &blocked->waiters[i];
        interest_leave(&waiter->awaited->interest, &waiter->link);
        remove_if_unused(blocks, waiter->awaited);
    }
    blocked->waiter_count = 0;
}

// False: no memory.
static bool join_keys(struct blocks *blocks, struct blocked *blocked, const struct block_wait *wait)
{
    for (uint32_t i = 0; i < wait->count; i++) {
        struct interest *interest = interest_provide(&blocks->keys, blocked->client->db,
                                                     &blocked->command.keys[wait->first + i],
                                                     sizeof(struct awaited));
        if (!interest) {
            leave_keys(blocks, blocked);
            return false;
        }
        struct awaited *awaited = LIST_ITEM(interest, struct awaited, interest);
        if (waits_already(blocked, awaited))
            continue;
        struct waiter *waiter = &blocked->waiters[blocked->waiter_count++];
        *waiter = (struct waiter){ .awaited = awaited, .blocked = blocked };
        interest_join(interest, &waiter->link);
        awaited->types |= 1u << wait->type;
    }
    return true;
}

// The wait is over; what the client has sent meanwhile is run.
static void release(struct blocked *blocked)
{
    struct client *client = blocked->client;
    struct blocks *blocks = client->server->blocks;
    leave_keys(blocks, blocked);
    alarm_clear(&blocked->alarm);
    blocks->timeouts -= blocked->has_timeout;
    client->blocked = NULL;
    list_remove(&blocked->queue_link);
    if (!blocked->queue && --blocks->clients == 0)
        listen(blocks);
    free_blocked(blocked);
    batch_resume(blocks->server->batch, client);
}

// To run the client's command once more, or to answer it. `nowhere` takes a reply that nobody wants.
static struct cmd_ctx context_of(struct blocked *blocked, struct outq *nowhere)
{
    struct client *client = blocked->client;
    outq_init(nowhere, client->conn.out.pool);
    struct outq *out = blocked->muted ? nowhere : &client->conn.out;
    struct cmd_ctx ctx = kept_command_context(&blocked->command, client, out);
    ctx.woken = true;
    return ctx;
}

// As if its time were over.
static void answer_now(const struct blocked *blocked, struct cmd_ctx *ctx)
{
    if (blocked->timed_out) {
        blocked->timed_out(&ctx->reply);
        return;
    }
    ctx->must_not_wait = true;
    ctx->command->handler(ctx);
}

// Answers the command, which does not wait any more; ERROR_COUNT: without an error.
static void give_up(struct blocked *blocked, enum error_id error)
{
    struct client *client = blocked->client;
    if (!(client->flags & CLIENT_CLOSING)) {
        struct outq nowhere;
        struct cmd_ctx ctx = context_of(blocked, &nowhere);
        if (error != ERROR_COUNT)
            reply_error(&ctx, error);
        else
            answer_now(blocked, &ctx);
        dispatch_gave_up(&ctx);
        outq_clear(&nowhere);
        client_output_added(client);
    }
    release(blocked);
}

static void on_alarm(void *udata)
{
    clock_update();
    give_up(udata, ERROR_COUNT);
}

static void begin_wait(struct cmd_ctx *ctx, struct blocked *blocked, int64_t timeout_ms)
{
    struct client *client = ctx->client;
    ctx->waits = true;
    client->blocked = blocked;
    blocked->muted = ctx->reply.out != &client->conn.out;
    alarm_init(&blocked->alarm, ctx->server->loop, on_alarm, blocked);
    blocked->has_timeout = timeout_ms > 0;
    if (blocked->has_timeout)
        alarm_set(&blocked->alarm, timeout_ms);
    ctx->server->blocks->timeouts += blocked->has_timeout;
    batch_hold(ctx->server->batch, client);
}

void block_on_keys(struct cmd_ctx *ctx, const struct block_wait *wait)
{
    struct client *client = ctx->client;
    if (ctx->must_not_wait) {
        wait->timed_out(&ctx->reply);
        return;
    }
    if (client->blocked) {
        ctx->waits = true;
        return;
    }
    struct blocks *blocks = ctx->server->blocks;
    struct blocked *blocked = keep_command(ctx, wait->count);
    if (!blocked || !join_keys(blocks, blocked, wait)) {
        if (blocked) {
            // The command is still to be shown to others: it gets back what was taken over.
            ctx->incoming = blocked->command.incoming;
            mem_free(blocked, blocked->bytes);
        }
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return;
    }
    blocked->type = wait->type;
    blocked->timed_out = wait->timed_out;
    if (blocks->clients++ == 0)
        listen(blocks);
    begin_wait(ctx, blocked, wait->timeout_ms);
}

static void join_queue(struct blocked *blocked, struct list *queue)
{
    blocked->queue = queue;
    list_remove(&blocked->queue_link);
    list_append(queue, &blocked->queue_link);
}

bool block_in_queue(struct cmd_ctx *ctx, struct list *queue, int64_t timeout_ms)
{
    ASSERT(!ctx->must_not_wait);
    struct blocked *blocked = ctx->client->blocked;
    if (blocked) {
        bool moves = blocked->queue != queue;
        ctx->waits = true;
        if (moves)
            join_queue(blocked, queue);
        return moves;
    }
    blocked = keep_command(ctx, 0);
    if (!blocked) {
        reply_error(ctx, ERR_OUT_OF_MEMORY);
        return false;
    }
    join_queue(blocked, queue);
    begin_wait(ctx, blocked, timeout_ms);
    return true;
}

bool block_end(struct client *client, bool with_error)
{
    if (!client->blocked)
        return false;
    give_up(client->blocked, with_error ? ERR_UNBLOCKED : ERROR_COUNT);
    return true;
}

void blocks_disconnect(struct server *server)
{
    struct list *all = &server->clients->all;
    for (struct list_link *link = list_first(all); link; link = list_next(all, link)) {
        struct client *client = LIST_ITEM(link, struct client, all_link);
        if (!client->blocked)
            continue;
        client_close_after_reply(client);
        give_up(client->blocked, ERR_ROLE_CHANGED);
    }
}

void block_forget(struct client *client)
{
    if (client->blocked)
        release(client->blocked);
}

size_t block_memory(const struct client *client)
{
    const struct blocked *blocked = client->blocked;
    return blocked ? blocked->bytes + kept_command_memory(&blocked->command) : 0;
}

// --- Serving ------------------------------------------------------------------------------------

// Runs the client's command once more, which may wait again.
static void run_again(struct blocked *blocked)
{
    struct client *client = blocked->client;
    struct keyspace *keyspace = client->server->keyspace;
    bool untouched = keyspace->untouched;
    struct outq nowhere;
    struct cmd_ctx ctx = context_of(blocked, &nowhere);
    keyspace->untouched = client->flags & CLIENT_NO_TOUCH;
    pushes_woken(client->server->pushes, client, false);
    dispatch_admitted(&ctx);
    effects_end_group(client->server->effects);
    pushes_woken(client->server->pushes, client, true);
    keyspace->untouched = untouched;
    outq_clear(&nowhere);
    if (ctx.waits)
        return;
    client_output_added(client);
    release(blocked);
}

// Serves those who wait for the key, as long as it holds what they want. It is awaited no more, and
// freed, when the last one has been served.
static void serve_key(struct awaited *awaited)
{
    const struct interest *interest = &awaited->interest;
    struct list_link *link = list_first(&interest->members);
    const struct entry *entry = db_peek(interest->db, &interest->key).entry;
    for (size_t waiting = interest->count; waiting > 0; waiting--) {
        // However many wait: for another type's value none of them is looked at.
        if (!entry || !(awaited->types & 1u << entry_type(entry)))
            return;
        struct blocked *blocked = LIST_ITEM(link, struct waiter, link)->blocked;
        link = list_next(&interest->members, link);
        if (entry_type(entry) != blocked->type || blocked->client->flags & CLIENT_CLOSING)
            continue;
        run_again(blocked);
        if (waiting > 1)
            entry = db_peek(interest->db, &interest->key).entry;
    }
}

void blocks_retry(struct list *queue)
{
    struct list_link *next;
    for (struct list_link *link = list_first(queue); link; link = next) {
        struct blocked *blocked = LIST_ITEM(link, struct blocked, queue_link);
        next = list_next(queue, link);
        if (!(blocked->client->flags & CLIENT_CLOSING))
            run_again(blocked);
    }
}

void blocks_serve(struct blocks *blocks)
{
    struct list_link *link;
    while ((link = list_first(&blocks->ready)) != NULL) {
        struct awaited *awaited = LIST_ITEM(link, struct awaited, ready_link);
        list_remove(link);
        serve_key(awaited);
    }
    blocks->server->after_command &= (uint8_t)~AFTER_COMMAND_KEYS;
}

// --- INFO ---------------------------------------------------------------------------------------

static void info_timeouts(void *udata, struct bytes *out)
{
    const struct blocks *blocks = udata;
    bytes_printf(out, "clients_in_timeout_table:%zu\r\n", blocks->timeouts);
}

static void info_keys(void *udata, struct bytes *out)
{
    const struct blocks *blocks = udata;
    bytes_printf(out,
                 "total_blocking_keys:%zu\r\n"
                 "total_blocking_keys_on_nokey:0\r\n",
                 blocks->keys.count);
}

struct blocks *blocks_new(struct server *server)
{
    struct blocks *blocks = mem_alloc_zeroed(sizeof(*blocks));
    blocks->server = server;
    interests_init(&blocks->keys);
    list_init(&blocks->ready);
    blocks->listener = keyspace_listen(server->keyspace, on_key_event, blocks);
    info_add_fields(server->info, "Clients", "timeouts", info_timeouts, blocks);
    info_add_fields(server->info, "Clients", "blocking keys", info_keys, blocks);
    return blocks;
}

void blocks_free(struct blocks *blocks)
{
    table_release(&blocks->keys, NULL, NULL);
    mem_free(blocks, sizeof(*blocks));
}
