// SPDX-License-Identifier: BSD-3-Clause
// Lists: see list.h.
#include "types/list.h"

#include "store/digest.h"
#include "store/elements.h"
#include "types/packed.h"

// A list whose length is limited by its number of elements stays below this nevertheless.
#define SAFE_BYTES 8192

// Values that are read and measured before they are written.
#define PUSH_GROUP 8

// New lists up to this size are put together before their entry is made.
#define BUILD_BYTES 256

// A list of more chunks is not looked at for whether it has become small.
#define SHRINK_CHUNKS 3

static const struct list_place nowhere;

static bool is_small(const struct entry *entry)
{
    return entry_encoding(entry) == LIST_ENC_LISTPACK;
}

static size_t small_bytes(const struct entry *entry)
{
    return lp_bytes(packed_bytes(entry));
}

// --- What the keyspace asks ---------------------------------------------------------------------

static void list_release(struct entry *entry)
{
    if (is_small(entry))
        packed_release(entry, small_bytes(entry));
    else
        quicklist_free(entry_pointer(entry));
}

static size_t list_pieces(const struct entry *entry)
{
    return is_small(entry) ? 1 : quicklist_chunks(entry_pointer(entry));
}

static bool list_release_some(struct entry *entry, size_t budget)
{
    if (!is_small(entry))
        return quicklist_free_step(entry_pointer(entry), budget);
    list_release(entry);
    return true;
}

static size_t list_memory(const struct entry *entry)
{
    return is_small(entry) ? packed_memory(entry, small_bytes(entry))
                           : quicklist_memory(entry_pointer(entry));
}

static const char *list_encoding_name(const struct entry *entry)
{
    return is_small(entry) ? "listpack" : "quicklist";
}

static void list_unshare(struct entry *clone)
{
    if (is_small(clone))
        packed_unshare(clone, small_bytes(clone));
    else
        entry_set_word(clone, (uintptr_t)quicklist_copy(entry_pointer(clone)));
}

static void list_digest(const struct entry *entry, struct digest *digest)
{
    char scratch[24];
    for (struct list_place place = list_entry_seek(entry, 0); place.lp; list_place_next(&place))
        digest_mix(digest, lp_text(place.lp, place.offset, scratch));
}

static void list_each(const struct entry *entry, const struct element_range *range,
                      element_emit_fn emit, void *udata)
{
    int64_t first = (int64_t)range->first;
    struct list_place place = list_entry_seek(entry, range->reverse ? -1 - first : first);
    for (size_t left = range->count; left > 0; left--) {
        emit(list_place_value(&place), udata);
        if (range->reverse)
            list_place_prev(&place);
        else
            list_place_next(&place);
    }
}

static const struct element_ops list_elements = {
    .ordered = true,
    .count = list_entry_count,
    .each = list_each,
};

const struct type_ops list_type_ops = {
    .name = "list",
    .release = list_release,
    .pieces = list_pieces,
    .release_some = list_release_some,
    .memory = list_memory,
    .encoding_name = list_encoding_name,
    .unshare = list_unshare,
    .digest = list_digest,
    .elements = &list_elements,
};

// --- Small and large ----------------------------------------------------------------------------

// Whether a small list may have this size, or 1/part of it.
static bool stays_small(const struct collection_limits *limits, size_t bytes, size_t count,
                        size_t part)
{
    static const size_t sizes[] = { 4096, 8192, 16384, 32768, 65536 };
    const int64_t last = sizeof(sizes) / sizeof(*sizes);
    int64_t fill = limits->list_max_listpack_size;
    if (fill < 0)
        return bytes <= sizes[fill < -last ? last - 1 : -fill - 1] / part;
    return bytes <= SAFE_BYTES && count <= (fill ? (size_t)fill : 1) / part;
}

static size_t text_bytes(const struct slice *values, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += values[i].len;
    return bytes;
}

static struct quicklist *large_of(const unsigned char *lp, const struct collection_limits *limits)
{
    struct quicklist *list = quicklist_new((int)limits->list_max_listpack_size);
    quicklist_append_listpack(list, lp);
    return list;
}

// Makes a small list large if it cannot take these values.
static void make_room(struct entry **entry, const struct collection_limits *limits,
                      const struct slice *values, size_t count)
{
    if (!is_small(*entry))
        return;
    const unsigned char *lp = packed_bytes(*entry);
    size_t bytes = lp_bytes(lp);
    if (stays_small(limits, bytes + text_bytes(values, count), lp_count(lp) + count, 1))
        return;
    packed_leave(entry, LIST_ENC_QUICKLIST, bytes, large_of(lp, limits));
}

static void add_bytes(const unsigned char *lp, void *udata)
{
    *(size_t *)udata += lp_bytes(lp) - LP_EMPTY_BYTES;
}

static void append(const unsigned char *lp, void *udata)
{
    struct entry **entry = udata;
    packed_splice(entry, &(struct lp_edit){ .at = lp_end(packed_bytes(*entry)),
                                            .bytes = lp + LP_HEADER_BYTES,
                                            .added = lp_bytes(lp) - LP_EMPTY_BYTES,
                                            .added_count = lp_count(lp) });
}

// Makes a large list small if it may be, or only if 1/part of that is left.
static void shrink_to(struct entry **entry, const struct collection_limits *limits, size_t part)
{
    struct quicklist *list = entry_pointer(*entry);
    if (likely(quicklist_chunks(list) > SHRINK_CHUNKS))
        return;
    size_t bytes = LP_EMPTY_BYTES;
    quicklist_each_chunk(list, add_bytes, &bytes);
    if (!stays_small(limits, bytes, quicklist_count(list), part))
        return;
    unsigned char lp[LP_EMPTY_BYTES];
    lp_init(lp);
    packed_enter(entry, LIST_ENC_LISTPACK, lp, sizeof(lp));
    quicklist_each_chunk(list, append, entry);
    quicklist_free(list);
}

// After a removal. An empty list is about to go.
static void shrink(struct entry **entry, const struct collection_limits *limits)
{
    if (!is_small(*entry))
        shrink_to(entry, limits, 2);
}

struct entry *list_entry_of(struct slice key, uint32_t access,
                            const struct collection_limits *limits, struct quicklist *list)
{
    const struct entry_spec spec = {
        .type = TYPE_LIST,
        .encoding = LIST_ENC_QUICKLIST,
        .access = access,
        .expiry = EXPIRY_NONE,
        .word = (uintptr_t)list,
    };
    struct entry *entry = entry_new(key, &spec);
    shrink_to(&entry, limits, 1);
    return entry;
}

size_t list_entry_count(const struct entry *entry)
{
    return is_small(entry) ? lp_count(packed_bytes(entry)) : quicklist_count(entry_pointer(entry));
}

// --- Pushing ------------------------------------------------------------------------------------

static void push_group(struct entry **entry, enum list_end end, const struct slice *values,
                       size_t count)
{
    struct lp_key keys[PUSH_GROUP];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        keys[i] = lp_key_of(values[i]);
        size += lp_encoded_bytes(&keys[i]);
    }
    size_t at = end == LIST_LEFT ? LP_HEADER_BYTES : lp_end(packed_bytes(*entry));
    packed_splice(entry, &(struct lp_edit){ .at = at, .added = size, .added_count = count });
    unsigned char *p = packed_bytes(*entry) + at;
    for (size_t i = 0; i < count; i++)
        p += lp_encode(p, &keys[end == LIST_LEFT ? count - 1 - i : i]);
}

static void push_small(struct entry **entry, enum list_end end, const struct slice *values,
                       size_t count)
{
    for (size_t i = 0; i < count; i += PUSH_GROUP)
        push_group(entry, end, values + i, count - i < PUSH_GROUP ? count - i : PUSH_GROUP);
}

static void push_large(struct quicklist *list, enum list_end end, const struct slice *values,
                       size_t count)
{
    enum quicklist_end at = end == LIST_LEFT ? QUICKLIST_HEAD : QUICKLIST_TAIL;
    for (size_t i = 0; i < count; i++)
        quicklist_push(list, at, values[i]);
}

void list_entry_push(struct entry **entry, const struct collection_limits *limits,
                     enum list_end end, const struct slice *values, size_t count)
{
    make_room(entry, limits, values, count);
    if (is_small(*entry))
        push_small(entry, end, values, count);
    else
        push_large(entry_pointer(*entry), end, values, count);
}

static void build(unsigned char *lp, enum list_end end, const struct slice *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct lp_key key = lp_key_of(values[i]);
        size_t at = end == LIST_LEFT ? LP_HEADER_BYTES : lp_end(lp);
        lp_splice(lp,
                  &(struct lp_edit){ .at = at, .added = lp_encoded_bytes(&key), .added_count = 1 });
        lp_encode(lp + at, &key);
    }
}

struct entry *list_entry_new(struct slice key, uint32_t access,
                             const struct collection_limits *limits, enum list_end end,
                             const struct slice *values, size_t count)
{
    struct entry_spec spec = {
        .type = TYPE_LIST,
        .encoding = LIST_ENC_LISTPACK,
        .access = access,
        .expiry = EXPIRY_NONE,
    };
    size_t bytes = LP_EMPTY_BYTES + text_bytes(values, count);
    if (!stays_small(limits, bytes, count, 1)) {
        struct quicklist *list = quicklist_new((int)limits->list_max_listpack_size);
        push_large(list, end, values, count);
        spec.encoding = LIST_ENC_QUICKLIST;
        spec.word = (uintptr_t)list;
        return entry_new(key, &spec);
    }
    unsigned char lp[BUILD_BYTES];
    lp_init(lp);
    bool whole = bytes + count * LP_OVERHEAD_MAX <= sizeof(lp);
    if (whole)
        build(lp, end, values, count);
    struct entry *entry = packed_new(key, &spec, lp, lp_bytes(lp));
    if (!whole)
        push_small(&entry, end, values, count);
    return entry;
}

// --- Finding ------------------------------------------------------------------------------------

static struct list_place large_place(const struct quicklist *list, struct quicklist_at at)
{
    if (!at.chunk)
        return nowhere;
    return (struct list_place){
        .large = list, .chunk = at.chunk, .lp = quicklist_listpack(at), .offset = at.offset
    };
}

static struct quicklist_at at_place(const struct list_place *place)
{
    return (struct quicklist_at){ .chunk = place->chunk, .offset = place->offset };
}

struct list_place list_entry_seek(const struct entry *entry, int64_t index)
{
    if (!is_small(entry)) {
        const struct quicklist *list = entry_pointer(entry);
        return large_place(list, quicklist_seek(list, index));
    }
    const unsigned char *lp = packed_bytes(entry);
    size_t offset = lp_seek(lp, index);
    return offset ? (struct list_place){ .lp = lp, .offset = offset } : nowhere;
}

void list_place_next(struct list_place *place)
{
    size_t offset = lp_next(place->lp, place->offset);
    if (likely(offset))
        place->offset = offset;
    else if (place->large)
        *place = large_place(place->large, quicklist_next(place->large, at_place(place)));
    else
        *place = nowhere;
}

void list_place_prev(struct list_place *place)
{
    size_t offset = lp_prev(place->lp, place->offset);
    if (likely(offset))
        place->offset = offset;
    else if (place->large)
        *place = large_place(place->large, quicklist_prev(place->large, at_place(place)));
    else
        *place = nowhere;
}

static struct list_place find(const struct entry *entry, const struct lp_key *key)
{
    struct list_place place = list_entry_seek(entry, 0);
    while (place.lp) {
        size_t offset = lp_find(place.lp, place.offset, key, 0);
        if (offset) {
            place.offset = offset;
            return place;
        }
        place.offset = lp_last(place.lp);
        list_place_next(&place);
    }
    return nowhere;
}

// --- Removing -----------------------------------------------------------------------------------

static void cut(struct entry **entry, size_t at, size_t size, size_t count)
{
    packed_splice(entry, &(struct lp_edit){ .at = at, .removed = size, .removed_count = count });
}

void list_entry_pop(struct entry **entry, const struct collection_limits *limits, enum list_end end)
{
    if (is_small(*entry)) {
        const unsigned char *lp = packed_bytes(*entry);
        size_t at = end == LIST_LEFT ? lp_first(lp) : lp_last(lp);
        cut(entry, at, lp_element_bytes(lp, at), 1);
        return;
    }
    struct quicklist *list = entry_pointer(*entry);
    (void)quicklist_remove(list, quicklist_seek(list, end == LIST_LEFT ? 0 : -1));
    shrink(entry, limits);
}

void list_entry_remove_range(struct entry **entry, const struct collection_limits *limits,
                             size_t index, size_t count)
{
    if (count == 0)
        return;
    if (is_small(*entry)) {
        const unsigned char *lp = packed_bytes(*entry);
        size_t at = lp_seek(lp, (int64_t)index);
        cut(entry, at, lp_span(lp, at, count), count);
        return;
    }
    quicklist_remove_range(entry_pointer(*entry), index, count);
    shrink(entry, limits);
}

// Takes the element out without giving back the room.
static void cut_in_place(unsigned char *lp, size_t at)
{
    lp_splice(
        lp, &(struct lp_edit){ .at = at, .removed = lp_element_bytes(lp, at), .removed_count = 1 });
}

static size_t remove_small(struct entry **entry, const struct lp_key *key, bool from_right,
                           size_t max)
{
    unsigned char *lp = packed_bytes(*entry);
    size_t old_size = lp_bytes(lp);
    size_t removed = 0;
    for (size_t at = from_right ? lp_last(lp) : lp_first(lp); at != 0 && removed < max;) {
        if (!from_right)
            at = lp_find(lp, at, key, 0);
        if (at != 0 && (!from_right || lp_equal(lp, at, key))) {
            cut_in_place(lp, at);
            removed++;
        }
        if (from_right)
            at = lp_prev(lp, at);
    }
    if (removed)
        packed_resize(entry, old_size, lp_bytes(lp));
    return removed;
}

static size_t remove_from_left(struct quicklist *list, const struct lp_key *key, size_t max)
{
    size_t removed = 0;
    struct quicklist_at at = quicklist_seek(list, 0);
    while (at.chunk && removed < max) {
        const unsigned char *lp = quicklist_listpack(at);
        size_t offset = lp_find(lp, at.offset, key, 0);
        at.offset = offset ? offset : lp_last(lp);
        at = offset ? quicklist_remove(list, at) : quicklist_next(list, at);
        removed += offset != 0;
    }
    return removed;
}

static size_t remove_from_right(struct quicklist *list, const struct lp_key *key, size_t max)
{
    size_t removed = 0;
    struct quicklist_at at = quicklist_seek(list, -1);
    while (at.chunk && removed < max) {
        if (!lp_equal(quicklist_listpack(at), at.offset, key)) {
            at = quicklist_prev(list, at);
            continue;
        }
        struct quicklist_at behind = quicklist_remove(list, at);
        at = behind.chunk ? quicklist_prev(list, behind) : quicklist_seek(list, -1);
        removed++;
    }
    return removed;
}

size_t list_entry_remove_equal(struct entry **entry, const struct collection_limits *limits,
                               struct slice value, int64_t count)
{
    const struct lp_key key = lp_key_of(value);
    bool from_right = count < 0;
    size_t max = count == 0 ? SIZE_MAX : from_right ? -(uint64_t)count : (uint64_t)count;
    if (is_small(*entry))
        return remove_small(entry, &key, from_right, max);
    struct quicklist *list = entry_pointer(*entry);
    size_t removed = from_right ? remove_from_right(list, &key, max)
                                : remove_from_left(list, &key, max);
    if (removed)
        shrink(entry, limits);
    return removed;
}

// --- Elements in the middle ---------------------------------------------------------------------

// Writes the value over `removed` bytes of an element, or between two.
static void put_small(struct entry **entry, size_t at, size_t removed, struct slice value)
{
    const struct lp_key key = lp_key_of(value);
    packed_splice(entry, &(struct lp_edit){ .at = at,
                                            .removed = removed,
                                            .removed_count = removed != 0,
                                            .added = lp_encoded_bytes(&key),
                                            .added_count = 1 });
    lp_encode(packed_bytes(*entry) + at, &key);
}

bool list_entry_set(struct entry **entry, const struct collection_limits *limits, int64_t index,
                    struct slice value)
{
    struct list_place place = list_entry_seek(*entry, index);
    if (!place.lp)
        return false;
    make_room(entry, limits, &value, 1);
    if (is_small(*entry)) {
        put_small(entry, place.offset, lp_element_bytes(place.lp, place.offset), value);
        return true;
    }
    struct quicklist *list = entry_pointer(*entry);
    quicklist_replace(list, quicklist_seek(list, index), value);
    shrink(entry, limits);
    return true;
}

bool list_entry_insert(struct entry **entry, const struct collection_limits *limits,
                       struct slice pivot, bool behind, struct slice value)
{
    const struct lp_key key = lp_key_of(pivot);
    struct list_place place = find(*entry, &key);
    if (!place.lp)
        return false;
    bool was_small = is_small(*entry);
    make_room(entry, limits, &value, 1);
    if (is_small(*entry)) {
        size_t at = place.offset + (behind ? lp_element_bytes(place.lp, place.offset) : 0);
        put_small(entry, at, 0, value);
        return true;
    }
    if (was_small)
        place = find(*entry, &key);
    quicklist_insert(entry_pointer(*entry), at_place(&place), behind, value);
    return true;
}
