// SPDX-License-Identifier: BSD-3-Clause
// Long lists: how they are built, and their operations.
//
// Workload. Queues and logs: pushes and pops at the ends, by far; then ranges, LINDEX and LTRIM; now
// and then an insert or a removal in the middle. Millions of elements of some ten bytes each, of which
// hardly a byte may be lost, or a few of some megabytes.
//
//     head                                                                  tail
//   +-------+ <--> +-------+ <--> +-------+ <--> ... <--> +-------+ <--> +-------+     prev, next
//   | chunk |      | chunk |      | chunk |               | chunk |      | chunk |
//   +-------+      +-------+      +-------+               +-------+      +-------+
//                      ^              ^                       ^
//              node  [ 512            498 ...    ]    [ ...   505 ]      up to 31 {child, elements}
//                                 ^                         ^
//              root             [ 15,420                    8,190 ]
//
//   chunk, one allocation:
//   | prev next parent size count front | room | listpack: header, elements, 0xFF | room |
//                                       |<---->| front
//
// Ends. The head and the tail chunk are not in the index, so a push or a pop changes nothing but its
// chunk and the list's count. An end chunk that is full goes into the index (O(log chunks), once in
// some hundred pushes), and one that is used up is replaced by its neighbour from there.
//
// Pushing at the head. A listpack grows at its end; one that grew at its beginning would be moved by
// each push, up to 8 KiB of it. Instead the head chunk keeps its room in front: the new element is
// written before the first one, where the old header ends, and the six bytes of header anew before
// it. Popping does the reverse. So there is a plain listpack in every chunk at any time. Where a
// chunk is head and tail at once and has run out of room on one side, what room there is gets shared
// between both sides; when that is less than an eighth of the bytes to be moved, it grows.
//
// Sizes. A chunk's allocation, with its header, is at most the fill limit, which is a size class.
// A short list's chunk grows by one size class at a time, which wastes a fifth at most; an end chunk
// of a longer list is allocated at once with what its chunks have on average, or a sixteenth of the
// list if that is less: from some 128 KiB on there is one allocation a chunk. What is full is cut to
// its class. An element beyond the limit lies in a chunk of its own. A short list that is drained gives
// its memory back, a long one keeps its end chunks as they are.
//
// Middle. What doesn't fit into a chunk goes to a neighbour, if it belongs at the edge; else the
// chunk is split into halves, or, for a large element, where the element belongs. After a removal a
// chunk is joined with a neighbour if they fill at most three quarters of one, and its memory is cut
// when more than half of it is unused. Pops skip this.
//
// Costs. Push, pop: O(1) amortised. Seek: O(log31 chunks), then a walk within one chunk, from its
// nearer end. 40 bytes a chunk and 16.5 in the index: 0.7 % at 8 KiB.
//
// Rejected. A ring of pointers to chunks instead of the tree (inserting in the middle moves it, and
// seeking needs counts anyway). End chunks in the index with counts brought up to date later (every
// reader must know). A small active head chunk, copied before the others when full (each element is
// moved three times, and there are more chunks to look into). Fixed 8 KiB chunks (a list of 200
// elements wastes 60 %). A chunk header apart from its listpack (a cache miss more for each chunk).
//
// Invariants: quicklist_check() is the list.
#include "ds/quicklist.h"

#include "base/memory.h"
#include "base/panic.h"
#include "ds/quicklist_internal.h"

// A chunk whose size is limited by its number of elements still takes no more than this.
#define SAFE_CHUNK_BYTES 8192

static const struct quicklist_at nowhere;

static void set_limits(struct quicklist *list, int fill)
{
    static const uint32_t limits[] = { 4096, 8192, 16384, 32768, 65536 };
    const int last = sizeof limits / sizeof limits[0];
    list->limit_count = UINT32_MAX;
    if (fill < 0) {
        list->limit_bytes = limits[fill < -last ? last - 1 : -fill - 1];
        return;
    }
    list->limit_bytes = SAFE_CHUNK_BYTES;
    list->limit_count = fill == 0 ? 1 : (uint32_t)fill;
}

static struct quicklist *list_new(void)
{
    struct quicklist *list = mem_alloc_zeroed(sizeof *list);
    list->memory = mem_good_size(sizeof *list);
    return list;
}

struct quicklist *quicklist_new(int fill)
{
    struct quicklist *list = list_new();
    set_limits(list, fill);
    return list;
}

bool quicklist_free_step(struct quicklist *list, size_t budget)
{
    for (; list->head; budget--) {
        if (budget == 0)
            return false;
        list->count -= list->head->count;
        ql_chunk_drop(list, list->head);
    }
    mem_free(list, sizeof *list);
    return true;
}

void quicklist_free(struct quicklist *list)
{
    bool gone = quicklist_free_step(list, SIZE_MAX);
    ASSERT(gone);
}

struct quicklist *quicklist_copy(const struct quicklist *list)
{
    struct quicklist *copy = list_new();
    copy->limit_bytes = list->limit_bytes;
    copy->limit_count = list->limit_count;
    for (const struct quicklist_chunk *chunk = list->head; chunk; chunk = chunk->next) {
        const unsigned char *lp = ql_lp(chunk);
        size_t size = lp_bytes(lp) - LP_EMPTY_BYTES;
        struct quicklist_chunk *own = ql_chunk_new(copy, size);
        own = ql_chunk_append(copy, own, lp + LP_HEADER_BYTES, size, chunk->count);
        ql_chunk_link(copy, copy->tail, own, NULL);
    }
    copy->count = list->count;
    return copy;
}

size_t quicklist_count(const struct quicklist *list)
{
    return list->count;
}

size_t quicklist_chunks(const struct quicklist *list)
{
    return list->chunks;
}

size_t quicklist_memory(const struct quicklist *list)
{
    return list->memory;
}

// --- pushing -------------------------------------------------------------------------------------

static struct lp_key key_of(struct slice value)
{
    ASSERT(value.len <= QUICKLIST_VALUE_MAX);
    return lp_key_of(value);
}

// A sole chunk that is allocated to the limit and has little room left, on the wrong side: to make
// use of it would move the whole chunk every few pushes.
static bool crowded(const struct quicklist *list, const struct quicklist_chunk *chunk, size_t size)
{
    size_t bytes = lp_bytes(ql_lp(chunk)) + size;
    return list->head == list->tail &&
           QL_CHUNK_HEADER + bytes + bytes / QL_SLIDE_SHARE > list->limit_bytes;
}

// The chunk at this end, with room there for `size` bytes.
static struct quicklist_chunk *end_room(struct quicklist *list, enum quicklist_end end, size_t size)
{
    struct quicklist_chunk *chunk = end == QUICKLIST_HEAD ? list->head : list->tail;
    if (unlikely(!chunk || !ql_fits(list, chunk, size)))
        return ql_chunk_open(list, size, end);
    if (likely((end == QUICKLIST_HEAD ? chunk->front : ql_room_behind(chunk)) >= size))
        return chunk;
    if (crowded(list, chunk, size) && chunk->size >= list->limit_bytes)
        return ql_chunk_open(list, size, end);
    return ql_chunk_room(list, chunk, size, end);
}

void quicklist_push(struct quicklist *list, enum quicklist_end end, struct slice value)
{
    struct lp_key key = key_of(value);
    size_t size = lp_encoded_bytes(&key);
    struct quicklist_chunk *chunk = end_room(list, end, size);
    unsigned char *lp = ql_lp(chunk);
    size_t bytes = lp_bytes(lp) + size;
    if (end == QUICKLIST_HEAD) {
        chunk->front -= (uint32_t)size;
        lp_encode(ql_lp(chunk) + LP_HEADER_BYTES, &key);
    } else {
        lp_encode(lp + bytes - size - 1, &key);
        lp[bytes - 1] = 0xFF;
    }
    ql_chunk_set(chunk, bytes, chunk->count + 1);
    list->count++;
}

// How many of the elements from `at` on fit into a chunk that has `bytes` and `count` already, and
// how many bytes they have.
static size_t fitting(const struct quicklist *list, const unsigned char *lp, size_t at,
                      size_t bytes, size_t count, size_t *size)
{
    size_t fit = 0;
    *size = 0;
    for (; at != 0 && count + fit < list->limit_count; at = lp_next(lp, at), fit++) {
        size_t element = lp_element_bytes(lp, at);
        if (QL_CHUNK_HEADER + bytes + *size + element > list->limit_bytes)
            break;
        *size += element;
    }
    return fit;
}

void quicklist_append_listpack(struct quicklist *list, const unsigned char *lp)
{
    size_t end = lp_end(lp);
    for (size_t at = lp_first(lp); at != 0 && at < end;) {
        struct quicklist_chunk *tail = list->tail;
        size_t count = 0;
        size_t size = 0;
        if (tail)
            count = fitting(list, lp, at, lp_bytes(ql_lp(tail)), tail->count, &size);
        if (count == 0) {
            count = fitting(list, lp, at, LP_EMPTY_BYTES, 0, &size);
            if (count == 0) {
                count = 1;
                size = lp_element_bytes(lp, at);
            }
            tail = ql_chunk_open(list, size, QUICKLIST_TAIL);
        }
        ql_chunk_append(list, tail, lp + at, size, count);
        list->count += count;
        at += size;
    }
}

// --- finding -------------------------------------------------------------------------------------

// The chunk with this element; *index becomes the one within it.
static struct quicklist_chunk *locate(const struct quicklist *list, size_t *index)
{
    if (*index < list->head->count)
        return list->head;
    size_t before_tail = list->count - list->tail->count;
    if (*index >= before_tail) {
        *index -= before_tail;
        return list->tail;
    }
    *index -= list->head->count;
    return ql_tree_seek(list, index);
}

static struct quicklist_at first_of(struct quicklist_chunk *chunk)
{
    return chunk ? (struct quicklist_at){ chunk, LP_HEADER_BYTES } : nowhere;
}

struct quicklist_at quicklist_seek(const struct quicklist *list, int64_t index)
{
    if (index == 0)
        return first_of(list->head);
    if (index == -1 && list->count > 0)
        return (struct quicklist_at){ list->tail, lp_last(ql_lp(list->tail)) };
    if (index < 0)
        index += (int64_t)list->count;
    if (index < 0 || (uint64_t)index >= list->count)
        return nowhere;
    size_t within = (size_t)index;
    struct quicklist_chunk *chunk = locate(list, &within);
    return (struct quicklist_at){ chunk, lp_seek(ql_lp(chunk), (int64_t)within) };
}

struct quicklist_at quicklist_next(const struct quicklist *list, struct quicklist_at at)
{
    (void)list;
    at.offset = lp_next(ql_lp(at.chunk), at.offset);
    return at.offset != 0 ? at : first_of(at.chunk->next);
}

struct quicklist_at quicklist_prev(const struct quicklist *list, struct quicklist_at at)
{
    (void)list;
    at.offset = lp_prev(ql_lp(at.chunk), at.offset);
    if (at.offset != 0)
        return at;
    at.chunk = at.chunk->prev;
    if (at.chunk)
        at.offset = lp_last(ql_lp(at.chunk));
    return at;
}

const unsigned char *quicklist_listpack(struct quicklist_at at)
{
    return ql_lp(at.chunk);
}

const unsigned char *quicklist_only_listpack(const struct quicklist *list)
{
    return list->chunks == 1 ? ql_lp(list->head) : NULL;
}

void quicklist_each_chunk(const struct quicklist *list, quicklist_emit_fn emit, void *udata)
{
    for (const struct quicklist_chunk *chunk = list->head; chunk; chunk = chunk->next)
        emit(ql_lp(chunk), udata);
}

// --- inserting -----------------------------------------------------------------------------------

static bool at_end(struct quicklist_at at)
{
    return at.offset == lp_end(ql_lp(at.chunk));
}

// How many elements stand before the first one that ends behind `offset`, and where that is.
static size_t count_before(const unsigned char *lp, size_t *offset)
{
    size_t count = 0;
    size_t at = LP_HEADER_BYTES;
    for (size_t end; (end = at + lp_element_bytes(lp, at)) <= *offset; at = end)
        count++;
    *offset = at;
    return count;
}

// Splits the chunk into halves; returns where the place is then.
static struct quicklist_at halve(struct quicklist *list, struct quicklist_at at)
{
    const unsigned char *lp = ql_lp(at.chunk);
    size_t cut = lp_next(lp, LP_HEADER_BYTES);
    size_t left = 1;
    if (lp_bytes(lp) / 2 >= cut) {
        cut = lp_bytes(lp) / 2;
        left = count_before(lp, &cut);
    }
    at.chunk = ql_chunk_split(list, at.chunk, cut, left);
    if (at.offset > cut) {
        at.chunk = at.chunk->next;
        at.offset -= cut - LP_HEADER_BYTES;
    }
    return at;
}

// A new chunk, with room for `size` bytes, just where the place is.
static struct quicklist_at place_apart(struct quicklist *list, struct quicklist_at at, size_t size)
{
    struct quicklist_chunk *chunk = at.chunk;
    if (at.offset == LP_HEADER_BYTES) {
        chunk = chunk->prev;
    } else if (!at_end(at)) {
        size_t offset = at.offset;
        size_t left = count_before(ql_lp(chunk), &offset);
        chunk = ql_chunk_split(list, chunk, offset, left);
    }
    struct quicklist_chunk *apart = ql_chunk_new(list, size);
    ql_chunk_link(list, chunk, apart, chunk ? chunk->next : list->head);
    return first_of(apart);
}

// Where an element of `size` bytes, more than its chunk can take, goes instead.
static struct quicklist_at place_for(struct quicklist *list, struct quicklist_at at, size_t size)
{
    struct quicklist_chunk *prev = at.chunk->prev;
    struct quicklist_chunk *next = at.chunk->next;
    if (at.offset == LP_HEADER_BYTES && prev && ql_fits(list, prev, size))
        return (struct quicklist_at){ prev, lp_end(ql_lp(prev)) };
    if (at_end(at) && next && ql_fits(list, next, size))
        return first_of(next);
    if (at.chunk->count > 1 && size < list->limit_bytes / 2) {
        at = halve(list, at);
        if (ql_fits(list, at.chunk, size))
            return at;
    }
    return place_apart(list, at, size);
}

// Writes an element at this place; `removed` bytes of another one make way for it.
static void put(struct quicklist *list, struct quicklist_at at, const struct lp_key *key,
                size_t removed)
{
    struct quicklist_chunk *chunk = at.chunk;
    size_t size = lp_encoded_bytes(key);
    size_t bytes = lp_bytes(ql_lp(chunk)) - removed + size;
    if (size > removed)
        chunk = ql_chunk_room(list, chunk, size - removed, QUICKLIST_TAIL);
    struct lp_edit edit = { .at = at.offset,
                            .removed = removed,
                            .removed_count = removed != 0,
                            .added = size,
                            .added_count = 1 };
    lp_splice(ql_lp(chunk), &edit);
    lp_encode(ql_lp(chunk) + at.offset, key);
    ql_chunk_set(chunk, bytes, chunk->count + (removed == 0));
    if (removed == 0 && chunk->parent)
        ql_tree_add(chunk, 1);
    if (removed > size)
        ql_chunk_trim(list, chunk);
}

void quicklist_insert(struct quicklist *list, struct quicklist_at at, bool behind,
                      struct slice value)
{
    struct lp_key key = key_of(value);
    if (behind)
        at.offset += lp_element_bytes(ql_lp(at.chunk), at.offset);
    if (at.chunk == list->head && at.offset == LP_HEADER_BYTES) {
        quicklist_push(list, QUICKLIST_HEAD, value);
        return;
    }
    if (at.chunk == list->tail && at_end(at)) {
        quicklist_push(list, QUICKLIST_TAIL, value);
        return;
    }
    size_t size = lp_encoded_bytes(&key);
    if (!ql_fits(list, at.chunk, size))
        at = place_for(list, at, size);
    put(list, at, &key, 0);
    list->count++;
}

void quicklist_replace(struct quicklist *list, struct quicklist_at at, struct slice value)
{
    struct lp_key key = key_of(value);
    const unsigned char *lp = ql_lp(at.chunk);
    size_t size = lp_encoded_bytes(&key);
    size_t removed = lp_element_bytes(lp, at.offset);
    if (at.chunk->count == 1 ||
        QL_CHUNK_HEADER + lp_bytes(lp) - removed + size <= list->limit_bytes) {
        put(list, at, &key, removed);
        return;
    }
    ql_chunk_cut(at.chunk, at.offset, removed, 1);
    put(list, place_for(list, at, size), &key, 0);
}

// --- removing ------------------------------------------------------------------------------------

struct quicklist_at quicklist_remove(struct quicklist *list, struct quicklist_at at)
{
    struct quicklist_chunk *chunk = at.chunk;
    size_t size = lp_element_bytes(ql_lp(chunk), at.offset);
    bool pop = (chunk == list->head && at.offset == LP_HEADER_BYTES) ||
               (chunk == list->tail && at.offset + size == lp_end(ql_lp(chunk)));
    list->count--;
    if (chunk->count == 1) {
        struct quicklist_at next = first_of(chunk->next);
        ql_chunk_drop(list, chunk);
        return next;
    }
    ql_chunk_cut(chunk, at.offset, size, 1);
    at.chunk = ql_chunk_trim(list, chunk);
    if (!pop)
        at = ql_chunk_merge(list, at);
    return at_end(at) ? first_of(at.chunk->next) : at;
}

// Removes up to `count` elements from the one at `within` on; returns how many. *chunk becomes the
// next one.
static size_t remove_within(struct quicklist *list, struct quicklist_chunk **chunk, size_t within,
                            size_t count)
{
    struct quicklist_chunk *from = *chunk;
    *chunk = from->next;
    if (count > from->count - within)
        count = from->count - within;
    if (count == from->count) {
        ql_chunk_drop(list, from);
        return count;
    }
    const unsigned char *lp = ql_lp(from);
    size_t offset = lp_seek(lp, (int64_t)within);
    size_t size = within + count == from->count ? lp_end(lp) - offset : lp_span(lp, offset, count);
    ql_chunk_cut(from, offset, size, count);
    ql_chunk_trim(list, from);
    return count;
}

void quicklist_remove_range(struct quicklist *list, size_t index, size_t count)
{
    if (index >= list->count || count == 0)
        return;
    if (count > list->count - index)
        count = list->count - index;
    size_t within = index;
    struct quicklist_chunk *chunk = locate(list, &within);
    for (size_t left = count; left > 0; within = 0)
        left -= remove_within(list, &chunk, within, left);
    list->count -= count;
    if (index == 0 || index == list->count)
        return;
    chunk = locate(list, &index);
    ql_chunk_merge(list, first_of(chunk));
}
