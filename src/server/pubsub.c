// SPDX-License-Identifier: BSD-3-Clause
// Channels, patterns and their subscribers: see pubsub.h.
//
//   topics[kind]: table by name          a client's subscriptions: a list a kind
//   +---------+     +---------------+    +--------------+   +--------------+
//   | "news"  | --> | topic         |<---| subscription |-->| subscription |--> ...
//   +---------+     | subscribers --|-+  +--------------+   +--------------+
//                   | blocks[proto] | |   index: its place in the topic's array
//                   +---------------+ +--> [client, client, client, ...]   dense: fan-out reads it in order
//
// A subscription is found by topic and client in one table for all (`subscriptions`), so that ending it
// takes O(1): the last subscriber moves into its place.
//
// Blocks. A message to many lies in a block of its topic, and what follows it there are the topic's next
// messages: the reference of one who is behind grows by them, and costs 48 bytes a block. A block of
// its own for every topic, so that nobody's backlog keeps bytes alive that are meant for others; and no
// larger than what its subscribers' references take, so that a topic costs its share of memory
// whether it has ten subscribers or ten thousand. When all have been sent it is filled again from its beginning.
#include "server/pubsub.h"

#include "base/glob.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/outq.h"
#include "base/panic.h"
#include "ds/radix.h"
#include "ds/table.h"
#include "resp/writer.h"
#include "server/client.h"
#include "server/ctx.h"
#include "server/info.h"
#include "server/notifications.h"
#include "server/push.h"
#include "server/registry.h"
#include "server/server.h"

#include <string.h>

// To so few, a message that is this short is copied: a block would cost more.
#define COPY_SUBSCRIBERS 4
#define COPY_BYTES       1024

// Sizes of blocks: so much for each subscriber, between these bounds; while some are behind, each is
// twice as large as the one before, up to so many times the first.
#define BLOCK_BYTES_EACH 64
#define BLOCK_BYTES_MIN  2048
#define BLOCK_BYTES_MAX  (128 * 1024)
#define BLOCK_GROWTH_MAX 16

// How far ahead of the one who is served the next subscribers are fetched into the cache.
#define PREFETCH_AHEAD 6

// Room for subscribers that a new topic has.
#define SUBSCRIBERS_MIN 2

enum { RESP2, RESP3, PROTOS };

struct topic {
    struct client **subscribers;
    uint32_t count;
    uint32_t cap;
    struct outq_block *blocks[PROTOS];  // NULL until needed
    uint64_t hash;
    enum pubsub_kind kind;
    uint32_t name_len;
    struct list_link pattern_link;  // pattern_group->patterns
    char name[];
};

// The patterns with the same literal prefix.
struct pattern_group {
    struct list patterns;
};

struct subscription {
    struct list_link link;  // subscriptions->lists
    struct topic *topic;
    struct client *client;
    uint32_t index;  // topic->subscribers
};

struct subscriptions {
    struct list lists[PUBSUB_KINDS];  // in the order of subscribing
    uint32_t counts[PUBSUB_KINDS];
    size_t bytes;
};

struct pubsub {
    struct server *server;
    struct table topics[PUBSUB_KINDS];
    struct table subscriptions;
    struct radix patterns;  // struct pattern_group, by prefix
    size_t clients;
    uint32_t gate;
};

// --- Topics -------------------------------------------------------------------------------------

static struct slice name_of(const struct topic *topic)
{
    return (struct slice){ .ptr = topic->name, .len = topic->name_len };
}

static uint64_t topic_hash(const void *entry)
{
    return ((const struct topic *)entry)->hash;
}

static bool topic_match(const void *entry, const void *key)
{
    return slice_equal(name_of(entry), *(const struct slice *)key);
}

static const struct table_ops topic_ops = { .hash = topic_hash, .match = topic_match };

static struct topic *find_topic(const struct pubsub *pubsub, enum pubsub_kind kind,
                                struct slice name, uint64_t hash)
{
    const struct table_slot *slot = table_find(&pubsub->topics[kind], hash, &name);
    return slot ? table_slot_entry(slot) : NULL;
}

static struct slice literal_prefix(struct slice pattern)
{
    return (struct slice){ .ptr = pattern.ptr, .len = glob_literal_prefix(pattern) };
}

// STATUS_NOMEM: it is not there.
static enum status index_pattern(struct pubsub *pubsub, struct topic *topic)
{
    struct slice prefix = literal_prefix(name_of(topic));
    struct pattern_group *group = radix_find(&pubsub->patterns, prefix);
    if (!group) {
        void *old;
        group = mem_try_alloc(sizeof(*group));
        if (!group || radix_put(&pubsub->patterns, prefix, group, &old) != STATUS_OK) {
            mem_free(group, sizeof(*group));
            return STATUS_NOMEM;
        }
        list_init(&group->patterns);
    }
    list_append(&group->patterns, &topic->pattern_link);
    return STATUS_OK;
}

static void forget_pattern(struct pubsub *pubsub, struct topic *topic)
{
    struct slice prefix = literal_prefix(name_of(topic));
    struct pattern_group *group = radix_find(&pubsub->patterns, prefix);
    list_remove(&topic->pattern_link);
    if (!list_empty(&group->patterns))
        return;
    radix_remove(&pubsub->patterns, prefix);
    mem_free(group, sizeof(*group));
}

static void free_topic(struct topic *topic)
{
    for (int proto = 0; proto < PROTOS; proto++)
        outq_block_release(topic->blocks[proto]);
    mem_free(topic->subscribers, topic->cap * sizeof(*topic->subscribers));
    mem_free(topic, sizeof(*topic) + topic->name_len);
}

// NULL: no memory.
static struct topic *add_topic(struct pubsub *pubsub, enum pubsub_kind kind, struct slice name,
                               uint64_t hash)
{
    struct topic *topic = mem_try_alloc(sizeof(*topic) + name.len);
    if (!topic)
        return NULL;
    *topic = (struct topic){ .hash = hash, .kind = kind, .name_len = (uint32_t)name.len };
    if (name.len)
        memcpy(topic->name, name.ptr, name.len);
    if (kind == PUBSUB_PATTERN && index_pattern(pubsub, topic) != STATUS_OK) {
        free_topic(topic);
        return NULL;
    }
    if (table_insert(&pubsub->topics[kind], hash, topic, NULL) == STATUS_OK)
        return topic;
    if (kind == PUBSUB_PATTERN)
        forget_pattern(pubsub, topic);
    free_topic(topic);
    return NULL;
}

static void remove_if_unused(struct pubsub *pubsub, struct topic *topic)
{
    if (topic->count)
        return;
    struct slice name = name_of(topic);
    struct table *topics = &pubsub->topics[topic->kind];
    table_remove(topics, topic->hash, table_find(topics, topic->hash, &name));
    if (topic->kind == PUBSUB_PATTERN)
        forget_pattern(pubsub, topic);
    free_topic(topic);
}

// --- Subscriptions ------------------------------------------------------------------------------

struct pair {
    const struct topic *topic;
    const struct client *client;
};

static uint64_t pair_hash(const struct topic *topic, const struct client *client)
{
    return (topic->hash ^ client->id) * UINT64_C(0x9E3779B97F4A7C15) ^ topic->hash;
}

static uint64_t subscription_hash(const void *entry)
{
    const struct subscription *subscription = entry;
    return pair_hash(subscription->topic, subscription->client);
}

static bool subscription_match(const void *entry, const void *key)
{
    const struct subscription *subscription = entry;
    const struct pair *pair = key;
    return subscription->topic == pair->topic && subscription->client == pair->client;
}

static const struct table_ops subscription_ops = { .hash = subscription_hash,
                                                   .match = subscription_match };

static struct table_slot *find_subscription(const struct pubsub *pubsub, const struct topic *topic,
                                            const struct client *client)
{
    const struct pair pair = { .topic = topic, .client = client };
    return table_find(&pubsub->subscriptions, pair_hash(topic, client), &pair);
}

static size_t total_of(const struct client *client)
{
    const uint32_t *counts = client->subscriptions->counts;
    return (size_t)counts[PUBSUB_CHANNEL] + counts[PUBSUB_PATTERN] + counts[PUBSUB_SHARD];
}

void pubsub_proto_changed(struct client *client)
{
    uint32_t gate = client->server->pubsub->gate;
    client->gates &= ~gate;
    if (client->flags & CLIENT_SUBSCRIBED && client->proto == 2)
        client->gates |= gate;
}

static void begin_subscriptions(struct client *client)
{
    struct subscriptions *subscriptions = mem_alloc_zeroed(sizeof(*subscriptions));
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        list_init(&subscriptions->lists[kind]);
    subscriptions->bytes = sizeof(*subscriptions);
    client->subscriptions = subscriptions;
    client->flags |= CLIENT_SUBSCRIBED;
    if (client->server->pubsub->clients++ == 0)
        notifications_settle(client->server->notifications);
    pubsub_proto_changed(client);
}

static void end_subscriptions_if_none(struct client *client)
{
    if (total_of(client))
        return;
    mem_free(client->subscriptions, sizeof(*client->subscriptions));
    client->subscriptions = NULL;
    client->flags &= ~(uint32_t)CLIENT_SUBSCRIBED;
    if (--client->server->pubsub->clients == 0)
        notifications_settle(client->server->notifications);
    pubsub_proto_changed(client);
}

// False: no memory.
static bool reserve_subscriber(struct topic *topic)
{
    if (topic->count < topic->cap)
        return true;
    uint32_t cap = topic->cap ? topic->cap + topic->cap / 2 + 1 : SUBSCRIBERS_MIN;
    struct client **subscribers = mem_try_realloc(
        topic->subscribers, topic->cap * sizeof(*subscribers), cap * sizeof(*subscribers));
    if (!subscribers)
        return false;
    topic->subscribers = subscribers;
    topic->cap = cap;
    return true;
}

// What the client's subscription to the topic takes.
static size_t subscription_bytes(const struct topic *topic)
{
    return sizeof(struct subscription) + sizeof(*topic->subscribers) + topic->name_len;
}

static enum status join(struct pubsub *pubsub, struct client *client, struct topic *topic)
{
    struct subscription *subscription = mem_try_alloc(sizeof(*subscription));
    if (!subscription)
        return STATUS_NOMEM;
    *subscription = (struct subscription){ .topic = topic,
                                           .client = client,
                                           .index = topic->count };
    if (!reserve_subscriber(topic) ||
        table_insert(&pubsub->subscriptions, subscription_hash(subscription), subscription, NULL)) {
        mem_free(subscription, sizeof(*subscription));
        return STATUS_NOMEM;
    }
    if (!client->subscriptions)
        begin_subscriptions(client);
    topic->subscribers[topic->count++] = client;
    list_append(&client->subscriptions->lists[topic->kind], &subscription->link);
    client->subscriptions->counts[topic->kind]++;
    client->subscriptions->bytes += subscription_bytes(topic);
    return STATUS_OK;
}

enum status pubsub_subscribe(struct client *client, enum pubsub_kind kind, struct slice name)
{
    struct pubsub *pubsub = client->server->pubsub;
    uint64_t hash = hash_bytes(name.ptr, name.len);
    struct topic *topic = find_topic(pubsub, kind, name, hash);
    if (topic && find_subscription(pubsub, topic, client))
        return STATUS_OK;
    if (!topic)
        topic = add_topic(pubsub, kind, name, hash);
    if (!topic)
        return STATUS_NOMEM;
    enum status status = join(pubsub, client, topic);
    remove_if_unused(pubsub, topic);
    return status;
}

// The last subscriber takes the place of the one who leaves.
static void leave(struct pubsub *pubsub, struct table_slot *slot)
{
    struct subscription *subscription = table_slot_entry(slot);
    struct topic *topic = subscription->topic;
    struct client *client = subscription->client;
    struct client *last = topic->subscribers[topic->count - 1];
    if (last != client) {
        struct subscription *moved = table_slot_entry(find_subscription(pubsub, topic, last));
        moved->index = subscription->index;
        topic->subscribers[moved->index] = last;
    }
    topic->count--;
    table_remove(&pubsub->subscriptions, subscription_hash(subscription), slot);
    list_remove(&subscription->link);
    client->subscriptions->counts[topic->kind]--;
    client->subscriptions->bytes -= subscription_bytes(topic);
    mem_free(subscription, sizeof(*subscription));
    remove_if_unused(pubsub, topic);
    end_subscriptions_if_none(client);
}

bool pubsub_unsubscribe(struct client *client, enum pubsub_kind kind, struct slice name)
{
    struct pubsub *pubsub = client->server->pubsub;
    if (!client->subscriptions)
        return false;
    const struct topic *topic = find_topic(pubsub, kind, name, hash_bytes(name.ptr, name.len));
    struct table_slot *slot = topic ? find_subscription(pubsub, topic, client) : NULL;
    if (slot)
        leave(pubsub, slot);
    return slot;
}

static const struct subscription *first_of(const struct client *client, enum pubsub_kind kind)
{
    if (!client->subscriptions || !client->subscriptions->counts[kind])
        return NULL;
    return LIST_ITEM(list_first(&client->subscriptions->lists[kind]), struct subscription, link);
}

bool pubsub_first(const struct client *client, enum pubsub_kind kind, struct slice *name)
{
    const struct subscription *first = first_of(client, kind);
    if (first)
        *name = name_of(first->topic);
    return first;
}

void pubsub_forget(struct client *client)
{
    struct pubsub *pubsub = client->server->pubsub;
    for (enum pubsub_kind kind = 0; kind < PUBSUB_KINDS; kind++) {
        const struct subscription *first;
        while ((first = first_of(client, kind)) != NULL)
            leave(pubsub, find_subscription(pubsub, first->topic, client));
    }
}

size_t pubsub_count(const struct client *client, enum pubsub_kind kind)
{
    return client->subscriptions ? client->subscriptions->counts[kind] : 0;
}

size_t pubsub_memory(const struct client *client)
{
    return client->subscriptions ? client->subscriptions->bytes : 0;
}

// --- Publishing ---------------------------------------------------------------------------------

// One message to one topic's subscribers.
struct sending {
    struct topic *topic;
    const struct slice *items;
    size_t item_count;
    size_t len;  // of its encoding
    struct {
        struct outq_block *block;  // NULL: not encoded yet
        size_t at;
    } encoded[PROTOS];
};

static uint32_t usual_block_bytes(const struct topic *topic)
{
    uint64_t bytes = (uint64_t)topic->count * BLOCK_BYTES_EACH;
    if (bytes < BLOCK_BYTES_MIN)
        return BLOCK_BYTES_MIN;
    return bytes < BLOCK_BYTES_MAX ? (uint32_t)bytes : BLOCK_BYTES_MAX;
}

// The size of the block behind `before` (may be NULL).
static uint32_t next_block_bytes(const struct topic *topic, const struct outq_block *before)
{
    uint32_t bytes = usual_block_bytes(topic);
    uint64_t most = (uint64_t)bytes * BLOCK_GROWTH_MAX;
    if (before && before->holders > 1 && before->cap >= bytes)
        bytes = before->cap < most / 2 ? before->cap * 2 : (uint32_t)most;
    return bytes < BLOCK_BYTES_MAX ? bytes : BLOCK_BYTES_MAX;
}

// Finds room for the message in the topic's block, or in a new one; NULL: no memory. The caller holds
// it until outq_block_release().
static struct outq_block *block_for(struct topic *topic, int proto, size_t len)
{
    struct outq_block *block = topic->blocks[proto];
    bool is_unused = block && block->holders == 1;
    if (is_unused && block->cap <= usual_block_bytes(topic) * BLOCK_GROWTH_MAX / 2)
        block->len = 0;
    if (!block || block->cap - block->len < len) {
        uint32_t bytes = next_block_bytes(topic, block);
        // One that is large for the block gets its own.
        if (len > bytes / 4)
            return len <= OUTQ_BLOCK_MAX ? outq_block_new(len) : NULL;
        outq_block_release(block);
        block = topic->blocks[proto] = outq_block_new(bytes);
    }
    if (block)
        block->holders++;
    return block;
}

// False: no memory.
static bool encode(struct sending *sending, int proto)
{
    struct outq_block *block = block_for(sending->topic, proto, sending->len);
    if (!block)
        return false;
    sending->encoded[proto].block = block;
    sending->encoded[proto].at = block->len;
    resp_format_push(block->room + block->len, proto == RESP3 ? 3 : 2, sending->items,
                     sending->item_count);
    block->len += (uint32_t)sending->len;
    return true;
}

// Fetches what adding to the client's output touches into the cache.
static void prefetch_output(const struct client *client)
{
    __builtin_prefetch(&client->conn.write_watcher, 1);
    __builtin_prefetch(&client->conn.out.bytes, 1);
    __builtin_prefetch(&client->flags);
    __builtin_prefetch(&client->pending_link, 1);
}

// False: no memory.
static bool send_shared(struct sending *sending)
{
    const struct topic *topic = sending->topic;
    bool complete = true;
    for (uint32_t i = 0; i < topic->count; i++) {
        if (i + PREFETCH_AHEAD < topic->count)
            prefetch_output(topic->subscribers[i + PREFETCH_AHEAD]);
        struct client *client = topic->subscribers[i];
        int proto = client->proto > 2 ? RESP3 : RESP2;
        if (unlikely(!sending->encoded[proto].block) && !encode(sending, proto)) {
            complete = false;
            break;
        }
        struct outq *queue = push_queue(client);
        outq_append_shared(queue, sending->encoded[proto].block, sending->encoded[proto].at,
                           sending->len);
        push_added(client, queue);
    }
    for (int proto = 0; proto < PROTOS; proto++)
        outq_block_release(sending->encoded[proto].block);
    return complete;
}

static void send_copies(const struct sending *sending)
{
    const struct topic *topic = sending->topic;
    for (uint32_t i = 0; i < topic->count; i++) {
        struct client *client = topic->subscribers[i];
        struct outq *queue = push_queue(client);
        char *room = outq_reserve(queue, sending->len);
        resp_format_push(room, client->proto, sending->items, sending->item_count);
        outq_commit(queue, sending->len);
        push_added(client, queue);
    }
}

// Returns to how many, or -1.
static int64_t send_to(struct topic *topic, const struct slice *items, size_t item_count)
{
    struct sending sending = { .topic = topic, .items = items, .item_count = item_count };
    sending.len = resp_push_size(items, item_count);
    if (topic->count <= COPY_SUBSCRIBERS && sending.len <= COPY_BYTES)
        send_copies(&sending);
    else if (!send_shared(&sending))
        return -1;
    return topic->count;
}

// The patterns that match the channel.
struct match {
    struct slice channel;
    struct slice message;
    int64_t sent;  // -1: no memory
};

static bool send_to_pattern(struct topic *topic, struct match *match)
{
    struct slice pattern = name_of(topic);
    if (!glob_match(pattern, match->channel, false))
        return true;
    const struct slice items[] = { SLICE("pmessage"), pattern, match->channel, match->message };
    int64_t sent = send_to(topic, items, 4);
    match->sent = sent < 0 ? -1 : match->sent + sent;
    return sent >= 0;
}

static bool send_to_group(void *value, size_t prefix_len, void *udata)
{
    (void)prefix_len;
    const struct list *patterns = &((struct pattern_group *)value)->patterns;
    for (struct list_link *link = list_first(patterns); link; link = list_next(patterns, link)) {
        if (!send_to_pattern(LIST_ITEM(link, struct topic, pattern_link), udata))
            return false;
    }
    return true;
}

static int64_t publish_to_patterns(const struct pubsub *pubsub, struct slice channel,
                                   struct slice message)
{
    struct match match = { .channel = channel, .message = message };
    radix_prefixes_of(&pubsub->patterns, channel, send_to_group, &match);
    return match.sent;
}

bool pubsub_heard(const struct pubsub *pubsub)
{
    return pubsub->subscriptions.count > 0;
}

int64_t pubsub_publish(struct pubsub *pubsub, enum pubsub_kind kind, struct slice channel,
                       struct slice message)
{
    if (!pubsub_heard(pubsub))
        return 0;
    struct topic *topic = find_topic(pubsub, kind, channel, hash_bytes(channel.ptr, channel.len));
    struct slice word = kind == PUBSUB_SHARD ? SLICE("smessage") : SLICE("message");
    const struct slice items[] = { word, channel, message };
    int64_t sent = topic ? send_to(topic, items, 3) : 0;
    if (sent < 0 || kind == PUBSUB_SHARD)
        return sent;
    int64_t to_patterns = publish_to_patterns(pubsub, channel, message);
    return to_patterns < 0 ? -1 : sent + to_patterns;
}

// --- Looking at it ------------------------------------------------------------------------------

size_t pubsub_names(const struct pubsub *pubsub, enum pubsub_kind kind)
{
    return pubsub->topics[kind].count;
}

size_t pubsub_subscribers(const struct pubsub *pubsub, enum pubsub_kind kind, struct slice name)
{
    const struct topic *topic = find_topic(pubsub, kind, name, hash_bytes(name.ptr, name.len));
    return topic ? topic->count : 0;
}

void pubsub_each_name(const struct pubsub *pubsub, enum pubsub_kind kind,
                      void (*visit)(struct slice name, void *udata), void *udata)
{
    struct table_iter iter;
    const struct table_slot *slot;
    table_iter_init(&iter, &pubsub->topics[kind]);
    while ((slot = table_iter_next(&iter)) != NULL)
        visit(name_of(table_slot_entry(slot)), udata);
}

static void info_clients(void *udata, struct bytes *out)
{
    const struct pubsub *pubsub = udata;
    bytes_printf(out, "pubsub_clients:%zu\r\n", pubsub->clients);
}

static void info_stats(void *udata, struct bytes *out)
{
    const struct pubsub *pubsub = udata;
    bytes_printf(out,
                 "pubsub_channels:%zu\r\n"
                 "pubsub_patterns:%zu\r\n"
                 "pubsubshard_channels:%zu\r\n",
                 pubsub_names(pubsub, PUBSUB_CHANNEL), pubsub_names(pubsub, PUBSUB_PATTERN),
                 pubsub_names(pubsub, PUBSUB_SHARD));
}

// --- The restricted context ---------------------------------------------------------------------

static bool is_restricted(const struct command *row)
{
    return !row->while_subscribed;
}

static bool refuse(struct cmd_ctx *ctx)
{
    reply_errorf(ctx,
                 "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                 "RESET are allowed in this context",
                 ctx->command->full_name);
    return true;
}

struct pubsub *pubsub_new(struct server *server)
{
    struct pubsub *pubsub = mem_alloc_zeroed(sizeof(*pubsub));
    pubsub->server = server;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++)
        table_init(&pubsub->topics[kind], &topic_ops);
    table_init(&pubsub->subscriptions, &subscription_ops);
    pubsub->gate = registry_add_gate(server->registry, is_restricted, refuse);
    info_add_fields(server->info, "Clients", "pubsub", info_clients, pubsub);
    info_add_fields(server->info, "Stats", "pubsub", info_stats, pubsub);
    return pubsub;
}

void pubsub_free(struct pubsub *pubsub)
{
    mem_free(pubsub, sizeof(*pubsub));
}
