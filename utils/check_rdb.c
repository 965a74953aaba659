// SPDX-License-Identifier: BSD-3-Clause
// Reading an RDB file, or the RDB part of another, for the programs that check files: see check_rdb.h.
//
// Entries are let go of as they come, so that a file of any size can be looked at beside a running server; all
// that is kept of each is a hash, by which keys that are there twice are found at the end.
#include "check_rdb.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "persist/rdb_load.h"
#include "server/server.h"
#include "store/keyspace.h"
#include "types/hash.h"
#include "types/limits.h"
#include "types/list.h"
#include "types/set.h"
#include "types/types.h"
#include "types/zset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Numbers of databases that a file may have.
#define DATABASES 16384

// Kinds of values: types by encodings.
#define KINDS_MAX 32

// Hashes kept before room for more is asked for.
#define HASHES_FIRST 4096

struct kind {
    const char *type;
    const char *encoding;
    uint64_t keys;
    uint64_t bytes;  // in the file
};

struct report {
    struct keyspace keyspace;
    struct kind kinds[KINDS_MAX];
    int kind_count;
    int db_id;  // -1: none yet
    uint64_t keys;
    uint64_t expires;
    uint64_t expired;
    uint64_t *hashes;
    size_t hash_count;
    size_t hash_cap;
};

static void print_database(struct report *report)
{
    if (report->db_id < 0)
        return;
    printf("database %d: %llu keys, %llu with an expiry, %llu of them expired\n", report->db_id,
           (unsigned long long)report->keys, (unsigned long long)report->expires,
           (unsigned long long)report->expired);
    for (int i = 0; i < report->kind_count; i++) {
        const struct kind *kind = &report->kinds[i];
        printf("  %-7s %-10s %12llu keys %15llu bytes\n", kind->type, kind->encoding,
               (unsigned long long)kind->keys, (unsigned long long)kind->bytes);
    }
    report->kind_count = 0;
    report->keys = report->expires = report->expired = 0;
}

static struct kind *kind_of(struct report *report, const struct entry *entry)
{
    const struct type_ops *ops = report->keyspace.types[entry_type(entry)];
    const char *encoding = ops->encoding_name(entry);
    for (int i = 0; i < report->kind_count; i++) {
        if (report->kinds[i].type == ops->name && strcmp(report->kinds[i].encoding, encoding) == 0)
            return &report->kinds[i];
    }
    if (report->kind_count < KINDS_MAX)
        report->kind_count++;
    struct kind *kind = &report->kinds[report->kind_count - 1];
    *kind = (struct kind){ .type = ops->name, .encoding = encoding };
    return kind;
}

static void remember(struct report *report, struct slice key)
{
    if (report->hash_count == report->hash_cap) {
        size_t cap = report->hash_cap ? 2 * report->hash_cap : HASHES_FIRST;
        report->hashes = mem_realloc(report->hashes, report->hash_cap * sizeof(*report->hashes),
                                     cap * sizeof(*report->hashes));
        report->hash_cap = cap;
    }
    // Keys of different databases are different ones.
    report->hashes[report->hash_count++] = hash_bytes(key.ptr, key.len) +
                                           (uint64_t)report->db_id * 0x9e3779b97f4a7c15;
}

static void visit(void *udata, int db_id, struct entry *entry, uint64_t bytes)
{
    struct report *report = udata;
    if (db_id != report->db_id) {
        print_database(report);
        report->db_id = db_id;
    }
    struct kind *kind = kind_of(report, entry);
    kind->keys++;
    kind->bytes += bytes;
    report->keys++;
    report->expires += entry_has_expiry(entry);
    report->expired += db_expired(entry);
    remember(report, entry_key(entry));
    report->keyspace.types[entry_type(entry)]->release(entry);
    entry_free(entry);
}

static void print_aux(void *udata, struct slice name, struct slice value)
{
    struct bytes quoted = { 0 };
    (void)udata;
    bytes_append_quoted(&quoted, value);
    printf("  %.*s %.*s\n", (int)name.len, name.ptr, (int)quoted.len, quoted.data);
    bytes_release(&quoted);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static bool has_doubles(struct report *report)
{
    if (report->hash_count == 0)
        return false;
    qsort(report->hashes, report->hash_count, sizeof(*report->hashes), compare);
    for (size_t i = 1; i < report->hash_count; i++) {
        if (report->hashes[i] == report->hashes[i - 1])
            return true;
    }
    return false;
}

static void print_end(const struct rdb_loaded *loaded)
{
    if (loaded->functions)
        printf("%llu libraries of functions, which respite-server leaves out\n",
               (unsigned long long)loaded->functions);
    if (loaded->empty)
        printf("%llu collections without elements, which respite-server leaves out\n",
               (unsigned long long)loaded->empty);
    printf("version %d, %llu keys, %s\n", loaded->version, (unsigned long long)loaded->keys,
           loaded->has_checksum ? "the checksum is right" : "without a checksum");
}

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    ssize_t len;
    do {
        len = read(*(const int *)udata, into, room);
    } while (len < 0 && errno == EINTR);
    *got = len > 0 ? (size_t)len : 0;
    return len < 0 ? STATUS_IO : STATUS_OK;
}

static bool check(struct report *report, int fd, const char *path, uint64_t size, uint64_t *end)
{
    // What redis.conf has by default: encodings are those that the values would get.
    const struct collection_limits limits = {
        .list_max_listpack_size = -2,
        .set_max_intset_entries = 512,
        .set_max_listpack_entries = 128,
        .set_max_listpack_value = 64,
        .hash_max_listpack_entries = 512,
        .hash_max_listpack_value = 64,
        .zset_max_listpack_entries = 128,
        .zset_max_listpack_value = 64,
    };
    const struct rdb_load_options options = {
        .limits = &limits,
        .keep_expired = true,
        .visit = visit,
        .aux = print_aux,
        .udata = report,
    };
    struct rdb_loaded loaded;
    struct rdb_reader r;
    rdb_reader_init(&r, read_source, &fd, size, true);
    bool good = rdb_load_keyspace(&r, &report->keyspace, &options, &loaded);
    *end = rdb_reader_offset(&r);
    print_database(report);
    if (good) {
        print_end(&loaded);
    } else {
        printf("%s: at byte %llu: %.200s\n", path, (unsigned long long)r.error_offset, r.error);
        printf("damaged: %llu keys can be read\n", (unsigned long long)loaded.keys);
    }
    rdb_reader_release(&r);
    if (good && has_doubles(report)) {
        printf("%s: a key is there twice\n", path);
        return false;
    }
    return good;
}

static void open_keyspace(struct keyspace *keyspace)
{
    keyspace_init(keyspace);
    types_register(keyspace);
    keyspace_open(keyspace, DATABASES);
}

void check_set_up(void)
{
    uint8_t hash_key[HASH_KEY_BYTES];
    mem_init();
    clock_init();
    clock_update();
    log_set_level(LOG_NOTHING);
    random_secret(hash_key, sizeof(hash_key));
    hash_set_key(hash_key);
}

bool check_rdb(int fd, const char *path, uint64_t size, uint64_t *end)
{
    struct report *report = mem_alloc_zeroed(sizeof(*report));
    report->db_id = -1;
    open_keyspace(&report->keyspace);
    bool whole = check(report, fd, path, size, end);
    keyspace_release(&report->keyspace);
    mem_free(report->hashes, report->hash_cap * sizeof(*report->hashes));
    mem_free(report, sizeof(*report));
    return whole;
}
