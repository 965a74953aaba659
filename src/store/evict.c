// SPDX-License-Identifier: BSD-3-Clause
// Choosing what to evict: see evict.h.
//
// Sampling. A step of a scan yields the entries of a bucket, about six; a few steps are made for each
// eviction, each database going on where it was left. The order of the hashes knows nothing of the order of
// use, so this is a sample as random as any; but no key is looked at twice before all have been looked at
// once, slots without a candidate cost nothing but a byte of a line that is there already, and the next
// step's entries are known: they are prefetched one eviction ahead, and nobody waits for memory.
//
// The pool. The best candidates that were seen and have not been evicted, as in Redis since 3.0: what is
// evicted is the best of the last few hundred keys, not of the last ten. A candidate's score is absolute (when
// it was used, not how long ago), so scores of different times compare. Between two evictions anything may
// happen to a candidate: it is found again by its hash and address, and has to have the score it had.
//
// Which of two keys is the better candidate, by recency or frequency, is learned: reuse.c. Where that makes
// scores of before wrong, the pool is emptied.
#include "store/evict.h"

#include "base/clock.h"
#include "base/panic.h"
#include "ds/table_inl.h"
#include "store/keyspace.h"

// Keys looked at for each that maxmemory-samples asks for.
#define LOOKS_A_SAMPLE 2

// Steps of the scan for one eviction, as long as it finds too few candidates.
#define STEPS_MAX 512

// Evictions from one database before the next one is chosen, and more if there are many to choose from.
#define RUN_MIN 16

// Candidates of a step that are looked at; a bucket's with its displaced ones.
#define STEP_ENTRIES_MAX 64

#define SCORE_EXPIRED UINT64_MAX

// Evictions in a generation, in percent of the keys.
#define GENERATION_PERCENT 50

void evict_init(struct evict *evict)
{
    *evict = (struct evict){ .policy = EVICT_NOTHING, .samples = 5 };
}

void evict_forget(struct evict *evict, struct keyspace *keyspace)
{
    reuse_stop(&keyspace->reuse);
    evict->count = 0;
    evict->runs_left = 0;
}

bool evict_is_volatile(enum evict_policy policy)
{
    return policy <= EVICT_VOLATILE_TTL;
}

// Whether it is learned what to evict.
static bool learns(enum evict_policy policy)
{
    return policy == EVICT_VOLATILE_LRU || policy == EVICT_ALLKEYS_LRU || evict_is_lfu(policy);
}

bool evict_is_lfu(enum evict_policy policy)
{
    return policy == EVICT_VOLATILE_LFU || policy == EVICT_ALLKEYS_LFU;
}

static uint64_t score_of(const struct evict *evict, const struct keyspace *keyspace,
                         const struct entry *entry)
{
    if (db_expired(entry))
        return SCORE_EXPIRED;
    switch (evict->policy) {
    case EVICT_VOLATILE_LRU:
    case EVICT_ALLKEYS_LRU:
    case EVICT_VOLATILE_LFU:
    case EVICT_ALLKEYS_LFU:
        return reuse_score(&keyspace->reuse, &keyspace->access, entry_access(entry));
    case EVICT_VOLATILE_TTL: return SCORE_EXPIRED - 1 - (uint64_t)entry_expiry(entry);
    default: return 0;
    }
}

// --- The pool -----------------------------------------------------------------------------------

static void pool_add(struct evict *evict, const struct evict_candidate *candidate)
{
    struct evict_candidate *pool = evict->pool;
    unsigned at = evict->count;
    while (at > 0 && pool[at - 1].score >= candidate->score)
        at--;
    if (evict->count < EVICT_POOL_SIZE) {
        memmove(&pool[at + 1], &pool[at], (evict->count - at) * sizeof(*pool));
        evict->count++;
    } else {
        // The worst one, which is the first, makes room.
        at--;
        memmove(&pool[0], &pool[1], at * sizeof(*pool));
    }
    pool[at] = *candidate;
}

static bool pool_has(const struct evict *evict, const struct entry *entry)
{
    for (unsigned i = 0; i < evict->count; i++) {
        if (evict->pool[i].entry == entry)
            return true;
    }
    return false;
}

// Learns from an entry that is met, and keeps old ones old.
static void note_look(struct keyspace *keyspace, struct entry *entry)
{
    const struct access_rules *rules = &keyspace->access;
    uint32_t access = entry_access(entry);
    reuse_note_look(&keyspace->reuse, rules, access);
    if (rules->frequency && access_age(rules, access) == ACCESS_AGE_MAX)
        entry_set_access(entry, access_of_age_max(rules, access));
}

static void consider(struct evict *evict, struct db *db, struct entry *entry)
{
    if (db->keyspace->reuse.on)
        note_look(db->keyspace, entry);
    uint64_t score = score_of(evict, db->keyspace, entry);
    if (evict->count == EVICT_POOL_SIZE && score <= evict->pool[0].score)
        return;
    if (pool_has(evict, entry))
        return;
    const struct evict_candidate candidate = {
        .score = score,
        .hash = key_of(entry_key(entry)).hash,
        .db = db,
        .entry = entry,
    };
    pool_add(evict, &candidate);
}

// --- Finding candidates -------------------------------------------------------------------------

static size_t candidates_in(const struct evict *evict, const struct db *db)
{
    return evict_is_volatile(evict->policy) ? db->expires : db_size(db);
}

// A database, by how many candidates it has; NULL if there is none at all.
static struct db *choose_db(const struct evict *evict, struct keyspace *keyspace)
{
    uint64_t all = 0;
    for (int i = 0; i < keyspace->db_count; i++)
        all += candidates_in(evict, &keyspace->dbs[i]);
    if (all == 0)
        return NULL;
    uint64_t rank = random_below(&keyspace->random, all);
    int i = 0;
    while (rank >= candidates_in(evict, &keyspace->dbs[i]))
        rank -= candidates_in(evict, &keyspace->dbs[i++]);
    return &keyspace->dbs[i];
}

static struct db *current_db(struct evict *evict, struct keyspace *keyspace)
{
    if (evict->runs_left > 0 && candidates_in(evict, evict->db) > 0) {
        evict->runs_left--;
        return evict->db;
    }
    evict->db = choose_db(evict, keyspace);
    evict->runs_left = evict->db ? RUN_MIN + (unsigned)keyspace->db_count / 4 : 0;
    return evict->db;
}

// What a step of the scan has found.
struct step {
    bool only_volatile;
    unsigned count;
    struct entry *entries[STEP_ENTRIES_MAX];
};

static void collect(void *entry, uint8_t expiry_class, void *udata)
{
    struct step *step = udata;
    if ((step->only_volatile && expiry_class == 0) || step->count == STEP_ENTRIES_MAX)
        return;
    table_prefetch_line(entry);
    step->entries[step->count++] = entry;
}

// Looks at what the next steps yield; false if they have yielded nothing.
static bool look_around(struct evict *evict, struct db *db)
{
    struct step step = { .only_volatile = evict_is_volatile(evict->policy) };
    unsigned wanted = evict->samples * LOOKS_A_SAMPLE;
    wanted = wanted < STEP_ENTRIES_MAX / 2 ? wanted : STEP_ENTRIES_MAX / 2;
    // cppcheck-suppress knownConditionTrueFalse ; collect() counts
    for (unsigned steps = 0; steps < STEPS_MAX && step.count < wanted; steps++)
        db->evict_cursor = table_scan(&db->table, db->evict_cursor, collect, &step);
    for (unsigned i = 0; i < step.count; i++)
        consider(evict, db, step.entries[i]);
    return step.count > 0;
}

// --- Evicting -----------------------------------------------------------------------------------

static bool same_entry(const void *entry, const void *udata)
{
    return entry == udata;
}

static void count_evicted(struct evict *evict, struct db *db, const struct key *key,
                          const struct entry *entry)
{
    struct keyspace *keyspace = db->keyspace;
    const struct reuse_victim victim = {
        .access = entry_access(entry),
        .hash = key->hash,
        .keys = db_size(db),
        .ghost_max_bytes = evict->ghost_max_bytes,
    };
    evict->evicted_keys++;
    if (!keyspace->reuse.on)
        return;
    if (reuse_note_evicted(&keyspace->reuse, &keyspace->access, &victim))
        evict->count = 0;
    if (++evict->generation_keys < victim.keys * GENERATION_PERCENT / 100)
        return;
    evict->generation_keys = 0;
    keyspace_next_generation(keyspace);
}

static enum evict_result remove_at(struct evict *evict, struct db *db, const struct key *key,
                                   struct entry_ref ref)
{
    if (db_expired(ref.entry)) {
        db_expire(db, key, ref);
        return EVICT_DONE;
    }
    count_evicted(evict, db, key, ref.entry);
    keyspace_announce(db->keyspace, KEY_EVICTED, db, key);
    db_remove_for(db, key, ref, REMOVED_BY_EVICTION);
    return EVICT_DONE;
}

// Whether what lies where a candidate lay is it, and no better kept than it was. Another key may have got the
// address, or the same one anew.
static bool still_one(const struct evict *evict, const struct evict_candidate *candidate,
                      const struct key *key, const struct entry *entry)
{
    if (key->hash != candidate->hash)
        return false;
    if (evict_is_volatile(evict->policy) && !entry_has_expiry(entry))
        return false;
    return score_of(evict, candidate->db->keyspace, entry) >= candidate->score;
}

// Evicts the best candidate that is still one.
static enum evict_result remove_best(struct evict *evict)
{
    while (evict->count > 0) {
        const struct evict_candidate *best = &evict->pool[--evict->count];
        struct db *db = best->db;
        struct table_slot *slot = table_find_inl(&db->table, best->hash, best->entry, same_entry);
        if (!slot)
            continue;
        struct entry_ref ref = { .slot = slot, .entry = table_slot_entry(slot) };
        struct key key = key_of(entry_key(ref.entry));
        if (still_one(evict, best, &key, ref.entry))
            return remove_at(evict, db, &key, ref);
    }
    return EVICT_GO_ON;
}

static enum evict_result remove_any(struct evict *evict, struct db *db)
{
    struct keyspace *keyspace = db->keyspace;
    struct table_slot *slot = table_random(&db->table, &keyspace->random);
    struct entry_ref ref = { .slot = slot, .entry = table_slot_entry(slot) };
    struct key key = key_of(entry_key(ref.entry));
    return remove_at(evict, db, &key, ref);
}

enum evict_result evict_one(struct evict *evict, struct keyspace *keyspace)
{
    if (evict->policy == EVICT_NOTHING)
        return EVICT_NO_KEYS;
    struct db *db = current_db(evict, keyspace);
    if (!db)
        return EVICT_NO_KEYS;
    if (unlikely(!keyspace->reuse.on) && learns(evict->policy))
        reuse_start(&keyspace->reuse, evict_is_volatile(evict->policy));
    if (evict->policy == EVICT_ALLKEYS_RANDOM)
        return remove_any(evict, db);
    if (evict->policy == EVICT_VOLATILE_RANDOM && evict->count == 0)
        db->evict_cursor = random_next(&keyspace->random) >> 16;
    if (!look_around(evict, db))
        return EVICT_GO_ON;
    return remove_best(evict);
}
