// SPDX-License-Identifier: BSD-3-Clause
// Benchmark of ds/table: bytes per key, ns per operation, the longest insert; holds it to its bounds.
//
//   bench_table [--quick]
//
// Entries are blobs of 24 bytes (8 of header, a key of 16), each allocated by itself. Keys that are
// looked up lie elsewhere. Hashes are SipHash-1-3, computed ahead of the timed part, in batches of
// 64; "batched" operations prefetch the buckets of a batch, then its entries, then work. Blobs are
// made and freed outside of the timed part.
//
// The exit status is 1 if a bound does not hold. --quick stops at 1 M keys, and leaves out the bound
// that is about 10 M.
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/siphash.h"
#include "ds/table.h"
#include "ds/table_inl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH       64
#define KEY_LEN     16
#define ROUNDS      5
#define LOOKUPS     400000  // a round
#define INSERT_RUNS 5

#define BOUND_MEAN_BYTES 12.0
#define BOUND_MAX_BYTES  14.5
#define BOUND_INSERT_NS  100000.0
#define BOUND_SPEED_UP   2.5

struct blob {
    uint64_t header;
    char key[KEY_LEN];
};

// Keys of one batch, and their hashes.
struct batch {
    unsigned count;
    uint64_t index[BATCH];
    uint64_t hash[BATCH];
    char key[BATCH][KEY_LEN];
};

enum variant { PLAIN, BATCHED, VARIANTS };

// What the timed functions work on.
struct bench {
    struct table table;
    struct blob **blobs;
    size_t nblobs;
    struct random random;
    size_t max_keys;
    bool failed;
};

static void make_key(char *key, uint64_t index)
{
    static const char digits[] = "0123456789";
    memcpy(key, "key:", 4);
    for (unsigned i = KEY_LEN - 1; i >= 4; i--) {
        key[i] = digits[index % 10];
        index /= 10;
    }
}

static inline uint64_t blob_hash(const void *entry)
{
    return hash_bytes(((const struct blob *)entry)->key, KEY_LEN);
}

static inline bool blob_match(const void *entry, const void *key)
{
    return memcmp(((const struct blob *)entry)->key, key, KEY_LEN) == 0;
}

static const struct table_ops blob_ops = { .hash = blob_hash, .match = blob_match };

static void make_blobs(struct bench *bench, size_t count)
{
    for (; bench->nblobs < count; bench->nblobs++) {
        struct blob *blob = mem_alloc(sizeof(*blob));
        blob->header = 0;
        make_key(blob->key, bench->nblobs);
        bench->blobs[bench->nblobs] = blob;
    }
}

static void verdict(struct bench *bench, bool holds, const char *what, double value, double bound)
{
    printf("%s  %-52s %10.2f  (bound %g)\n", holds ? "PASS" : "FAIL", what, value, bound);
    bench->failed |= !holds;
}

static void insert_blob(struct bench *bench, size_t i)
{
    struct blob *blob = bench->blobs[i];
    if (table_insert(&bench->table, blob_hash(blob), blob, NULL) != STATUS_OK) {
        fprintf(stderr, "bench_table: out of memory\n");
        exit(1);
    }
}

static void fill(struct bench *bench, size_t count)
{
    for (size_t i = bench->table.count; i < count; i++) {
        insert_blob(bench, i);
    }
}

// ---- bytes per key ------------------------------------------------------------------------------

static double bytes_per_key(const struct table *table)
{
    return (double)table_memory(table) / (double)table->count;
}

// The highest figure at any number of keys from 1,001 to `count`, for keys that begin at `first`.
static double highest_bytes_per_key(struct bench *bench, size_t first, size_t count, size_t *at)
{
    double highest = 0;
    for (size_t i = 0; i < count; i++) {
        insert_blob(bench, first + i);
        if (i >= 1000 && bytes_per_key(&bench->table) > highest) {
            highest = bytes_per_key(&bench->table);
            *at = i + 1;
        }
    }
    table_release(&bench->table, NULL, NULL);
    return highest;
}

static void bench_memory(struct bench *bench)
{
    static const size_t shown[] = { 1,       2,       5,       10,      20,      50,     100,
                                    200,     500,     1000,    2000,    5000,    10000,  20000,
                                    50000,   100000,  200000,  500000,  600000,  700000, 850000,
                                    1000000, 2000000, 5000000, 7000000, 10000000 };
    printf("bytes per key (the table's memory alone)\n");
    printf("%10s %10s %10s %8s %8s %6s\n", "keys", "bytes/key", "load", "near %", "stash %",
           "depth");
    double sum = 0;
    unsigned steps = 0;
    size_t next = 0;
    for (size_t i = 0; i < bench->max_keys; i++) {
        insert_blob(bench, i);
        if (i + 1 >= 500000 && i < 1000000 && (i + 1) % 10000 == 0) {
            sum += bytes_per_key(&bench->table);
            steps++;
        }
        if (i + 1 == shown[next]) {
            struct table_stats stats;
            double percent = 100.0 / (double)(i + 1);
            table_stats(&bench->table, &stats);
            printf("%10zu %10.2f %10.2f %8.1f %8.1f %6u\n", i + 1, bytes_per_key(&bench->table),
                   (double)(i + 1) / (double)stats.slots, percent * (double)stats.in_neighbour,
                   percent * (double)stats.in_stash, stats.depth);
            next++;
        }
    }
    table_release(&bench->table, NULL, NULL);
    size_t at = 0;
    double highest = highest_bytes_per_key(bench, 0, bench->max_keys, &at);
    for (size_t first = 0; first < 1000000; first += 20000) {
        size_t small_at = 0;
        double small = highest_bytes_per_key(bench, first, 20000, &small_at);
        at = small > highest ? small_at : at;
        highest = small > highest ? small : highest;
    }
    printf(
        "highest above 1,000 keys: %.2f, at %zu keys (every size of one table, and of 50 more up "
        "to 20,000)\n\n",
        highest, at);
    verdict(bench, sum / steps <= BOUND_MEAN_BYTES, "bytes/key, mean over 500 k to 1 M by 10 k",
            sum / steps, BOUND_MEAN_BYTES);
    verdict(bench, highest <= BOUND_MAX_BYTES, "bytes/key, highest at any size above 1,000",
            highest, BOUND_MAX_BYTES);
}

// ---- ns per operation ---------------------------------------------------------------------------

// Keys with random numbers in [first, first + range).
static void batch_draw(struct bench *bench, struct batch *batch, uint64_t first, uint64_t range)
{
    batch->count = BATCH;
    for (unsigned i = 0; i < BATCH; i++) {
        batch->index[i] = first + random_below(&bench->random, range);
        make_key(batch->key[i], batch->index[i]);
        batch->hash[i] = hash_bytes(batch->key[i], KEY_LEN);
    }
}

// The keys first, first + 1, ... below end.
static void batch_take(struct batch *batch, uint64_t first, uint64_t end)
{
    batch->count = end - first < BATCH ? (unsigned)(end - first) : BATCH;
    for (unsigned i = 0; i < batch->count; i++) {
        batch->index[i] = first + i;
        make_key(batch->key[i], batch->index[i]);
        batch->hash[i] = hash_bytes(batch->key[i], KEY_LEN);
    }
}

static inline void prefetch(const struct bench *bench, const struct batch *batch, bool entries)
{
    for (unsigned i = 0; i < batch->count; i++) {
        table_prefetch_bucket_inl(&bench->table, batch->hash[i]);
    }
    for (unsigned i = 0; entries && i < batch->count; i++) {
        table_prefetch_entry_inl(&bench->table, batch->hash[i]);
    }
}

static unsigned find_batch(const struct bench *bench, const struct batch *batch)
{
    unsigned found = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        found += table_find_inl(&bench->table, batch->hash[i], batch->key[i], blob_match) != NULL;
    }
    return found;
}

static double lookup_round(struct bench *bench, uint64_t first, uint64_t range,
                           enum variant variant)
{
    uint64_t ticks = 0;
    uint64_t found = 0;
    for (unsigned done = 0; done < LOOKUPS; done += BATCH) {
        struct batch batch;
        batch_draw(bench, &batch, first, range);
        uint64_t start = clock_ticks();
        if (variant == BATCHED) {
            prefetch(bench, &batch, true);
        }
        found += find_batch(bench, &batch);
        ticks += clock_ticks() - start;
    }
    if (found != (first == 0 ? LOOKUPS : 0)) {
        fprintf(stderr, "bench_table: wrong number of keys found\n");
        exit(1);
    }
    return (double)clock_ticks_to_ns(ticks) / LOOKUPS;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(*values), compare_doubles);
    return values[ROUNDS / 2];
}

// Medians of alternating rounds.
static void bench_lookup(struct bench *bench, uint64_t first, uint64_t range, double ns[VARIANTS])
{
    double rounds[VARIANTS][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned variant = 0; variant < VARIANTS; variant++) {
            rounds[variant][round] = lookup_round(bench, first, range, variant);
        }
    }
    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        ns[variant] = median(rounds[variant]);
    }
}

// Inserts the blobs first to end - 1.
static double insert_round(struct bench *bench, size_t first, size_t end, enum variant variant)
{
    uint64_t ticks = 0;
    struct batch batch;
    for (size_t i = first; i < end; i += batch.count) {
        enum status status = STATUS_OK;
        batch_take(&batch, i, end);
        uint64_t start = clock_ticks();
        if (variant == BATCHED) {
            prefetch(bench, &batch, false);
        }
        for (unsigned k = 0; k < batch.count && status == STATUS_OK; k++) {
            status = table_insert(&bench->table, batch.hash[k], bench->blobs[i + k], NULL);
        }
        ticks += clock_ticks() - start;
        if (status != STATUS_OK) {
            exit(1);
        }
    }
    return (double)clock_ticks_to_ns(ticks) / (double)(end - first);
}

// Finds and removes the blobs first to end - 1.
static double remove_round(struct bench *bench, size_t first, size_t end, enum variant variant)
{
    uint64_t ticks = 0;
    struct batch batch;
    for (size_t i = first; i < end; i += batch.count) {
        batch_take(&batch, i, end);
        uint64_t start = clock_ticks();
        if (variant == BATCHED) {
            prefetch(bench, &batch, true);
        }
        for (unsigned k = 0; k < batch.count; k++) {
            struct table_slot *slot = table_find_inl(&bench->table, batch.hash[k], batch.key[k],
                                                     blob_match);
            table_remove(&bench->table, batch.hash[k], slot);
        }
        ticks += clock_ticks() - start;
    }
    return (double)clock_ticks_to_ns(ticks) / (double)(end - first);
}

static void bench_change(struct bench *bench, size_t count, double insert_ns[VARIANTS],
                         double remove_ns[VARIANTS])
{
    double inserts[VARIANTS][ROUNDS];
    double removes[VARIANTS][ROUNDS];
    size_t end = count + count / 8;
    make_blobs(bench, end);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned variant = 0; variant < VARIANTS; variant++) {
            inserts[variant][round] = insert_round(bench, count, end, variant);
            removes[variant][round] = remove_round(bench, count, end, variant);
        }
    }
    for (unsigned variant = 0; variant < VARIANTS; variant++) {
        insert_ns[variant] = median(inserts[variant]);
        remove_ns[variant] = median(removes[variant]);
    }
}

static void bench_operations(struct bench *bench)
{
    static const size_t sizes[] = { 100, 1000, 10000, 100000, 1000000, 10000000 };
    double speed_up = 0;
    printf("\nns per operation, one by one / batched by %d with prefetch (hashing not included; "
           "delete: with its look-up)\n",
           BATCH);
    printf("%10s %16s %16s %16s %16s %10s\n", "keys", "hit", "miss", "insert", "delete", "hits, x");
    for (unsigned i = 0; i < 6 && sizes[i] <= bench->max_keys; i++) {
        double hit[VARIANTS], miss[VARIANTS], insert[VARIANTS], delete[VARIANTS];
        fill(bench, sizes[i]);
        bench_lookup(bench, 0, sizes[i], hit);
        bench_lookup(bench, 1000000000, sizes[i], miss);
        bench_change(bench, sizes[i], insert, delete);
        speed_up = hit[PLAIN] / hit[BATCHED];
        printf("%10zu %8.1f /%6.1f %8.1f /%6.1f %8.1f /%6.1f %8.1f /%6.1f %10.2f\n", sizes[i],
               hit[PLAIN], hit[BATCHED], miss[PLAIN], miss[BATCHED], insert[PLAIN], insert[BATCHED],
               delete[PLAIN], delete[BATCHED], speed_up);
    }
    table_release(&bench->table, NULL, NULL);
    printf("\n");
    if (bench->max_keys == 10000000) {
        verdict(bench, speed_up >= BOUND_SPEED_UP, "hits at 10 M keys, batched faster by", speed_up,
                BOUND_SPEED_UP);
    }
}

// ---- the longest insert -------------------------------------------------------------------------

// One run; keeps the minimum of each insert over all runs.
static void timed_inserts(struct bench *bench, uint32_t *least, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = blob_hash(bench->blobs[i]);
        uint64_t start = clock_ticks();
        enum status status = table_insert(&bench->table, hash, bench->blobs[i], NULL);
        uint64_t ns = clock_ticks_to_ns(clock_ticks() - start);
        if (status != STATUS_OK) {
            exit(1);
        }
        least[i] = ns < least[i] ? (uint32_t)ns : least[i];
    }
    table_release(&bench->table, NULL, NULL);
}

static void bench_longest_insert(struct bench *bench)
{
    size_t count = bench->max_keys;
    uint32_t *least = mem_alloc(count * sizeof(*least));
    memset(least, 0xff, count * sizeof(*least));
    for (unsigned run = 0; run < INSERT_RUNS; run++) {
        timed_inserts(bench, least, count);
    }
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        longest = least[i] > least[longest] ? i : longest;
    }
    printf("\nlongest insert up to %zu keys (minimum of %d runs each): %" PRIu32
           " ns, of key %zu\n\n",
           count, INSERT_RUNS, least[longest], longest + 1);
    verdict(bench, least[longest] < BOUND_INSERT_NS, "ns, longest insert", least[longest],
            BOUND_INSERT_NS);
    mem_free(least, count * sizeof(*least));
}

int main(int argc, char **argv)
{
    static const uint8_t hash_key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    bool quick = argc == 2 && strcmp(argv[1], "--quick") == 0;
    if (argc > 1 && !quick) {
        fprintf(stderr, "usage: bench_table [--quick]\n");
        return 2;
    }
    mem_init();
    clock_init();
    hash_set_key(hash_key);
    struct bench bench = { .max_keys = quick ? 1000000 : 10000000 };
    size_t most_blobs = bench.max_keys + bench.max_keys / 8;
    bench.blobs = mem_alloc(most_blobs * sizeof(*bench.blobs));
    random_seed(&bench.random, 2024);
    table_init(&bench.table, &blob_ops);
    make_blobs(&bench, most_blobs);
    bench_memory(&bench);
    bench_operations(&bench);
    bench_longest_insert(&bench);
    return bench.failed ? 1 : 0;
}
