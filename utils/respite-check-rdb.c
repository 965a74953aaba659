// SPDX-License-Identifier: BSD-3-Clause
// respite-check-rdb: reads an RDB file as the server would, and says what is in it, or what is wrong where.
//
// Entries are let go of as they come, so that a file of any size can be looked at beside a running server; all
// that is kept of each is a hash, by which keys that are there twice are found at the end.
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/siphash.h"
#include "persist/rdb_load.h"
#include "server/server.h"
#include "store/keyspace.h"
#include "types/hash.h"
#include "types/limits.h"
#include "types/list.h"
#include "types/set.h"
#include "types/string.h"
#include "types/zset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Numbers of databases that a file may have.
#define DATABASES 16384

// Kinds of values: types by encodings.
#define KINDS_MAX 32

// Hashes kept before room for more is asked for.
#define HASHES_FIRST 4096

static const char usage[] = "Usage: respite-check-rdb FILE\n"
                            "\n"
                            "Reads an RDB file as respite-server would, and says what is in it: "
                            "the version, what the writer\n"
                            "says of itself, and for each database how many keys of which type and "
                            "encoding (the one they get\n"
                            "in memory), with how many bytes in the file, and how many expire. "
                            "Exits with 0 if the file is whole;\n"
                            "with 1 if it is damaged, or cannot be read: then the offset and what "
                            "was being read are said.\n"
                            "\n"
                            "       -h, --help\n"
                            "       -v, --version\n";

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

static bool check(struct report *report, const char *path)
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
    char error[RDB_ERROR_TEXT_MAX];
    enum status status = rdb_load_file(path, &report->keyspace, &options, &loaded, error);
    print_database(report);
    if (status == STATUS_NOT_FOUND || status == STATUS_IO) {
        printf("%s: cannot be read: %m\n", path);
        return false;
    }
    if (status != STATUS_OK) {
        printf("%s\n", error);
        printf("damaged: %llu keys can be read\n", (unsigned long long)loaded.keys);
        return false;
    }
    print_end(&loaded);
    if (has_doubles(report)) {
        printf("%s: a key is there twice\n", path);
        return false;
    }
    printf("%s is whole\n", path);
    return true;
}

static void open_keyspace(struct keyspace *keyspace)
{
    keyspace_init(keyspace);
    keyspace_register_type(keyspace, TYPE_STRING, &string_type_ops);
    keyspace_register_type(keyspace, TYPE_LIST, &list_type_ops);
    keyspace_register_type(keyspace, TYPE_SET, &set_type_ops);
    keyspace_register_type(keyspace, TYPE_ZSET, &zset_type_ops);
    keyspace_register_type(keyspace, TYPE_HASH, &hash_type_ops);
    keyspace_open(keyspace, DATABASES);
}

static bool check_file(const char *path)
{
    uint8_t hash_key[16];
    mem_init();
    clock_init();
    clock_update();
    log_set_level(LOG_NOTHING);
    random_secret(hash_key, sizeof(hash_key));
    hash_set_key(hash_key);
    struct report *report = mem_alloc_zeroed(sizeof(*report));
    report->db_id = -1;
    open_keyspace(&report->keyspace);
    bool whole = check(report, path);
    keyspace_release(&report->keyspace);
    mem_free(report->hashes, report->hash_cap * sizeof(*report->hashes));
    mem_free(report, sizeof(*report));
    return whole;
}

int main(int argc, char **argv)
{
    const char *word = argc == 2 ? argv[1] : "";
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(word, "-v") == 0 || strcmp(word, "--version") == 0) {
        puts("respite-check-rdb " RESPITE_VERSION);
        return EXIT_SUCCESS;
    }
    if (argc != 2 || *word == '-' || *word == '\0') {
        fputs(usage, stderr);
        return EXIT_FAILURE;
    }
    return check_file(word) ? EXIT_SUCCESS : EXIT_FAILURE;
}
