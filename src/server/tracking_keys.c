// SPDX-License-Identifier: BSD-3-Clause
// The keys that tracking clients have read, and by whom: one table for all of them.
//
// Nearly every key has one reader. So a key is one allocation: the ids of its readers, sorted, with room for
// the next power of two, then its bytes. An id costs 8 bytes, 16 bytes of key with one reader 32 and a slot.
// Readers that have gone stay until the key changes: an id is not used again.
#include "server/tracking_internal.h"

#include "base/memory.h"
#include "resp/request.h"
#include "server/client.h"
#include "server/server.h"

#include <string.h>

// Keys that are freed in one turn when all are forgotten.
#define RECLAIM_KEYS 2000

struct remembered {
    uint32_t key_len;
    uint32_t count;
    uint64_t ids[];
};

static size_t room(uint32_t count)
{
    return count <= 1 ? 1 : (size_t)1 << (32 - __builtin_clz(count - 1));
}

static size_t size_of(uint32_t count, size_t key_len)
{
    return sizeof(struct remembered) + room(count) * sizeof(uint64_t) + key_len;
}

static struct slice name_of(const struct remembered *key)
{
    return (struct slice){ .ptr = (const char *)(key->ids + room(key->count)),
                           .len = key->key_len };
}

static void free_key(struct remembered *key)
{
    mem_free(key, size_of(key->count, key->key_len));
}

static uint64_t key_hash(const void *entry)
{
    return key_of(name_of(entry)).hash;
}

static bool key_match(const void *entry, const void *name)
{
    return slice_equal(name_of(entry), *(const struct slice *)name);
}

static const struct table_ops key_ops = { .hash = key_hash, .match = key_match };

void tracking_keys_init(struct tracking *tracking)
{
    table_init(&tracking->keys, &key_ops);
}

// --- Remembering --------------------------------------------------------------------------------

static void write_name(struct remembered *key, const char *bytes)
{
    if (key->key_len)
        memcpy(key->ids + room(key->count), bytes, key->key_len);
}

static bool add_key(struct tracking *tracking, const struct key *name, uint64_t id)
{
    struct remembered *key = mem_try_alloc(size_of(1, name->len));
    if (!key)
        return false;
    *key = (struct remembered){ .key_len = (uint32_t)name->len, .count = 1 };
    key->ids[0] = id;
    write_name(key, name->ptr);
    if (table_insert(&tracking->keys, name->hash, key, NULL) == STATUS_OK) {
        tracking->items++;
        return true;
    }
    free_key(key);
    return false;
}

// Where the id stands among the readers, or belongs.
static uint32_t place_of(const struct remembered *key, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = key->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// The same key with room for one more reader, in place of the old one; NULL: no memory.
static struct remembered *widen(struct table_slot *slot, struct remembered *key)
{
    struct remembered *wider = mem_try_alloc(size_of(key->count + 1, key->key_len));
    if (!wider)
        return NULL;
    wider->key_len = key->key_len;
    wider->count = key->count + 1;
    memcpy(wider->ids, key->ids, key->count * sizeof(*key->ids));
    write_name(wider, name_of(key).ptr);
    wider->count--;
    free_key(key);
    table_slot_set(slot, wider);
    return wider;
}

static bool add_reader(struct tracking *tracking, struct table_slot *slot, uint64_t id)
{
    struct remembered *key = table_slot_entry(slot);
    uint32_t place = place_of(key, id);
    if (place < key->count && key->ids[place] == id)
        return true;
    if (key->count == room(key->count) && !(key = widen(slot, key)))
        return false;
    memmove(key->ids + place + 1, key->ids + place, (key->count - place) * sizeof(*key->ids));
    key->ids[place] = id;
    key->count++;
    tracking->items++;
    return true;
}

static struct slice encode(struct tracking *tracking, struct slice name)
{
    bytes_clear(&tracking->text);
    resp_append_request(&tracking->text, &name, 1);
    return bytes_slice(&tracking->text);
}

void tracking_keys_remember(struct tracking *tracking, const struct key *key,
                            struct tracker *reader)
{
    const struct slice name = key_slice(key);
    struct table_slot *slot = table_find(&tracking->keys, key->hash, &name);
    bool done = slot ? add_reader(tracking, slot, reader->client->id)
                     : add_key(tracking, key, reader->client->id);
    if (unlikely(!done))
        tracker_tell(reader, encode(tracking, name));
}

// --- Telling ------------------------------------------------------------------------------------

static void take_out(struct tracking *tracking, struct table_slot *slot, uint64_t hash)
{
    struct remembered *key = table_slot_entry(slot);
    table_remove(&tracking->keys, hash, slot);
    tracking->items -= key->count;
    if (tracking->stale_count == tracking->stale_cap) {
        size_t cap = tracking->stale_cap ? tracking->stale_cap * 2 : 16;
        tracking->stale = mem_realloc(tracking->stale, tracking->stale_cap * sizeof(key),
                                      cap * sizeof(key));
        tracking->stale_cap = cap;
    }
    tracking->stale[tracking->stale_count++] = key;
}

void tracking_keys_changed(struct tracking *tracking, const struct key *key)
{
    const struct slice name = key_slice(key);
    struct table_slot *slot = table_find(&tracking->keys, key->hash, &name);
    if (slot)
        take_out(tracking, slot, key->hash);
}

static void tell_readers(struct tracking *tracking, const struct remembered *key,
                         const struct client *writer)
{
    struct slice text = encode(tracking, name_of(key));
    for (uint32_t i = 0; i < key->count; i++) {
        struct tracker *reader = tracking_find(tracking, key->ids[i]);
        if (!reader || reader->modes & TRACKING_BCAST)
            continue;
        if (!(reader->modes & TRACKING_NOLOOP && reader->client == writer))
            tracker_tell(reader, text);
    }
}

void tracking_keys_tell(struct tracking *tracking, const struct client *writer)
{
    for (size_t i = 0; i < tracking->stale_count; i++) {
        tell_readers(tracking, tracking->stale[i], writer);
        free_key(tracking->stale[i]);
    }
    mem_free(tracking->stale, tracking->stale_cap * sizeof(*tracking->stale));
    tracking->stale = NULL;
    tracking->stale_count = tracking->stale_cap = 0;
}

bool tracking_keys_limit(struct tracking *tracking, size_t budget)
{
    size_t max = (size_t)tracking->max_keys;
    if (likely(max == 0 || tracking->keys.count <= max))
        return true;
    for (; budget > 0 && tracking->keys.count > max; budget--) {
        struct table_slot *slot = table_random(&tracking->keys,
                                               &tracking->server->keyspace->random);
        take_out(tracking, slot, key_hash(table_slot_entry(slot)));
    }
    tracking_keys_tell(tracking, NULL);
    return tracking->keys.count <= max;
}

// --- Forgetting all -----------------------------------------------------------------------------

static void release_key(void *entry, void *udata)
{
    (void)udata;
    free_key(entry);
}

void tracking_keys_drop(struct tracking *tracking)
{
    if (tracking->keys.count == 0)
        return;
    // Two at a time would take as much again: the older one has had its time.
    if (tracking->draining)
        table_drain_step(&tracking->drain, SIZE_MAX, release_key, NULL);
    tracking->items = 0;
    tracking->draining = true;
    table_drain_begin(&tracking->drain, &tracking->keys);
}

bool tracking_keys_reclaim(struct tracking *tracking)
{
    if (tracking->draining)
        tracking->draining = !table_drain_step(&tracking->drain, RECLAIM_KEYS, release_key, NULL);
    return !tracking->draining;
}

void tracking_keys_release(struct tracking *tracking)
{
    tracking_keys_tell(tracking, NULL);
    tracking_keys_drop(tracking);
    while (!tracking_keys_reclaim(tracking))
        ;
}
