// SPDX-License-Identifier: BSD-3-Clause
// Small sorted sets: a listpack of members and scores, in order.
#include "base/memory.h"
#include "base/panic.h"
#include "ds/listpack_inl.h"
#include "types/packed.h"
#include "types/zset_internal.h"

// What becomes a tree even if the limits would have it stay a listpack.
#define PACKED_BYTES_MAX ((size_t)1 << 30)

// Doubles up to this size are stored as integers if they are.
#define INTEGER_SCORE_MAX 0x1p62

void zset_packed_score_of(double score, struct zset_packed_score *out)
{
    if (score >= -INTEGER_SCORE_MAX && score <= INTEGER_SCORE_MAX &&
        score == (double)(int64_t)score) {
        out->key = (struct lp_key){ .integer = (int64_t)score, .is_integer = true };
        return;
    }
    size_t len = (size_t)format_double(out->text, score);
    out->key = lp_key_of((struct slice){ .ptr = out->text, .len = len });
}

static double read_score(const unsigned char *p)
{
    if (!lp_is_text(p))
        return (double)lp_read_integer(p);
    double score;
    if (!parse_double(lp_read_text(p), &score))
        PANIC("a sorted set with a score that is no number");
    return score;
}

double zset_packed_score_at(const unsigned char *lp, size_t at)
{
    return read_score(lp + at);
}

// The member at `p`; a number is written into `scratch`.
static struct slice read_member(const unsigned char *p, char scratch[ZSET_SCRATCH])
{
    if (lp_is_text(p))
        return lp_read_text(p);
    int len = format_int64(scratch, lp_read_integer(p));
    return (struct slice){ .ptr = scratch, .len = (size_t)len };
}

size_t zset_packed_read(const unsigned char *lp, size_t at, struct zset_item *out)
{
    const unsigned char *score = lp_step(lp + at);
    out->member = read_member(lp + at, out->scratch);
    out->score = read_score(score);
    const unsigned char *next = lp_step(score);
    return lp_at_end(next) ? 0 : (size_t)(next - lp);
}

size_t zset_packed_len(const struct entry *entry)
{
    return lp_count(packed_bytes(entry)) / 2;
}

static size_t find(const unsigned char *lp, const struct lp_key *member)
{
    return lp_find(lp, lp_first(lp), member, 1);
}

size_t zset_packed_find(const unsigned char *lp, struct slice member)
{
    struct lp_key key = lp_key_of(member);
    return find(lp, &key);
}

size_t zset_packed_rank(const unsigned char *lp, size_t at)
{
    size_t before = 0;
    for (const unsigned char *p = lp + LP_HEADER_BYTES; p < lp + at; p = lp_step(lp_step(p)))
        before++;
    return before;
}

// Where a member with this score belongs: before the first pair that is behind it in the order. The
// pair at `skipped` (or 0) does not count.
static size_t place_of(const unsigned char *lp, struct slice member, double score, size_t skipped)
{
    const unsigned char *p = lp + LP_HEADER_BYTES;
    while (!lp_at_end(p)) {
        const unsigned char *at = lp_step(p);
        double have = read_score(at);
        char scratch[ZSET_SCRATCH];
        if (p != lp + skipped &&
            (have > score ||
             (have == score && zset_compare_members(read_member(p, scratch), member) > 0)))
            break;
        p = lp_step(at);
    }
    return (size_t)(p - lp);
}

struct pair {
    const struct lp_key *member;
    struct zset_packed_score score;
    size_t bytes;
};

static void write_pair(unsigned char *out, const struct pair *pair)
{
    out += lp_encode(out, pair->member);
    lp_encode(out, &pair->score.key);
}

static void insert(struct entry **entry, const struct pair *pair, size_t at)
{
    packed_splice(entry, &(struct lp_edit){ .at = at, .added = pair->bytes, .added_count = 2 });
    write_pair(packed_bytes(*entry) + at, pair);
}

// Takes `removed` bytes at `from` out and writes the pair at `to`.
static void move(struct entry **entry, const struct pair *pair, size_t from, size_t removed,
                 size_t to)
{
    size_t old_size = lp_bytes(packed_bytes(*entry));
    size_t size = old_size - removed + pair->bytes;
    unsigned char *lp = packed_bytes(*entry);
    if (size > old_size)
        lp = packed_resize(entry, old_size, size);
    lp_splice(lp, &(struct lp_edit){ .at = from, .removed = removed, .removed_count = 2 });
    if (to > from)
        to -= removed;
    lp_splice(lp, &(struct lp_edit){ .at = to, .added = pair->bytes, .added_count = 2 });
    write_pair(lp + to, pair);
    if (size < old_size)
        packed_resize(entry, old_size, size);
}

static bool must_leave(const struct entry *entry, const struct collection_limits *limits,
                       size_t member_len)
{
    return (int64_t)zset_packed_len(entry) >= limits->zset_max_listpack_entries ||
           (int64_t)member_len > limits->zset_max_listpack_value ||
           lp_bytes(packed_bytes(entry)) + member_len > PACKED_BYTES_MAX;
}

// The pair points into itself: it is not copied.
static void pair_init(struct pair *pair, const struct lp_key *member, double score)
{
    pair->member = member;
    zset_packed_score_of(score, &pair->score);
    pair->bytes = lp_encoded_bytes(member) + lp_encoded_bytes(&pair->score.key);
}

enum zset_outcome zset_packed_add(struct entry **entry, const struct collection_limits *limits,
                                  struct slice member, unsigned flags, double *score)
{
    const unsigned char *lp = packed_bytes(*entry);
    struct lp_key key = lp_key_of(member);
    size_t at = find(lp, &key);
    if (at == 0) {
        if (flags & ZSET_ADD_XX)
            return ZSET_REFUSED;
        if (must_leave(*entry, limits, member.len))
            return zset_tree_add(zset_packed_to_tree(entry), member, flags, score);
        struct pair pair;
        pair_init(&pair, &key, *score);
        insert(entry, &pair, place_of(lp, member, *score, 0));
        return ZSET_ADDED;
    }
    double old = zset_packed_score_at(lp, lp_next(lp, at));
    enum zset_outcome outcome = zset_settle(flags, old, score);
    if (outcome == ZSET_UPDATED) {
        struct pair pair;
        pair_init(&pair, &key, *score);
        move(entry, &pair, at, lp_span(lp, at, 2), place_of(lp, member, *score, at));
    }
    return outcome;
}

struct zset_tree *zset_packed_to_tree(struct entry **entry)
{
    const unsigned char *lp = packed_bytes(*entry);
    size_t size = lp_bytes(lp);
    struct zset_tree *tree = zset_tree_new(lp_count(lp) / 2);
    struct zset_item item;
    for (size_t at = lp_first(lp); at != 0;) {
        at = zset_packed_read(lp, at, &item);
        zset_tree_insert(tree, zset_member_hash(item.member),
                         zset_element_new(item.member, item.score));
    }
    packed_leave(entry, ZSET_ENC_TREE, size, tree);
    return tree;
}

struct zset_span zset_packed_span_of_scores(const unsigned char *lp,
                                            const struct zset_score_range *range)
{
    struct zset_span span = { 0 };
    for (const unsigned char *p = lp + LP_HEADER_BYTES; !lp_at_end(p);) {
        p = lp_step(p);
        double score = read_score(p);
        p = lp_step(p);
        if (range->max_open ? score >= range->max : score > range->max)
            break;
        if (range->min_open ? score <= range->min : score < range->min)
            span.first++;
        else
            span.count++;
    }
    return span;
}

static bool is_below(const unsigned char *lp, size_t at, const struct zset_lex_bound *min)
{
    char scratch[ZSET_SCRATCH];
    return zset_lex_below(read_member(lp + at, scratch), min);
}

static bool is_within(const unsigned char *lp, size_t at, const struct zset_lex_bound *max)
{
    char scratch[ZSET_SCRATCH];
    return zset_lex_within(read_member(lp + at, scratch), max);
}

static size_t pair_behind(const unsigned char *lp, size_t at)
{
    return lp_next(lp, lp_next(lp, at));
}

static size_t pair_before(const unsigned char *lp, size_t at)
{
    size_t score = lp_prev(lp, at);
    return score ? lp_prev(lp, score) : 0;
}

static struct zset_span lex_forward(const unsigned char *lp, const struct zset_lex_range *range)
{
    struct zset_span span = { 0 };
    size_t at = lp_first(lp);
    for (; at != 0 && is_below(lp, at, &range->min); at = pair_behind(lp, at))
        span.first++;
    for (; at != 0 && is_within(lp, at, &range->max); at = pair_behind(lp, at))
        span.count++;
    return span;
}

static struct zset_span lex_backward(const unsigned char *lp, const struct zset_lex_range *range)
{
    struct zset_span span = { .first = lp_count(lp) / 2 };
    size_t at = lp_prev(lp, lp_last(lp));
    for (; at != 0 && !is_within(lp, at, &range->max); at = pair_before(lp, at))
        span.first--;
    for (; at != 0 && !is_below(lp, at, &range->min); at = pair_before(lp, at))
        span.count++;
    span.first -= span.count;
    return span;
}

struct zset_span zset_packed_span_of_lex(const unsigned char *lp,
                                         const struct zset_lex_range *range, bool reverse)
{
    size_t first = lp_first(lp);
    if (first == 0 || !is_within(lp, first, &range->max) ||
        is_below(lp, lp_prev(lp, lp_last(lp)), &range->min))
        return (struct zset_span){ 0 };
    return reverse ? lex_backward(lp, range) : lex_forward(lp, range);
}

void zset_packed_remove_span(struct entry **entry, struct zset_span span)
{
    if (span.count == 0)
        return;
    const unsigned char *lp = packed_bytes(*entry);
    size_t at = lp_seek(lp, (int64_t)span.first * 2);
    size_t count = span.count * 2;
    packed_splice(entry, &(struct lp_edit){
                             .at = at, .removed = lp_span(lp, at, count), .removed_count = count });
}
