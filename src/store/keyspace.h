// SPDX-License-Identifier: BSD-3-Clause
// The databases: keys to entries, exact expiry on access, key events, the type registry.
//
// A key's hash is computed once a command (struct key) and passed along. An entry_ref is what a
// look-up yields; it dies with the next insertion into or removal from the database.
//
// The keyspace names nobody above it: whoever wants to know what happens to keys registers a
// listener, and the value types register their operations.
#pragma once

#include "base/panic.h"
#include "base/random.h"
#include "ds/table_due.h"
#include "store/access.h"
#include "store/entry.h"
#include "store/key_event.h"
#include "store/reclaim.h"
#include "store/reuse.h"

#include <stdbool.h>
#include <stdint.h>

struct keyspace;

struct db {
    struct table table;
    struct keyspace *keyspace;
    size_t expires;             // entries that have an expiry
    __int128 expiry_sum_ms;     // of these; the sum of 64-bit times may not fit 64 bits
    int64_t due_ms;             // no entry is due before: TABLE_DUE_NEVER without expiries
    struct table_due_walk due;  // the pass of the expiry sweep that is under way
    uint64_t evict_cursor;      // where eviction looks for candidates next
    int id;
};

#define KEYSPACE_LISTENERS_MAX 8

struct keyspace {
    struct db *dbs;
    int db_count;
    struct keyspace *aside;  // of store/aside.h
    const struct type_ops *types[TYPE_COUNT];
    int64_t due_ms;              // the least of the databases'
    uint32_t access_clock;       // 24 bits, written into entries that are made
    uint32_t access_touch;       // and into those that are touched, where recency counts
    struct access_rules access;  // what they mean
    int sweep_db;                // that the expiry sweep was in last
    uint8_t expire_passively;    // enum expire_passively: hide expired keys, but don't delete them
    bool expire_on_write;        // but look-ups for writing do: a replica with writes of its own
    bool keep_expired;           // no key's time comes: a log is being replayed
    bool untouched;              // look-ups leave access clocks as they are
    bool sweep_paused;           // expired keys stay until somebody asks for them
    uint64_t hits;
    uint64_t misses;
    uint64_t expired_keys;
    uint64_t expired_by_sweep;
    uint64_t sweep_us;          // that the sweep has taken
    uint64_t sweeps_cut_short;  // by their budget
    double stale_percent;       // of the entries with an expiry that the last sweep met: overdue
    void (*on_swept)(void *udata, int64_t lag_ms);  // hears how late each was that a sweep took
    void *on_swept_udata;
    struct random random;
    struct reclaim reclaim;  // what is being freed
    struct reuse reuse;      // what eviction learns; off while nothing is evicted
    uint32_t freed_at_once;  // REMOVAL() bits: what is removed so isn't freed in slices
    uint32_t heard;          // events that somebody listens to
    int listener_count;
    struct key_listener listeners[KEYSPACE_LISTENERS_MAX];
};

// All zero, ready for types and listeners to be registered.
void keyspace_init(struct keyspace *keyspace);

// Makes the databases.
void keyspace_open(struct keyspace *keyspace, int db_count);
void keyspace_release(struct keyspace *keyspace);

// At start-up, once a type.
void keyspace_register_type(struct keyspace *keyspace, enum value_type type,
                            const struct type_ops *ops);

// At start-up: `fn` will hear of key events, once keyspace_hear() says of which. Returns the
// listener's number.
int keyspace_listen(struct keyspace *keyspace, key_event_fn fn, void *udata);

// From now on the listener hears of these events (KEY_EVENT() bits) and no others.
void keyspace_hear(struct keyspace *keyspace, int listener, uint32_t events);

void keyspace_tell(struct keyspace *keyspace, enum key_event event, struct db *db,
                   const struct key *key);

// Tells the listeners; costs a branch if there is none. Commands announce what they wrote.
static inline void keyspace_announce(struct keyspace *keyspace, enum key_event event, struct db *db,
                                     const struct key *key)
{
    if (unlikely(keyspace->heard & KEY_EVENT(event)))
        keyspace_tell(keyspace, event, db, key);
}

// Brings the clock up to date that touched entries get.
void keyspace_set_clock(struct keyspace *keyspace, int64_t now_ms);

// From now on the access bits count uses, with these rules, or say when the last one was. Those that are
// there keep theirs: it takes a while until they say what they should.
void keyspace_set_frequency(struct keyspace *keyspace, bool on, uint32_t factor,
                            uint32_t decay_min);

// What is used or made from now on belongs to a new generation.
void keyspace_next_generation(struct keyspace *keyspace);

// Where an entry was found; entry is NULL if it was not.
struct entry_ref {
    struct table_slot *slot;
    struct entry *entry;
};

// Looks a key up for writing: touches it, deletes it if its time has come. O(1).
struct entry_ref db_find(struct db *db, const struct key *key);
// The same for reading: counts a hit or a miss, and announces the miss.
struct entry_ref db_find_read(struct db *db, const struct key *key);
// The same two without touching the key: its access clock stays.
struct entry_ref db_peek(struct db *db, const struct key *key);
struct entry_ref db_peek_read(struct db *db, const struct key *key);

// Adds an entry whose key is absent (looked up just before), and announces that. Takes ownership.
struct entry_ref db_insert(struct db *db, const struct key *key, struct entry *entry);

// Puts another entry in place of the one at `ref`, which is released. Takes ownership of `entry`;
// `ref` follows. Where the two expire at different times the key is hashed again (db_put() has its hash).
void db_replace(struct db *db, struct entry_ref *ref, struct entry *entry);

// The entry at `ref` has moved in memory or changed its expiry: `old_expiry` is what it was.
void db_entry_moved(struct db *db, const struct key *key, struct entry_ref *ref,
                    struct entry *entry, int64_t old_expiry);

// After a change of the value at `ref` that may have moved the entry, and left its expiry alone.
static inline void db_entry_changed(struct entry_ref *ref, struct entry *entry)
{
    if (ref->entry == entry)
        return;
    table_slot_set(ref->slot, entry);
    ref->entry = entry;
}

// Sets or (EXPIRY_NONE) takes off the expiry; the entry may move, `ref` follows.
void db_set_expiry(struct db *db, const struct key *key, struct entry_ref *ref, int64_t at_ms);

// Removes and releases the entry. Announces nothing.
void db_remove_for(struct db *db, const struct key *key, struct entry_ref ref, enum removal why);
static inline void db_remove(struct db *db, const struct key *key, struct entry_ref ref)
{
    db_remove_for(db, key, ref, REMOVED_BY_SERVER);
}

// Takes the entry out of the database without releasing it: the caller owns it. Announces nothing.
struct entry *db_detach(struct db *db, const struct key *key, struct entry_ref ref);

// Puts `entry` under `key`, in place of what is at `ref` if that is not empty. Takes ownership. Overwriting
// hands on how often the key was used, where that is counted.
void db_put(struct db *db, const struct key *key, struct entry_ref *ref, struct entry *entry);
void db_overwrite(struct db *db, const struct key *key, struct entry_ref *ref, struct entry *entry);

// A copy of the entry under another key, with a value of its own. The caller owns it.
struct entry *db_copy_entry(const struct db *db, const struct entry *entry, struct slice key);

// Exchanges the contents of two databases; their numbers stay. A database and itself: nothing happens. O(1).
void db_swap(struct db *a, struct db *b);

// Releases an entry that is in no database any more: at once, or in slices if it is large.
void keyspace_release_entry(struct keyspace *keyspace, struct entry *entry, enum removal why);

// Whether its time has come; whether a key that gets this expiry is to go at once.
bool db_expired(const struct entry *entry);
bool db_is_past(const struct db *db, int64_t at_ms);

// Deletes a key whose time has come, announcing it. For the sweep and for readers that walk.
void db_expire(struct db *db, const struct key *key, struct entry_ref ref);

// Removes everything. O(1) if the memory is given back in slices.
void db_flush(struct db *db, enum removal why);

static inline size_t db_size(const struct db *db)
{
    return db->table.count;
}

// The mean time to live in ms of the entries that have an expiry, 0 without any. O(1).
int64_t db_avg_ttl(const struct db *db);

// A fair random entry that has not expired, or NULL.
struct entry *db_random(struct db *db);

// Prefetch hints for a batch: first the bucket, later the entry; and, a little later still, what the
// second step said false to (the one key in ten that is displaced).
void db_prefetch_bucket(const struct db *db, uint64_t hash);
bool db_prefetch_entry(const struct db *db, uint64_t hash);
void db_prefetch_displaced(const struct db *db, uint64_t hash);

// Memory of one entry with its value, in bytes as allocated; without its share of the table.
size_t db_entry_memory(const struct db *db, const struct entry *entry);
