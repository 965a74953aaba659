// SPDX-License-Identifier: BSD-3-Clause
// Many members of a set: walking, looking up in batches, scanning, choosing.
#include "base/panic.h"
#include "ds/intset.h"
#include "ds/listpack_inl.h"
#include "ds/table_inl.h"
#include "types/sample.h"
#include "types/set.h"
#include "types/set_internal.h"

// The set bits of a mask, one after the other.
#define EACH_BIT(i, mask)                                                                     \
    for (uint32_t rest_ = (mask), i = 0; rest_ && (i = (uint32_t)__builtin_ctz(rest_), true); \
         rest_ &= rest_ - 1)

// Tables of more members than this do not lie in the nearer caches: their elements are fetched ahead too,
// not only their buckets.
#define LARGE_TABLE 20000

static void hash_and_prefetch(const struct table *table, struct set_member *members, uint32_t mask)
{
    uint32_t displaced = 0;
    EACH_BIT(i, mask)
    table_prefetch_bucket_inl(table, set_member_hash(&members[i]));
    if (table->count < LARGE_TABLE)
        return;
    EACH_BIT(i, mask)
    {
        if (!table_prefetch_entry_inl(table, members[i].hash))
            displaced |= UINT32_C(1) << i;
    }
    EACH_BIT(i, displaced)
    table_prefetch_displaced(table, members[i].hash);
}

void set_prefetch(const struct entry *entry, struct set_member *members, uint32_t mask)
{
    // For a single one there is nothing to overlap with.
    if (set_encoding_of(entry) == SET_ENC_TABLE && (mask & (mask - 1)))
        hash_and_prefetch(&set_table_of(entry)->drain.table, members, mask);
}

static uint32_t table_has_many(const struct table *table, struct set_member *members, uint32_t mask)
{
    uint32_t found = 0;
    hash_and_prefetch(table, members, mask);
    EACH_BIT(i, mask)
    {
        if (table_find_inl(table, members[i].hash, &members[i].key.text, set_element_matches))
            found |= UINT32_C(1) << i;
    }
    return found;
}

// Tells most members apart: 0 to 63.
static unsigned mark_of(struct slice text, int64_t integer)
{
    uint64_t mixed = (uint64_t)integer;
    if (text.len > 0)
        mixed = text.len << 16 | (uint64_t)(unsigned char)text.ptr[0] << 8 |
                (unsigned char)text.ptr[text.len - 1];
    return (unsigned)(mixed * UINT64_C(0x9E3779B97F4A7C15) >> 58);
}

static unsigned mark_of_member(struct set_member *member)
{
    static const struct slice none;
    if (set_member_is_integer(member))
        return mark_of(none, member->key.integer);
    return mark_of(member->key.text, 0);
}

// Walks the listpack once for the whole batch.
static uint32_t listpack_has_many(const unsigned char *lp, struct set_member *members,
                                  uint32_t mask)
{
    uint32_t found = 0;
    uint32_t marked[64] = { 0 };
    EACH_BIT(i, mask)
    marked[mark_of_member(&members[i])] |= UINT32_C(1) << i;
    for (const unsigned char *p = lp + LP_HEADER_BYTES; found != mask && !lp_at_end(p);
         p = lp_step(p)) {
        struct lp_value value = lp_read(p);
        uint32_t candidates = marked[mark_of(value.text, value.integer)] & ~found;
        EACH_BIT(i, candidates)
        {
            if (lp_equal(lp, (size_t)(p - lp), &members[i].key))
                found |= UINT32_C(1) << i;
        }
    }
    return found;
}

uint32_t set_has_many(const struct entry *entry, struct set_member *members, uint32_t mask)
{
    uint32_t found = 0;
    if (set_encoding_of(entry) == SET_ENC_TABLE)
        return table_has_many(&set_table_of(entry)->drain.table, members, mask);
    if (set_encoding_of(entry) == SET_ENC_LISTPACK && (mask & (mask - 1)))
        return listpack_has_many(packed_bytes(entry), members, mask);
    EACH_BIT(i, mask)
    {
        if (set_has(entry, &members[i]))
            found |= UINT32_C(1) << i;
    }
    return found;
}

void set_walk_begin(struct set_walk *walk, const struct entry *entry)
{
    walk->entry = entry;
    walk->at = 0;
    if (set_encoding_of(entry) == SET_ENC_LISTPACK)
        walk->at = LP_HEADER_BYTES;
    else if (set_encoding_of(entry) == SET_ENC_TABLE)
        table_iter_init(&walk->table, &set_table_of(entry)->drain.table);
}

static size_t walk_intset(struct set_walk *walk, struct set_member *members)
{
    const unsigned char *set = packed_bytes(walk->entry);
    size_t all = intset_count(set);
    size_t count = 0;
    while (count < SET_BATCH && walk->at < all)
        set_member_init_integer(&members[count++], intset_at(set, walk->at++));
    return count;
}

static size_t walk_listpack(struct set_walk *walk, struct set_member *members)
{
    const unsigned char *lp = packed_bytes(walk->entry);
    const unsigned char *p = lp + walk->at;
    size_t count = 0;
    for (; count < SET_BATCH && !lp_at_end(p); p = lp_step(p))
        set_member_init_value(&members[count++], lp_read(p));
    walk->at = (size_t)(p - lp);
    return count;
}

static size_t walk_table(struct set_walk *walk, struct set_member *members)
{
    const struct element *elements[SET_BATCH];
    const struct table_slot *slot;
    size_t count = 0;
    while (count < SET_BATCH && (slot = table_iter_next(&walk->table)) != NULL) {
        elements[count] = table_slot_entry(slot);
        table_prefetch_line(elements[count++]);
    }
    for (size_t i = 0; i < count; i++)
        set_member_init(&members[i], element_text(elements[i]));
    return count;
}

size_t set_walk_next(struct set_walk *walk, struct set_member members[SET_BATCH])
{
    switch (set_encoding_of(walk->entry)) {
    case SET_ENC_INTSET: return walk_intset(walk, members);
    case SET_ENC_LISTPACK: return walk_listpack(walk, members);
    case SET_ENC_TABLE: break;
    }
    return walk_table(walk, members);
}

struct emission {
    set_emit_fn emit;
    void *udata;
};

static void emit_element(void *element, void *udata)
{
    const struct emission *emission = udata;
    struct set_member member;
    set_member_init(&member, element_text(element));
    emission->emit(&member, emission->udata);
}

static void emit_scanned(void *element, uint8_t expiry_class, void *udata)
{
    (void)expiry_class;
    emit_element(element, udata);
}

uint64_t set_scan(const struct entry *entry, uint64_t cursor, set_emit_fn emit, void *udata)
{
    if (set_encoding_of(entry) == SET_ENC_TABLE) {
        struct emission emission = { .emit = emit, .udata = udata };
        return table_scan(&set_table_of(entry)->drain.table, cursor, emit_scanned, &emission);
    }
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        for (size_t i = 0; i < count; i++)
            emit(&members[i], udata);
    }
    return 0;
}

void set_random(const struct entry *entry, struct random *random, struct set_member *member)
{
    const unsigned char *bytes;
    const struct table_slot *slot;
    switch (set_encoding_of(entry)) {
    case SET_ENC_INTSET:
        bytes = packed_bytes(entry);
        set_member_init_integer(member,
                                intset_at(bytes, random_below(random, intset_count(bytes))));
        return;
    case SET_ENC_LISTPACK:
        bytes = packed_bytes(entry);
        set_member_init_value(
            member, lp_get(bytes, lp_seek(bytes, (int64_t)random_below(random, lp_count(bytes)))));
        return;
    case SET_ENC_TABLE: break;
    }
    slot = table_random(&set_table_of(entry)->drain.table, random);
    ASSERT(slot);
    set_member_init(member, element_text(table_slot_entry(slot)));
}

// Takes members as it walks over all of them.
struct sampling {
    struct sample_walk walk;
    struct emission emission;
};

static void emit_sampled(struct set_member *member, void *udata)
{
    struct sampling *sampling = udata;
    if (sample_take(&sampling->walk))
        sampling->emission.emit(member, sampling->emission.udata);
}

void set_sample(const struct entry *entry, struct random *random, size_t count, set_emit_fn emit,
                void *udata)
{
    struct emission emission = { .emit = emit, .udata = udata };
    if (set_encoding_of(entry) == SET_ENC_TABLE) {
        sample_table(&set_table_of(entry)->drain.table, random, count, emit_element, &emission);
        return;
    }
    struct sampling sampling = {
        .walk = { .random = random, .left = set_count(entry), .wanted = count },
        .emission = emission,
    };
    set_scan(entry, 0, emit_sampled, &sampling);
}
