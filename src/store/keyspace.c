// SPDX-License-Identifier: BSD-3-Clause
// The databases: see keyspace.h.
#include "store/keyspace.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/panic.h"
#include "ds/table_inl.h"
#include "store/aside.h"
#include "store/elements.h"
#include "store/expire_wheel.h"

// How often a random choice tries to find a key that has not expired and may not delete any.
#define PASSIVE_TRIES 100

static inline bool key_matches(const void *entry, const void *udata)
{
    const struct key *key = udata;
    return slice_equal(entry_key(entry), key_slice(key));
}

static uint64_t entry_hash(const void *entry)
{
    struct slice key = entry_key(entry);
    return hash_bytes(key.ptr, key.len);
}

// Nothing may be due before the sweep comes to look at it.
static bool due_holds(const void *entry, uint8_t expiry_class, int64_t due_ms)
{
    if (!entry_has_expiry(entry))
        return expiry_class == WHEEL_NEVER;
    return expiry_class != WHEEL_NEVER && due_ms <= entry_expiry(entry) &&
           wheel_due(expiry_class, due_ms) <= entry_expiry(entry);
}

static const struct table_ops keyspace_table_ops = { .hash = entry_hash,
                                                     .match = key_matches,
                                                     .due_holds = due_holds };

struct key key_of(struct slice name)
{
    return (struct key){ .ptr = name.ptr, .len = name.len, .hash = hash_bytes(name.ptr, name.len) };
}

void keyspace_init(struct keyspace *keyspace)
{
    *keyspace = (struct keyspace){
        .due_ms = TABLE_DUE_NEVER,
        .freed_at_once = REMOVAL(REMOVED_NOW),
    };
    uint64_t seed;
    random_secret(&seed, sizeof(seed));
    random_seed(&keyspace->random, seed);
}

void keyspace_open(struct keyspace *keyspace, int db_count)
{
    ASSERT(!keyspace->dbs);
    keyspace->db_count = db_count;
    keyspace->dbs = mem_alloc_zeroed((size_t)db_count * sizeof(*keyspace->dbs));
    for (int i = 0; i < db_count; i++) {
        struct db *db = &keyspace->dbs[i];
        table_init(&db->table, &keyspace_table_ops);
        db->keyspace = keyspace;
        db->due_ms = TABLE_DUE_NEVER;
        db->id = i;
    }
}

static void release_now(struct keyspace *keyspace, struct entry *entry)
{
    keyspace->types[entry_type(entry)]->release(entry);
    entry_free(entry);
}

void keyspace_release_entry(struct keyspace *keyspace, struct entry *entry, enum removal why)
{
    const struct type_ops *ops = keyspace->types[entry_type(entry)];
    bool is_large = ops->pieces && ops->pieces(entry) > RECLAIM_PIECES;
    if (unlikely(is_large) && !(keyspace->freed_at_once & REMOVAL(why)))
        reclaim_entry(&keyspace->reclaim, entry);
    else
        release_now(keyspace, entry);
}

static void release_in_slices(void *entry, void *udata)
{
    keyspace_release_entry(udata, entry, REMOVED_LATER);
}

static void release_at_once(void *entry, void *udata)
{
    release_now(udata, entry);
}

static void empty(struct db *db, enum removal why)
{
    struct keyspace *keyspace = db->keyspace;
    if (keyspace->freed_at_once & REMOVAL(why))
        table_release(&db->table, release_at_once, keyspace);
    else if (db->table.count > RECLAIM_PIECES)
        reclaim_table(&keyspace->reclaim, &db->table);
    else
        table_release(&db->table, release_in_slices, keyspace);
    db->expires = 0;
    db->expiry_sum_ms = 0;
    db->due_ms = TABLE_DUE_NEVER;
    db->due = (struct table_due_walk){ 0 };
}

void keyspace_release(struct keyspace *keyspace)
{
    if (!keyspace->dbs)
        return;
    aside_drop(keyspace, REMOVED_NOW);
    for (int i = 0; i < keyspace->db_count; i++)
        empty(&keyspace->dbs[i], REMOVED_NOW);
    reclaim_all(keyspace);
    reuse_stop(&keyspace->reuse);
    mem_free(keyspace->dbs, (size_t)keyspace->db_count * sizeof(*keyspace->dbs));
    keyspace->dbs = NULL;
}

void keyspace_register_type(struct keyspace *keyspace, enum value_type type,
                            const struct type_ops *ops)
{
    ASSERT(!keyspace->types[type]);
    keyspace->types[type] = ops;
}

int keyspace_listen(struct keyspace *keyspace, key_event_fn fn, void *udata)
{
    ASSERT(keyspace->listener_count < KEYSPACE_LISTENERS_MAX);
    int i = keyspace->listener_count++;
    keyspace->listeners[i].fn = fn;
    keyspace->listeners[i].udata = udata;
    return i;
}

void keyspace_hear(struct keyspace *keyspace, int listener, uint32_t events)
{
    keyspace->listeners[listener].events = events;
    keyspace->heard = 0;
    for (int i = 0; i < keyspace->listener_count; i++)
        keyspace->heard |= keyspace->listeners[i].events;
}

void keyspace_tell(struct keyspace *keyspace, enum key_event event, struct db *db,
                   const struct key *key)
{
    for (int i = 0; i < keyspace->listener_count; i++) {
        if (keyspace->listeners[i].events & KEY_EVENT(event))
            keyspace->listeners[i].fn(keyspace->listeners[i].udata, event, db, key);
    }
}

static void access_changed(struct keyspace *keyspace)
{
    keyspace->access_clock = access_new(&keyspace->access);
    if (!keyspace->access.frequency)
        keyspace->access_touch = access_used(&keyspace->access, 0, &keyspace->random);
}

void keyspace_set_clock(struct keyspace *keyspace, int64_t now_ms)
{
    access_set_time(&keyspace->access, now_ms);
    access_changed(keyspace);
}

void keyspace_next_generation(struct keyspace *keyspace)
{
    keyspace->access.generation++;
    access_changed(keyspace);
}

void keyspace_set_frequency(struct keyspace *keyspace, bool on, uint32_t factor, uint32_t decay_min)
{
    keyspace->access.frequency = on;
    keyspace->access.factor = factor;
    keyspace->access.decay_min = decay_min;
    access_changed(keyspace);
}

bool db_expired(const struct entry *entry)
{
    return unlikely(entry_has_expiry(entry)) && entry_expiry(entry) <= clock_wall_ms();
}

bool db_is_past(const struct db *db, int64_t at_ms)
{
    return at_ms <= clock_wall_ms() && !db->keyspace->keep_expired;
}

void db_expire(struct db *db, const struct key *key, struct entry_ref ref)
{
    struct keyspace *keyspace = db->keyspace;
    keyspace->expired_keys++;
    keyspace_announce(keyspace, KEY_EXPIRED, db, key);
    db_remove_for(db, key, ref, REMOVED_BY_EXPIRY);
}

// Whether one whose time has come, and who is met, is deleted.
static bool deletes_expired(const struct keyspace *keyspace, bool is_read)
{
    return !keyspace->expire_passively || (keyspace->expire_on_write && !is_read);
}

static inline struct entry_ref look_up(struct db *db, const struct key *key, bool is_read)
{
    struct table_slot *slot = table_find_inl(&db->table, key->hash, key, key_matches);
    if (!slot)
        return (struct entry_ref){ 0 };
    struct entry_ref ref = { .slot = slot, .entry = table_slot_entry(slot) };
    if (db_expired(ref.entry) && likely(!db->keyspace->keep_expired)) {
        if (deletes_expired(db->keyspace, is_read))
            db_expire(db, key, ref);
        return (struct entry_ref){ 0 };
    }
    return ref;
}

const struct table *db_index(const struct db *db, const struct key *key)
{
    const struct table_slot *slot = table_find_inl(&db->table, key->hash, key, key_matches);
    if (!slot)
        return NULL;
    const struct entry *entry = table_slot_entry(slot);
    const struct type_ops *ops = db->keyspace->types[entry_type(entry)];
    return ops->index ? ops->index(entry) : NULL;
}

struct entry_ref db_peek(struct db *db, const struct key *key)
{
    return look_up(db, key, false);
}

static void note_use(struct keyspace *keyspace, const struct entry *entry)
{
    if (keyspace->reuse.only_volatile && !entry_has_expiry(entry))
        return;
    reuse_note_use(&keyspace->reuse, &keyspace->access, entry_access(entry));
}

static inline void touch(struct keyspace *keyspace, struct entry *entry)
{
    if (unlikely(keyspace->reuse.on))
        note_use(keyspace, entry);
    uint32_t access = keyspace->access_touch;
    if (unlikely(keyspace->access.frequency))
        access = access_used(&keyspace->access, entry_access(entry), &keyspace->random);
    entry_set_access(entry, access);
}

static inline struct entry_ref find(struct db *db, const struct key *key, bool is_read)
{
    struct entry_ref ref = look_up(db, key, is_read);
    if (ref.entry && likely(!db->keyspace->untouched))
        touch(db->keyspace, ref.entry);
    return ref;
}

struct entry_ref db_find(struct db *db, const struct key *key)
{
    return find(db, key, false);
}

// Out of the way: what follows is inlined into the commonest readers.
static __attribute__((noinline, cold)) void count_miss(struct db *db, const struct key *key)
{
    db->keyspace->misses++;
    keyspace_announce(db->keyspace, KEY_MISSED, db, key);
}

static inline void count_lookup(struct db *db, const struct key *key, const struct entry *found)
{
    if (likely(found))
        db->keyspace->hits++;
    else
        count_miss(db, key);
}

struct entry_ref db_find_read(struct db *db, const struct key *key)
{
    struct entry_ref ref = find(db, key, true);
    count_lookup(db, key, ref.entry);
    return ref;
}

struct entry_ref db_peek_read(struct db *db, const struct key *key)
{
    struct entry_ref ref = look_up(db, key, true);
    count_lookup(db, key, ref.entry);
    return ref;
}

static inline void lower(int64_t *due_ms, int64_t at_ms)
{
    if (at_ms < *due_ms)
        *due_ms = at_ms;
}

// The sweep will come in time: the slot's place in the wheel, and everything that is skipped while
// nothing in it is due.
static void file_expiry(struct db *db, uint64_t hash, struct table_slot *slot, int64_t at_ms)
{
    int64_t now_ms = clock_wall_ms();
    int64_t look_ms = wheel_look(at_ms, now_ms);
    table_slot_set_class_inl(slot, wheel_class(at_ms, now_ms));
    table_lower_due(&db->table, hash, look_ms);
    lower(&db->due.earliest, look_ms);
    lower(&db->due_ms, look_ms);
    lower(&db->keyspace->due_ms, look_ms);
}

static void count_expiry(struct db *db, int64_t old_ms, int64_t new_ms)
{
    if (old_ms != EXPIRY_NONE) {
        db->expires--;
        db->expiry_sum_ms -= old_ms;
    }
    if (new_ms != EXPIRY_NONE) {
        db->expires++;
        db->expiry_sum_ms += new_ms;
    }
}

// Brings the slot and the figures of the database in line with a changed expiry.
static void change_expiry(struct db *db, uint64_t hash, struct table_slot *slot, int64_t old_ms,
                          int64_t new_ms)
{
    count_expiry(db, old_ms, new_ms);
    if (new_ms == EXPIRY_NONE)
        table_slot_set_class_inl(slot, WHEEL_NEVER);
    else
        file_expiry(db, hash, slot, new_ms);
}

// A key whose time has come is hidden from look-ups, but it is still there.
static void remove_hidden(struct db *db, const struct key *key)
{
    struct table_slot *slot = table_find_inl(&db->table, key->hash, key, key_matches);
    if (slot)
        db_remove(db, key, (struct entry_ref){ .slot = slot, .entry = table_slot_entry(slot) });
}

static void note_arrival(struct keyspace *keyspace, const struct key *key, struct entry *entry)
{
    uint32_t access = entry_access(entry);
    entry_set_access(entry, reuse_arrival(&keyspace->reuse, &keyspace->access, key->hash, access));
}

struct entry_ref db_insert(struct db *db, const struct key *key, struct entry *entry)
{
    struct table_slot *slot;
    if (unlikely(db->keyspace->expire_passively))
        remove_hidden(db, key);
    if (table_insert(&db->table, key->hash, entry, &slot) != STATUS_OK)
        PANIC("out of memory while adding a key to database %d", db->id);
    if (entry_has_expiry(entry))
        change_expiry(db, key->hash, slot, EXPIRY_NONE, entry_expiry(entry));
    if (unlikely(db->keyspace->reuse.on))
        note_arrival(db->keyspace, key, entry);
    keyspace_announce(db->keyspace, KEY_CREATED, db, key);
    return (struct entry_ref){ .slot = slot, .entry = entry };
}

static void replace(struct db *db, const struct key *key, struct entry_ref *ref,
                    struct entry *entry)
{
    int64_t old_expiry = entry_expiry(ref->entry);
    keyspace_release_entry(db->keyspace, ref->entry, REMOVED_BY_SERVER);
    db_entry_moved(db, key, ref, entry, old_expiry);
}

void db_replace(struct db *db, struct entry_ref *ref, struct entry *entry)
{
    struct key key = { 0 };
    if (entry_expiry(ref->entry) != entry_expiry(entry))
        key.hash = entry_hash(entry);
    replace(db, &key, ref, entry);
}

void db_entry_moved(struct db *db, const struct key *key, struct entry_ref *ref,
                    struct entry *entry, int64_t old_expiry)
{
    table_slot_set(ref->slot, entry);
    ref->entry = entry;
    if (old_expiry != entry_expiry(entry))
        change_expiry(db, key->hash, ref->slot, old_expiry, entry_expiry(entry));
}

void db_set_expiry(struct db *db, const struct key *key, struct entry_ref *ref, int64_t at_ms)
{
    int64_t old_expiry = entry_expiry(ref->entry);
    struct entry *entry = entry_with_expiry(ref->entry, at_ms);
    db_entry_moved(db, key, ref, entry, old_expiry);
}

int64_t db_avg_ttl(const struct db *db)
{
    if (db->expires == 0)
        return 0;
    int64_t left_ms = (int64_t)(db->expiry_sum_ms / (__int128)db->expires) - clock_wall_ms();
    return left_ms > 0 ? left_ms : 0;
}

struct entry *db_detach(struct db *db, const struct key *key, struct entry_ref ref)
{
    if (entry_has_expiry(ref.entry))
        count_expiry(db, entry_expiry(ref.entry), EXPIRY_NONE);
    table_remove(&db->table, key->hash, ref.slot);
    return ref.entry;
}

void db_remove_for(struct db *db, const struct key *key, struct entry_ref ref, enum removal why)
{
    // The key may lie in the entry itself: it is not looked at once the entry is released.
    keyspace_release_entry(db->keyspace, db_detach(db, key, ref), why);
}

void db_put(struct db *db, const struct key *key, struct entry_ref *ref, struct entry *entry)
{
    if (ref->entry)
        replace(db, key, ref, entry);
    else
        *ref = db_insert(db, key, entry);
}

void db_overwrite(struct db *db, const struct key *key, struct entry_ref *ref, struct entry *entry)
{
    if (ref->entry && db->keyspace->access.frequency)
        entry_set_access(entry, entry_access(ref->entry));
    db_put(db, key, ref, entry);
}

struct entry *db_copy_entry(const struct db *db, const struct entry *entry, struct slice key)
{
    struct entry *copy = entry_clone(entry, key);
    entry_set_access(copy, db->keyspace->access_clock);
    db->keyspace->types[entry_type(entry)]->unshare(copy);
    return copy;
}

void db_swap(struct db *a, struct db *b)
{
    if (a == b)
        return;
    struct db old_a = *a;
    int id_b = b->id;
    *a = *b;
    *b = old_a;
    a->id = old_a.id;
    b->id = id_b;
    keyspace_announce(a->keyspace, DB_SWAPPED, a, NULL);
    keyspace_announce(a->keyspace, DB_SWAPPED, b, NULL);
}

void db_flush(struct db *db, enum removal why)
{
    keyspace_announce(db->keyspace, DB_FLUSHED, db, NULL);
    empty(db, why);
}

struct entry *db_random(struct db *db)
{
    bool passive = db->keyspace->expire_passively;
    for (int tries = 0;; tries++) {
        struct table_slot *slot = table_random(&db->table, &db->keyspace->random);
        if (!slot)
            return NULL;
        struct entry_ref ref = { .slot = slot, .entry = table_slot_entry(slot) };
        // Where others do the deleting, all that is left may have expired.
        if (!db_expired(ref.entry) || (passive && tries == PASSIVE_TRIES))
            return ref.entry;
        if (passive)
            continue;
        struct key key = key_of(entry_key(ref.entry));
        db_expire(db, &key, ref);
    }
}

void db_prefetch_bucket(const struct db *db, uint64_t hash)
{
    table_prefetch_bucket_inl(&db->table, hash);
}

bool db_prefetch_entry(const struct db *db, uint64_t hash)
{
    return table_prefetch_entry_inl(&db->table, hash);
}

void db_prefetch_displaced(const struct db *db, uint64_t hash)
{
    table_prefetch_displaced(&db->table, hash);
}

size_t db_entry_memory(const struct db *db, const struct entry *entry)
{
    const struct type_ops *ops = db->keyspace->types[entry_type(entry)];
    return mem_good_size(entry_size(entry)) + ops->memory(entry);
}
