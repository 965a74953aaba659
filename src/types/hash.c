// SPDX-License-Identifier: BSD-3-Clause
// Hashes: see hash.h.
#include "types/hash.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "ds/listpack_inl.h"
#include "ds/table_inl.h"
#include "store/digest.h"
#include "types/element.h"
#include "types/packed.h"
#include "types/sample.h"

// What becomes a table even if the limits would have it stay a listpack.
#define PACKED_BYTES_MAX ((size_t)1 << 30)

// A new hash of up to this size is put together on the stack.
#define BUILD_BYTES 1024

struct hash_table {
    struct table table;
    union {
        size_t fields_bytes;        // allocated by the fields
        struct table_drain *drain;  // while it is released in slices, when the table is empty
    };
};

// ---- as a table ---------------------------------------------------------------------------------

static inline bool field_matches(const void *entry, const void *key)
{
    return slice_equal(element_text(entry), *(const struct slice *)key);
}

static uint64_t hash_of(struct slice field)
{
    return hash_bytes(field.ptr, field.len);
}

static uint64_t field_hash(const void *entry)
{
    return hash_of(element_text(entry));
}

static const struct table_ops field_table_ops = { .hash = field_hash, .match = field_matches };

static bool is_packed(const struct entry *entry)
{
    return entry_encoding(entry) == HASH_ENC_LISTPACK;
}

static struct hash_table *table_of(const struct entry *entry)
{
    return entry_pointer(entry);
}

// With room for this many fields.
static struct hash_table *new_table(size_t count)
{
    struct hash_table *hash = mem_alloc(sizeof(*hash));
    table_init(&hash->table, &field_table_ops);
    hash->fields_bytes = 0;
    if (table_reserve(&hash->table, count) != STATUS_OK)
        PANIC("out of memory: a hash of %zu fields", count);
    return hash;
}

static void table_add(struct hash_table *hash, uint64_t hashed, struct slice field,
                      struct slice value)
{
    struct element *element = element_new_field(field, value);
    if (table_insert(&hash->table, hashed, element, NULL) != STATUS_OK)
        PANIC("out of memory: a hash of %zu fields", hash->table.count);
    hash->fields_bytes += element_field_memory(element);
}

static const struct element *table_get(const struct hash_table *hash, struct slice field)
{
    const struct table_slot *slot = table_find_inl(&hash->table, hash_of(field), &field,
                                                   field_matches);
    return slot ? table_slot_entry(slot) : NULL;
}

static bool table_set(struct hash_table *hash, struct slice field, struct slice value)
{
    uint64_t hashed = hash_of(field);
    struct table_slot *slot = table_find_inl(&hash->table, hashed, &field, field_matches);
    if (!slot) {
        table_add(hash, hashed, field, value);
        return true;
    }
    struct element *element = table_slot_entry(slot);
    hash->fields_bytes -= element_field_memory(element);
    element = element_with_value(element, value);
    hash->fields_bytes += element_field_memory(element);
    table_slot_set(slot, element);
    return false;
}

static bool table_delete(struct hash_table *hash, struct slice field)
{
    uint64_t hashed = hash_of(field);
    struct table_slot *slot = table_find_inl(&hash->table, hashed, &field, field_matches);
    if (!slot)
        return false;
    struct element *element = table_slot_entry(slot);
    table_remove(&hash->table, hashed, slot);
    hash->fields_bytes -= element_field_memory(element);
    element_free_field(element);
    return true;
}

static void release_field(void *element, void *udata)
{
    (void)udata;
    element_free_field(element);
}

static void free_table(struct hash_table *hash)
{
    table_release(&hash->table, release_field, NULL);
    mem_free(hash, sizeof(*hash));
}

static bool drain_table(struct hash_table *hash, size_t budget)
{
    if (hash->table.count > 0) {
        struct table_drain *drain = mem_alloc(sizeof(*drain));
        table_drain_begin(drain, &hash->table);
        hash->drain = drain;
    }
    if (!table_drain_step(hash->drain, budget, release_field, NULL))
        return false;
    mem_free(hash->drain, sizeof(*hash->drain));
    mem_free(hash, sizeof(*hash));
    return true;
}

static struct hash_table *copy_table(const struct hash_table *hash)
{
    struct hash_table *copy = new_table(hash->table.count);
    struct table_iter iter;
    const struct table_slot *slot;
    table_iter_init(&iter, &hash->table);
    while ((slot = table_iter_next(&iter)) != NULL) {
        const struct element *element = table_slot_entry(slot);
        table_add(copy, field_hash(element), element_text(element), element_value(element));
    }
    return copy;
}

// ---- as a listpack ------------------------------------------------------------------------------

// Where the value of a field stands, or 0.
static size_t packed_find(const unsigned char *lp, const struct lp_key *field)
{
    size_t at = lp_find(lp, lp_first(lp), field, 1);
    return at ? lp_next(lp, at) : 0;
}

// A field with its value, on their way into a listpack.
struct addition {
    struct lp_key field;
    struct lp_key value;
    struct lp_edit edit;
};

static void plan(struct addition *addition, const unsigned char *lp, struct slice field,
                 struct slice value)
{
    addition->field = lp_key_of(field);
    addition->value = lp_key_of(value);
    addition->edit = (struct lp_edit){
        .at = packed_find(lp, &addition->field),
        .added = lp_encoded_bytes(&addition->value),
        .added_count = 1,
    };
    if (addition->edit.at != 0) {
        addition->edit.removed = lp_element_bytes(lp, addition->edit.at);
        addition->edit.removed_count = 1;
        return;
    }
    addition->edit.at = lp_end(lp);
    addition->edit.added += lp_encoded_bytes(&addition->field);
    addition->edit.added_count = 2;
}

// Fills in what the edit has made room for; true if the field is new.
static bool fill(const struct addition *addition, unsigned char *lp)
{
    unsigned char *out = lp + addition->edit.at;
    bool added = addition->edit.removed_count == 0;
    if (added)
        out += lp_encode(out, &addition->field);
    lp_encode(out, &addition->value);
    return added;
}

static bool packed_set(struct entry **entry, struct slice field, struct slice value)
{
    struct addition addition;
    plan(&addition, packed_bytes(*entry), field, value);
    if (addition.edit.added != addition.edit.removed)
        packed_splice(entry, &addition.edit);
    return fill(&addition, packed_bytes(*entry));
}

static bool packed_delete(struct entry **entry, struct slice field)
{
    const unsigned char *lp = packed_bytes(*entry);
    struct lp_key key = lp_key_of(field);
    size_t at = lp_find(lp, lp_first(lp), &key, 1);
    if (at == 0)
        return false;
    struct lp_edit edit = { .at = at, .removed = lp_span(lp, at, 2), .removed_count = 2 };
    packed_splice(entry, &edit);
    return true;
}

static struct slice text_at(const unsigned char *p, char scratch[HASH_SCRATCH])
{
    if (lp_is_text(p))
        return lp_read_text(p);
    int len = format_int64(scratch, lp_read_integer(p));
    return (struct slice){ .ptr = scratch, .len = (size_t)len };
}

// Reads the pair at `p` and returns where the next one stands.
static const unsigned char *read_pair(const unsigned char *p, struct hash_pair *out)
{
    out->field = text_at(p, out->field_scratch);
    p = lp_step(p);
    out->value = text_at(p, out->value_scratch);
    return lp_step(p);
}

static size_t packed_len(const unsigned char *lp)
{
    return lp_count(lp) / 2;
}

static void become_table(struct entry **entry)
{
    const unsigned char *lp = packed_bytes(*entry);
    struct hash_table *hash = new_table(packed_len(lp) + 1);
    const unsigned char *p = lp + LP_HEADER_BYTES;
    struct hash_pair pair;
    while (!lp_at_end(p)) {
        p = read_pair(p, &pair);
        table_add(hash, hash_of(pair.field), pair.field, pair.value);
    }
    packed_leave(entry, HASH_ENC_TABLE, lp_bytes(lp), hash);
}

// ---- the type -----------------------------------------------------------------------------------

static void hash_release(struct entry *entry)
{
    if (is_packed(entry))
        packed_release(entry, lp_bytes(packed_bytes(entry)));
    else
        free_table(table_of(entry));
}

static size_t hash_pieces(const struct entry *entry)
{
    return is_packed(entry) ? 1 : table_of(entry)->table.count;
}

static bool hash_release_some(struct entry *entry, size_t budget)
{
    if (!is_packed(entry))
        return drain_table(table_of(entry), budget);
    hash_release(entry);
    return true;
}

static size_t hash_memory(const struct entry *entry)
{
    if (is_packed(entry))
        return packed_memory(entry, lp_bytes(packed_bytes(entry)));
    const struct hash_table *hash = table_of(entry);
    return mem_good_size(sizeof(*hash)) + table_memory(&hash->table) + hash->fields_bytes;
}

static const char *hash_encoding_name(const struct entry *entry)
{
    return is_packed(entry) ? "listpack" : "hashtable";
}

static void hash_unshare(struct entry *clone)
{
    if (is_packed(clone))
        packed_unshare(clone, lp_bytes(packed_bytes(clone)));
    else
        entry_set_word(clone, (uintptr_t)copy_table(table_of(clone)));
}

// The fields have no order, a field and its value have.
static void hash_digest(const struct entry *entry, struct digest *digest)
{
    struct hash_iter iter;
    struct hash_pair pair;
    hash_iter_init(&iter, entry);
    while (hash_iter_next(&iter, &pair)) {
        struct digest one = { { 0 } };
        digest_mix(&one, pair.field);
        digest_mix(&one, pair.value);
        const struct slice bytes = { .ptr = (const char *)one.bytes, .len = sizeof(one.bytes) };
        digest_xor(digest, bytes);
    }
}

static const struct table *hash_index(const struct entry *entry)
{
    return is_packed(entry) ? NULL : &table_of(entry)->table;
}

const struct type_ops hash_type_ops = {
    .name = "hash",
    .release = hash_release,
    .pieces = hash_pieces,
    .release_some = hash_release_some,
    .memory = hash_memory,
    .encoding_name = hash_encoding_name,
    .unshare = hash_unshare,
    .digest = hash_digest,
    .index = hash_index,
};

// ---- writing ------------------------------------------------------------------------------------

static bool short_enough(const struct collection_limits *limits, struct slice text)
{
    return text.len <= (size_t)limits->hash_max_listpack_value;
}

static bool stays_packed(const unsigned char *lp, const struct collection_limits *limits,
                         struct slice field, struct slice value)
{
    return short_enough(limits, field) && short_enough(limits, value) &&
           lp_bytes(lp) + field.len + value.len <= PACKED_BYTES_MAX;
}

struct entry *hash_new(struct slice key, uint32_t access, const struct collection_limits *limits,
                       const struct slice *fields_and_values, size_t pairs)
{
    unsigned char lp[BUILD_BYTES];
    lp_init(lp);
    size_t i = 0;
    for (; i < pairs && packed_len(lp) < (size_t)limits->hash_max_listpack_entries; i++) {
        const struct slice *pair = &fields_and_values[2 * i];
        size_t room = pair[0].len + pair[1].len + 2 * LP_OVERHEAD_MAX;
        if (!stays_packed(lp, limits, pair[0], pair[1]) || lp_bytes(lp) + room > BUILD_BYTES)
            break;
        struct addition addition;
        plan(&addition, lp, pair[0], pair[1]);
        lp_splice(lp, &addition.edit);
        fill(&addition, lp);
    }
    const struct entry_spec spec = {
        .type = TYPE_HASH,
        .encoding = HASH_ENC_LISTPACK,
        .access = access,
        .expiry = EXPIRY_NONE,
    };
    struct entry *entry = packed_new(key, &spec, lp, lp_bytes(lp));
    for (; i < pairs; i++)
        hash_set(&entry, limits, fields_and_values[2 * i], fields_and_values[2 * i + 1]);
    return entry;
}

bool hash_set(struct entry **entry, const struct collection_limits *limits, struct slice field,
              struct slice value)
{
    if (!is_packed(*entry))
        return table_set(table_of(*entry), field, value);
    if (!stays_packed(packed_bytes(*entry), limits, field, value)) {
        become_table(entry);
        return table_set(table_of(*entry), field, value);
    }
    bool added = packed_set(entry, field, value);
    // Not only if it was added: the limit may have become lower.
    if (packed_len(packed_bytes(*entry)) > (size_t)limits->hash_max_listpack_entries)
        become_table(entry);
    return added;
}

bool hash_delete(struct entry **entry, struct slice field)
{
    if (is_packed(*entry))
        return packed_delete(entry, field);
    return table_delete(table_of(*entry), field);
}

// ---- reading ------------------------------------------------------------------------------------

size_t hash_len(const struct entry *entry)
{
    return is_packed(entry) ? packed_len(packed_bytes(entry)) : table_of(entry)->table.count;
}

bool hash_get(const struct entry *entry, struct slice field, char scratch[HASH_SCRATCH],
              struct slice *value)
{
    if (is_packed(entry)) {
        const unsigned char *lp = packed_bytes(entry);
        struct lp_key key = lp_key_of(field);
        size_t at = packed_find(lp, &key);
        if (at != 0)
            *value = text_at(lp + at, scratch);
        return at != 0;
    }
    const struct element *element = table_get(table_of(entry), field);
    if (element)
        *value = element_value(element);
    return element != NULL;
}

// Fetches the fields' buckets, then the fields themselves.
static void prefetch_fields(const struct table *table, const uint64_t *hashes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        table_prefetch_bucket_inl(table, hashes[i]);
    for (size_t i = 0; i < count; i++)
        table_prefetch_entry_inl(table, hashes[i]);
}

void hash_get_many(const struct entry *entry, const struct slice *fields, size_t count,
                   char (*scratches)[HASH_SCRATCH], struct slice *values)
{
    ASSERT(count <= HASH_GET_MANY_MAX);
    if (is_packed(entry)) {
        for (size_t i = 0; i < count; i++) {
            if (!hash_get(entry, fields[i], scratches[i], &values[i]))
                values[i].ptr = NULL;
        }
        return;
    }
    const struct table *table = &table_of(entry)->table;
    uint64_t hashes[HASH_GET_MANY_MAX];
    for (size_t i = 0; i < count; i++)
        hashes[i] = hash_of(fields[i]);
    prefetch_fields(table, hashes, count);
    for (size_t i = 0; i < count; i++) {
        const struct table_slot *slot = table_find_inl(table, hashes[i], &fields[i], field_matches);
        values[i] = slot ? element_value(table_slot_entry(slot)) : (struct slice){ 0 };
    }
}

void hash_iter_init(struct hash_iter *iter, const struct entry *entry)
{
    iter->at = NULL;
    if (is_packed(entry))
        iter->at = packed_bytes(entry) + LP_HEADER_BYTES;
    else
        table_iter_init(&iter->table, &table_of(entry)->table);
}

static void read_element(const struct element *element, struct hash_pair *out)
{
    out->field = element_text(element);
    out->value = element_value(element);
}

bool hash_iter_next(struct hash_iter *iter, struct hash_pair *out)
{
    if (iter->at) {
        if (lp_at_end(iter->at))
            return false;
        iter->at = read_pair(iter->at, out);
        return true;
    }
    const struct table_slot *slot = table_iter_next(&iter->table);
    if (slot)
        read_element(table_slot_entry(slot), out);
    return slot != NULL;
}

// What hands elements of a table on as pairs.
struct handing {
    hash_emit_fn emit;
    void *udata;
};

static void hand_on(void *element, void *udata)
{
    const struct handing *handing = udata;
    struct hash_pair pair;
    read_element(element, &pair);
    handing->emit(&pair, handing->udata);
}

static void hand_scanned(void *element, uint8_t expiry_class, void *udata)
{
    (void)expiry_class;
    hand_on(element, udata);
}

uint64_t hash_scan(const struct entry *entry, uint64_t cursor, hash_emit_fn emit, void *udata)
{
    if (!is_packed(entry)) {
        struct handing handing = { .emit = emit, .udata = udata };
        return table_scan(&table_of(entry)->table, cursor, hand_scanned, &handing);
    }
    struct hash_iter iter;
    struct hash_pair pair;
    hash_iter_init(&iter, entry);
    while (hash_iter_next(&iter, &pair))
        emit(&pair, udata);
    return 0;
}

void hash_random(const struct entry *entry, struct random *random, struct hash_pair *out)
{
    if (!is_packed(entry)) {
        read_element(table_slot_entry(table_random(&table_of(entry)->table, random)), out);
        return;
    }
    const unsigned char *lp = packed_bytes(entry);
    int64_t index = (int64_t)random_below(random, packed_len(lp));
    read_pair(lp + lp_seek(lp, 2 * index), out);
}

void hash_sample(const struct entry *entry, struct random *random, size_t count, hash_emit_fn emit,
                 void *udata)
{
    if (!is_packed(entry)) {
        struct handing handing = { .emit = emit, .udata = udata };
        sample_table(&table_of(entry)->table, random, count, hand_on, &handing);
        return;
    }
    size_t left = hash_len(entry);
    struct sample_walk walk = { .random = random,
                                .left = left,
                                .wanted = count < left ? count : left };
    struct hash_iter iter;
    struct hash_pair pair;
    hash_iter_init(&iter, entry);
    while (walk.wanted > 0 && hash_iter_next(&iter, &pair)) {
        if (sample_take(&walk))
            emit(&pair, udata);
    }
}
