// SPDX-License-Identifier: BSD-3-Clause
// Sets, their encodings and single members: see set.h.
#include "types/set.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/intset.h"
#include "ds/table_inl.h"
#include "store/digest.h"
#include "store/elements.h"
#include "types/set_internal.h"

// What leaves the small encodings even if the limits would have it stay.
#define INTSET_ENTRIES_MAX ((int64_t)1 << 30)
#define LISTPACK_BYTES_MAX ((size_t)1 << 30)

// Most characters of an integer.
#define INTEGER_TEXT_MAX 20

struct slice set_member_text(struct set_member *member)
{
    if (!member->key.text.ptr) {
        int len = format_int64(member->digits, member->key.integer);
        member->key.text = (struct slice){ .ptr = member->digits, .len = (size_t)len };
    }
    return member->key.text;
}

static size_t packed_size(const struct entry *entry)
{
    const unsigned char *bytes = packed_bytes(entry);
    return set_encoding_of(entry) == SET_ENC_INTSET ? intset_bytes(bytes) : lp_bytes(bytes);
}

size_t set_count(const struct entry *entry)
{
    switch (set_encoding_of(entry)) {
    case SET_ENC_INTSET: return intset_count(packed_bytes(entry));
    case SET_ENC_LISTPACK: return lp_count(packed_bytes(entry));
    case SET_ENC_TABLE: break;
    }
    return set_table_of(entry)->drain.table.count;
}

static bool fits_intset(const struct collection_limits *limits, size_t count)
{
    int64_t max = limits->set_max_intset_entries;
    return (int64_t)count <= (max < INTSET_ENTRIES_MAX ? max : INTSET_ENTRIES_MAX);
}

static bool fits_listpack(const struct collection_limits *limits, size_t count, size_t longest)
{
    return (int64_t)count <= limits->set_max_listpack_entries &&
           (int64_t)longest <= limits->set_max_listpack_value;
}

// ---- as a table ---------------------------------------------------------------------------------

static uint64_t element_hash(const void *entry)
{
    struct slice text = element_text(entry);
    return hash_bytes(text.ptr, text.len);
}

static const struct table_ops element_table_ops = { .hash = element_hash,
                                                    .match = set_element_matches };

static struct set_table *new_table(size_t count)
{
    struct set_table *set = mem_alloc_zeroed(sizeof(*set));
    table_init(&set->drain.table, &element_table_ops);
    if (table_reserve(&set->drain.table, count) != STATUS_OK)
        PANIC("out of memory: a set of %zu members", count);
    return set;
}

// Adds a member that is not there.
static void table_put(struct set_table *set, struct set_member *member)
{
    struct element *element = element_new(set_member_text(member));
    if (table_insert(&set->drain.table, set_member_hash(member), element, NULL) != STATUS_OK)
        PANIC("out of memory: a set of %zu members", set->drain.table.count);
    set->members_bytes += element_memory(element);
}

static struct table_slot *table_look_up(const struct set_table *set, struct set_member *member)
{
    uint64_t hash = set_member_hash(member);
    return table_find_inl(&set->drain.table, hash, &member->key.text, set_element_matches);
}

static bool table_add(struct set_table *set, struct set_member *member)
{
    set_member_text(member);
    if (table_look_up(set, member))
        return false;
    table_put(set, member);
    return true;
}

static bool table_take(struct set_table *set, struct set_member *member)
{
    set_member_text(member);
    struct table_slot *slot = table_look_up(set, member);
    if (!slot)
        return false;
    struct element *element = table_slot_entry(slot);
    table_remove(&set->drain.table, member->hash, slot);
    set->members_bytes -= element_memory(element);
    element_free(element);
    return true;
}

static struct set_table *table_from(const struct entry *entry, size_t room)
{
    struct set_table *set = new_table(room);
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        for (size_t i = 0; i < count; i++)
            table_put(set, &members[i]);
    }
    return set;
}

static void become_table(struct entry **entry)
{
    struct set_table *set = table_from(*entry, set_count(*entry) + 1);
    packed_leave(entry, SET_ENC_TABLE, packed_size(*entry), set);
}

// ---- packed -------------------------------------------------------------------------------------

static void packed_add_integer(struct entry **entry, size_t index, int64_t integer)
{
    const unsigned char *set = packed_bytes(*entry);
    size_t old_size = intset_bytes(set);
    unsigned char *bytes = packed_resize(entry, old_size, intset_bytes_with(set, integer));
    intset_insert(bytes, index, integer);
}

static void packed_add_last(struct entry **entry, const struct lp_key *key)
{
    size_t at = lp_end(packed_bytes(*entry));
    const struct lp_edit edit = { .at = at, .added = lp_encoded_bytes(key), .added_count = 1 };
    packed_splice(entry, &edit);
    lp_encode(packed_bytes(*entry) + at, key);
}

static void intset_becomes_listpack(struct entry **entry)
{
    const unsigned char *set = packed_bytes(*entry);
    size_t old_size = intset_bytes(set);
    size_t count = intset_count(set);
    size_t size = LP_EMPTY_BYTES;
    for (size_t i = 0; i < count; i++)
        size += lp_encoded_int_bytes(intset_at(set, i));
    unsigned char *lp = mem_alloc(size);
    lp_init(lp);
    for (size_t i = 0; i < count; i++) {
        int64_t integer = intset_at(set, i);
        const struct lp_edit edit = { .at = lp_end(lp),
                                      .added = lp_encoded_int_bytes(integer),
                                      .added_count = 1 };
        lp_splice(lp, &edit);
        lp_encode_int(lp + edit.at, integer);
    }
    memcpy(packed_convert(entry, SET_ENC_LISTPACK, old_size, size), lp, size);
    mem_free(lp, size);
}

// The longest text among an intset's integers is that of its first or its last.
static size_t intset_longest(const unsigned char *set)
{
    char digits[INT64_TEXT_MAX];
    size_t count = intset_count(set);
    if (count == 0)
        return 0;
    int first = format_int64(digits, intset_at(set, 0));
    int last = format_int64(digits, intset_at(set, count - 1));
    return (size_t)(first > last ? first : last);
}

static bool intset_add(struct entry **entry, const struct collection_limits *limits,
                       struct set_member *member)
{
    const unsigned char *set = packed_bytes(*entry);
    size_t count = intset_count(set) + 1;
    size_t index;
    if (set_member_is_integer(member)) {
        if (intset_find(set, member->key.integer, &index))
            return false;
        if (fits_intset(limits, count)) {
            packed_add_integer(entry, index, member->key.integer);
            return true;
        }
    } else {
        size_t own = member->key.text.len;
        size_t other = intset_longest(set);
        if (fits_listpack(limits, count, own > other ? own : other)) {
            intset_becomes_listpack(entry);
            packed_add_last(entry, &member->key);
            return true;
        }
    }
    become_table(entry);
    table_put(set_table_of(*entry), member);
    return true;
}

static bool listpack_add(struct entry **entry, const struct collection_limits *limits,
                         struct set_member *member)
{
    const unsigned char *lp = packed_bytes(*entry);
    set_member_is_integer(member);
    if (lp_find(lp, lp_first(lp), &member->key, 0))
        return false;
    size_t len = set_member_text(member).len;
    if (fits_listpack(limits, lp_count(lp) + 1, len) &&
        len < LISTPACK_BYTES_MAX - LP_OVERHEAD_MAX - lp_bytes(lp)) {
        packed_add_last(entry, &member->key);
        return true;
    }
    become_table(entry);
    table_put(set_table_of(*entry), member);
    return true;
}

static bool intset_take(struct entry **entry, struct set_member *member)
{
    unsigned char *set = packed_bytes(*entry);
    size_t index;
    if (!set_member_is_integer(member) || !intset_find(set, member->key.integer, &index))
        return false;
    size_t old_size = intset_bytes(set);
    intset_remove(set, index);
    packed_resize(entry, old_size, intset_bytes(set));
    return true;
}

static bool listpack_take(struct entry **entry, struct set_member *member)
{
    const unsigned char *lp = packed_bytes(*entry);
    set_member_is_integer(member);
    size_t at = lp_find(lp, lp_first(lp), &member->key, 0);
    if (at == 0)
        return false;
    const struct lp_edit edit = { .at = at,
                                  .removed = lp_element_bytes(lp, at),
                                  .removed_count = 1 };
    packed_splice(entry, &edit);
    return true;
}

// ---- members ------------------------------------------------------------------------------------

// A small set of one member, put together on the stack.
#define FIRST_BYTES 512

static struct entry *new_packed(struct slice key, struct entry_spec *spec,
                                struct set_member *member)
{
    unsigned char bytes[FIRST_BYTES];
    if (spec->encoding == SET_ENC_INTSET) {
        intset_init(bytes);
        intset_insert(bytes, 0, member->key.integer);
        return packed_new(key, spec, bytes, intset_bytes(bytes));
    }
    lp_init(bytes);
    if (LP_EMPTY_BYTES + lp_encoded_bytes(&member->key) > sizeof(bytes)) {
        struct entry *entry = packed_new(key, spec, bytes, LP_EMPTY_BYTES);
        packed_add_last(&entry, &member->key);
        return entry;
    }
    const struct lp_edit edit = { .at = lp_end(bytes),
                                  .added = lp_encoded_bytes(&member->key),
                                  .added_count = 1 };
    lp_splice(bytes, &edit);
    lp_encode(bytes + edit.at, &member->key);
    return packed_new(key, spec, bytes, lp_bytes(bytes));
}

struct entry *set_new(struct slice key, uint32_t access, const struct collection_limits *limits,
                      struct set_member *member, size_t expected)
{
    struct entry_spec spec = { .type = TYPE_SET, .access = access, .expiry = EXPIRY_NONE };
    bool integer = set_member_is_integer(member);
    size_t len = set_member_text(member).len;
    if (integer && fits_intset(limits, expected)) {
        spec.encoding = SET_ENC_INTSET;
        return new_packed(key, &spec, member);
    }
    if (fits_listpack(limits, expected, len) && len < LISTPACK_BYTES_MAX / 2) {
        spec.encoding = SET_ENC_LISTPACK;
        return new_packed(key, &spec, member);
    }
    struct set_table *set = new_table(1);
    table_put(set, member);
    spec.encoding = SET_ENC_TABLE;
    spec.word = (uintptr_t)set;
    return entry_new(key, &spec);
}

void set_expect(struct entry **entry, const struct collection_limits *limits, size_t count)
{
    enum set_encoding encoding = set_encoding_of(*entry);
    if ((encoding == SET_ENC_INTSET && !fits_intset(limits, count)) ||
        (encoding == SET_ENC_LISTPACK && !fits_listpack(limits, count, 0)))
        become_table(entry);
}

bool set_is_smallest(const struct entry *entry, const struct collection_limits *limits)
{
    size_t count = set_count(entry);
    return set_encoding_of(entry) == SET_ENC_INTSET ||
           (!fits_intset(limits, count) && !fits_listpack(limits, count, 0));
}

bool set_add(struct entry **entry, const struct collection_limits *limits,
             struct set_member *member)
{
    switch (set_encoding_of(*entry)) {
    case SET_ENC_INTSET: return intset_add(entry, limits, member);
    case SET_ENC_LISTPACK: return listpack_add(entry, limits, member);
    case SET_ENC_TABLE: break;
    }
    return table_add(set_table_of(*entry), member);
}

bool set_remove(struct entry **entry, struct set_member *member)
{
    switch (set_encoding_of(*entry)) {
    case SET_ENC_INTSET: return intset_take(entry, member);
    case SET_ENC_LISTPACK: return listpack_take(entry, member);
    case SET_ENC_TABLE: break;
    }
    return table_take(set_table_of(*entry), member);
}

bool set_has(const struct entry *entry, struct set_member *member)
{
    size_t index;
    const unsigned char *bytes;
    switch (set_encoding_of(entry)) {
    case SET_ENC_INTSET:
        return set_member_is_integer(member) &&
               intset_find(packed_bytes(entry), member->key.integer, &index);
    case SET_ENC_LISTPACK:
        bytes = packed_bytes(entry);
        set_member_is_integer(member);
        return lp_find(bytes, lp_first(bytes), &member->key, 0) != 0;
    case SET_ENC_TABLE: break;
    }
    set_member_text(member);
    return table_look_up(set_table_of(entry), member) != NULL;
}

// ---- the type -----------------------------------------------------------------------------------

static void release_element(void *element, void *udata)
{
    (void)udata;
    element_free(element);
}

static void set_release(struct entry *entry)
{
    if (set_encoding_of(entry) != SET_ENC_TABLE) {
        packed_release(entry, packed_size(entry));
        return;
    }
    struct set_table *set = set_table_of(entry);
    table_release(&set->drain.table, release_element, NULL);
    mem_free(set, sizeof(*set));
}

static size_t set_pieces(const struct entry *entry)
{
    return set_encoding_of(entry) == SET_ENC_TABLE ? set_count(entry) : 1;
}

static bool set_release_some(struct entry *entry, size_t budget)
{
    struct set_table *set = set_table_of(entry);
    if (!set->drain.segment) {
        struct table table = set->drain.table;
        table_drain_begin(&set->drain, &table);
    }
    if (!table_drain_step(&set->drain, budget, release_element, NULL))
        return false;
    mem_free(set, sizeof(*set));
    return true;
}

static size_t set_memory(const struct entry *entry)
{
    if (set_encoding_of(entry) != SET_ENC_TABLE)
        return packed_memory(entry, packed_size(entry));
    const struct set_table *set = set_table_of(entry);
    return mem_good_size(sizeof(*set)) + table_memory(&set->drain.table) + set->members_bytes;
}

static const char *set_encoding_name(const struct entry *entry)
{
    switch (set_encoding_of(entry)) {
    case SET_ENC_INTSET: return "intset";
    case SET_ENC_LISTPACK: return "listpack";
    case SET_ENC_TABLE: break;
    }
    return "hashtable";
}

static void set_unshare(struct entry *clone)
{
    if (set_encoding_of(clone) != SET_ENC_TABLE)
        packed_unshare(clone, packed_size(clone));
    else
        entry_set_word(clone, (uintptr_t)table_from(clone, set_count(clone)));
}

static void set_digest(const struct entry *entry, struct digest *digest)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t count;
    set_walk_begin(&walk, entry);
    while ((count = set_walk_next(&walk, members)) > 0) {
        for (size_t i = 0; i < count; i++)
            digest_xor(digest, set_member_text(&members[i]));
    }
}

static void set_each(const struct entry *entry, const struct element_range *range,
                     element_emit_fn emit, void *udata)
{
    struct set_walk walk;
    struct set_member members[SET_BATCH];
    size_t at = 0;
    set_walk_begin(&walk, entry);
    while (at < range->first + range->count) {
        size_t count = set_walk_next(&walk, members);
        for (size_t i = 0; i < count; i++, at++) {
            if (at >= range->first && at < range->first + range->count)
                emit(set_member_value(&members[i]), udata);
        }
    }
}

static const struct element_ops set_elements = {
    .count = set_count,
    .each = set_each,
};

static const struct table *set_index(const struct entry *entry)
{
    return set_encoding_of(entry) == SET_ENC_TABLE ? &set_table_of(entry)->drain.table : NULL;
}

const struct type_ops set_type_ops = {
    .name = "set",
    .release = set_release,
    .pieces = set_pieces,
    .release_some = set_release_some,
    .memory = set_memory,
    .encoding_name = set_encoding_name,
    .unshare = set_unshare,
    .digest = set_digest,
    .index = set_index,
    .elements = &set_elements,
};
