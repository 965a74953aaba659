// SPDX-License-Identifier: BSD-3-Clause
// Benchmark of ds/table: bytes per key, ns per operation, the longest insert; and their bounds.
//
//   bench_table [--quick]
//
// Entries are blobs of 24 bytes (8 of header, a key of 16), each allocated by itself. Keys that are
// looked up lie elsewhere. Hashes are SipHash-1-3; in all variants they are computed, like keys and
// blobs, outside of the timed part. Operations come in batches of 64:
//
//   plain       one operation after the other
//   prefetched  the batch's buckets are prefetched, then its entries, then as plain
//
// and both in two ways. "One by one" each operation ends before the next begins, as in a server,
// where hundreds of instructions of a command lie between two look-ups. "In a loop" nothing lies
// between them, and the processor itself overlaps the look-ups of a plain loop, as far as it sees
// ahead. The bound is on "one by one".
//
// Times are the thread's CPU time, medians of 5 alternating rounds; a single insert's is by the
// clock. The exit status is 1 if a bound does not hold. --quick stops at 1 M keys, and leaves out
// the bound that is about 10 M.
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "ds/table.h"
#include "ds/table_inl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH       64
#define KEY_LEN     16
#define CHUNK       64  // batches timed together
#define ROUNDS      5
#define LOOKUPS     262144  // a round
#define CHANGES     262144  // a round, at most
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

// How operations follow each other.
enum { PREFETCHED = 1, IN_A_LOOP = 2, VARIANTS = 4 };

// What the timed functions work on.
struct bench {
    struct table table;
    struct blob **blobs;
    size_t nblobs;
    struct random random;
    size_t max_keys;
    double clock_ns;
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

enum operation { HIT, MISS, INSERT, DELETE, OPERATIONS };

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

// What reading the clock twice costs.
static double clock_cost_ns(void)
{
    double least = 1e9;
    for (unsigned i = 0; i < 1000; i++) {
        double start = cpu_ns();
        double ns = cpu_ns() - start;
        least = ns < least ? ns : least;
    }
    return least;
}

// One by one: what comes after begins when all before has ended.
static inline void settle(unsigned variant)
{
    if ((variant & IN_A_LOOP) == 0) {
#ifdef __SSE2__
        _mm_lfence();
#endif
    }
}

static void batch_add(struct batch *batch, uint64_t index)
{
    batch->index[batch->count] = index;
    make_key(batch->key[batch->count], index);
    batch->hash[batch->count] = hash_bytes(batch->key[batch->count], KEY_LEN);
    batch->count++;
}

static inline void prefetch(const struct table *table, const struct batch *batch)
{
    uint64_t displaced[BATCH];
    unsigned count = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        table_prefetch_bucket_inl(table, batch->hash[i]);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        displaced[count] = batch->hash[i];
        count += !table_prefetch_entry_inl(table, batch->hash[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        table_prefetch_displaced(table, displaced[i]);
    }
}

static size_t find_batch(const struct table *table, const struct batch *batch, unsigned variant)
{
    size_t found = 0;
    if ((variant & PREFETCHED) != 0) {
        prefetch(table, batch);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        found += table_find_inl(table, batch->hash[i], batch->key[i], blob_match) != NULL;
        settle(variant);
    }
    return found;
}

// A new key's entry is not there: only buckets can be prefetched.
static size_t insert_batch(struct bench *bench, const struct batch *batch, unsigned variant)
{
    size_t inserted = 0;
    for (unsigned i = 0; (variant & PREFETCHED) != 0 && i < batch->count; i++) {
        table_prefetch_bucket_inl(&bench->table, batch->hash[i]);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        struct blob *blob = bench->blobs[batch->index[i]];
        inserted += table_insert(&bench->table, batch->hash[i], blob, NULL) == STATUS_OK;
        settle(variant);
    }
    return inserted;
}

static size_t delete_batch(struct table *table, const struct batch *batch, unsigned variant)
{
    size_t deleted = 0;
    if ((variant & PREFETCHED) != 0) {
        prefetch(table, batch);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        struct table_slot *slot = table_find_inl(table, batch->hash[i], batch->key[i], blob_match);
        if (slot != NULL) {
            table_remove(table, batch->hash[i], slot);
            deleted++;
        }
        settle(variant);
    }
    return deleted;
}

// Runs and times the batches; ends the program if an operation did not do what it should.
static double time_chunk(struct bench *bench, const struct batch *batches, enum operation operation,
                         unsigned variant)
{
    size_t done = 0;
    size_t expected = 0;
    double start = cpu_ns();
    for (unsigned i = 0; i < CHUNK; i++) {
        const struct batch *batch = &batches[i];
        switch (operation) {
        case INSERT: done += insert_batch(bench, batch, variant); break;
        case DELETE: done += delete_batch(&bench->table, batch, variant); break;
        default: done += find_batch(&bench->table, batch, variant); break;
        }
    }
    double ns = cpu_ns() - start - bench->clock_ns;
    for (unsigned i = 0; i < CHUNK; i++) {
        expected += operation == MISS ? 0 : batches[i].count;
    }
    if (done != expected) {
        fprintf(stderr, "bench_table: an operation failed\n");
        exit(1);
    }
    return ns;
}

// ns of an operation. Hits and misses are drawn from `count` keys, the others take keys in order.
static double time_round(struct bench *bench, enum operation operation, size_t count,
                         unsigned variant)
{
    bool draw = operation == HIT || operation == MISS;
    uint64_t missing = operation == MISS ? 1000000000 : 0;
    size_t changes = count / 8 < CHANGES ? count / 8 : CHANGES;
    size_t total = draw ? LOOKUPS : changes;
    double ns = 0;
    for (size_t done = 0; done < total;) {
        struct batch batches[CHUNK];
        for (unsigned i = 0; i < CHUNK; i++) {
            batches[i].count = 0;
            for (; batches[i].count < BATCH && done < total; done++) {
                uint64_t drawn = missing + random_below(&bench->random, count);
                batch_add(&batches[i], draw ? drawn : count + done);
            }
        }
        ns += time_chunk(bench, batches, operation, variant);
    }
    return ns / (double)total;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

// The medians of all operations and variants at this number of keys.
static void time_operations(struct bench *bench, size_t count, double ns[OPERATIONS][VARIANTS])
{
    double rounds[OPERATIONS][VARIANTS][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned variant = 0; variant < VARIANTS; variant++) {
            for (unsigned operation = 0; operation < OPERATIONS; operation++) {
                rounds[operation][variant][round] = time_round(bench, operation, count, variant);
            }
        }
    }
    for (unsigned operation = 0; operation < OPERATIONS; operation++) {
        for (unsigned variant = 0; variant < VARIANTS; variant++) {
            double *values = rounds[operation][variant];
            qsort(values, ROUNDS, sizeof(*values), compare_doubles);
            ns[operation][variant] = values[ROUNDS / 2];
        }
    }
}

static void bench_operations(struct bench *bench)
{
    static const size_t sizes[] = { 100, 1000, 10000, 100000, 1000000, 10000000 };
    static const char *const names[] = { "hit", "miss", "insert", "delete" };
    double ns[OPERATIONS][VARIANTS];
    double speed_up = 0;
    printf("\nns per operation (hashing not included; delete with its look-up)\n");
    printf("%10s %-8s | one by one: %7s %10s %7s | in a loop: %7s %10s %7s\n", "keys", "", "plain",
           "prefetched", "ratio", "plain", "prefetched", "ratio");
    for (unsigned i = 0; i < 6 && sizes[i] <= bench->max_keys; i++) {
        fill(bench, sizes[i]);
        time_operations(bench, sizes[i], ns);
        for (unsigned operation = 0; operation < OPERATIONS; operation++) {
            const double *op = ns[operation];
            printf("%10zu %-8s | %19.1f %10.1f %7.2f | %18.1f %10.1f %7.2f\n", sizes[i],
                   names[operation], op[0], op[PREFETCHED], op[0] / op[PREFETCHED], op[IN_A_LOOP],
                   op[IN_A_LOOP | PREFETCHED], op[IN_A_LOOP] / op[IN_A_LOOP | PREFETCHED]);
        }
        speed_up = ns[HIT][0] / ns[HIT][PREFETCHED];
    }
    table_release(&bench->table, NULL, NULL);
    printf("\n");
    if (bench->max_keys == 10000000) {
        verdict(bench, speed_up >= BOUND_SPEED_UP, "times faster: hits at 10 M keys with prefetch",
                speed_up, BOUND_SPEED_UP);
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
    static const uint8_t hash_key[HASH_KEY_BYTES] = { 1, 2,  3,  4,  5,  6,  7,  8,
                                                      9, 10, 11, 12, 13, 14, 15, 16 };
    bool quick = argc == 2 && strcmp(argv[1], "--quick") == 0;
    if (argc > 1 && !quick) {
        fprintf(stderr, "usage: bench_table [--quick]\n");
        return 2;
    }
    mem_init();
    clock_init();
    hash_set_key(hash_key);
    struct bench bench = { .max_keys = quick ? 1000000 : 10000000, .clock_ns = clock_cost_ns() };
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
