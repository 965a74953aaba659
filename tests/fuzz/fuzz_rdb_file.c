// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target: an RDB file. The first byte chooses how it is read; the rest is the file, whose checksum is not
// looked at. What is loaded is checked deeply; of a file that is whole, what is saved and loaded again must be the
// same.
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_values.h"
#include "persist/rdb_load.h"
#include "persist/rdb_save.h"

enum {
    OPTION_SMALL_LIMITS = 1,
    OPTION_KEEP_EXPIRED = 2,
    OPTION_SMALL_PARTS = 4,  // from the source
    OPTION_UNKNOWN_SIZE = 8,
};

struct source {
    struct slice bytes;
    size_t part;
};

static enum status read_source(void *udata, char *into, size_t room, size_t *got)
{
    struct source *source = udata;
    size_t len = source->bytes.len < room ? source->bytes.len : room;
    len = len < source->part ? len : source->part;
    if (len > 0)
        memcpy(into, source->bytes.ptr, len);
    source->bytes.ptr += len;
    source->bytes.len -= len;
    *got = len;
    return STATUS_OK;
}

static bool load(struct keyspace *keyspace, struct slice file, unsigned flags)
{
    const struct rdb_load_options options = {
        .limits = &fuzz_limits[flags & OPTION_SMALL_LIMITS],
        .keep_expired = flags & OPTION_KEEP_EXPIRED,
    };
    struct source source = { .bytes = file, .part = flags & OPTION_SMALL_PARTS ? 3 : SIZE_MAX };
    struct rdb_loaded loaded;
    struct rdb_reader r;
    rdb_reader_init(&r, read_source, &source, flags & OPTION_UNKNOWN_SIZE ? UINT64_MAX : file.len,
                    false);
    bool good = rdb_load_keyspace(&r, keyspace, &options, &loaded);
    ASSERT(good || r.error[0] != '\0');
    ASSERT(good || r.error_offset <= file.len);
    rdb_reader_release(&r);
    return good;
}

static void check_keyspace(const struct keyspace *keyspace)
{
    for (int i = 0; i < keyspace->db_count; i++) {
        const struct db *db = &keyspace->dbs[i];
        struct table_iter iter;
        const struct table_slot *slot;
        // Times beyond a turn of the wheel, some three years, break what it knows of expiries.
        if (db->expires == 0)
            table_check(&db->table);
        table_iter_init(&iter, &db->table);
        while ((slot = table_iter_next(&iter)) != NULL)
            fuzz_check_entry(table_slot_entry(slot));
    }
}

static enum status append(void *udata, struct slice bytes)
{
    bytes_append_slice(udata, bytes);
    return STATUS_OK;
}

static void check_again(const struct keyspace *keyspace, unsigned flags)
{
    const struct rdb_about about = { .compress = true, .access = true };
    const struct rdb_progress progress = { .fn = NULL };
    struct bytes file = { 0 };
    struct rdb_writer w;
    rdb_writer_init(&w, append, &file, true, true);
    rdb_save_keyspace(&w, keyspace, &about, &progress);
    enum status status = rdb_writer_flush(&w);
    ASSERT(status == STATUS_OK);
    rdb_writer_release(&w);
    struct keyspace copy;
    fuzz_open(&copy);
    bool good = load(&copy, bytes_slice(&file),
                     (flags & OPTION_SMALL_LIMITS) | OPTION_KEEP_EXPIRED);
    ASSERT(good);
    struct digest a = digest_keyspace(keyspace);
    struct digest b = digest_keyspace(&copy);
    ASSERT(fuzz_same(&a, &b));
    keyspace_release(&copy);
    bytes_release(&file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_set_up();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct keyspace keyspace;
    size_t used = mem_used();
    fuzz_open(&keyspace);
    bool good = load(&keyspace, (struct slice){ .ptr = (const char *)data + 1, .len = size - 1 },
                     data[0]);
    ASSERT(mem_used() - used <= FUZZ_MEMORY_BASE + size * FUZZ_MEMORY_PER_BYTE);
    check_keyspace(&keyspace);
    if (good)
        check_again(&keyspace, data[0]);
    keyspace_release(&keyspace);
    ASSERT(mem_used() == used);
    return 0;
}
