// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target: a payload of RESTORE. The first byte chooses the limits; the rest is a type and a value, to which
// a version and the right checksum are put, so that they get past what looks at these. What is restored is checked
// deeply, dumped and restored again, and must be the same.
#include "base/crc64.h"
#include "base/little_endian.h"
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_values.h"
#include "persist/rdb.h"
#include "persist/rdb_dump.h"

static struct entry *restore(struct slice payload, const struct collection_limits *limits)
{
    const struct rdb_item item = { .key = SLICE("key"), .expiry = EXPIRY_NONE, .limits = limits };
    char why[RDB_ERROR_TEXT_MAX] = "";
    ASSERT(rdb_dump_is_whole(payload));
    struct entry *entry = rdb_restore(payload, &item, why);
    ASSERT(entry || *why);
    return entry;
}

static void seal(struct bytes *payload)
{
    char *footer = bytes_reserve(payload, 2 + RDB_CHECKSUM_BYTES);
    store_le16(footer, RDB_VERSION_MAX);
    payload->len += 2;
    store_le64(footer + 2, crc64(0, payload->data, payload->len));
    payload->len += RDB_CHECKSUM_BYTES;
}

static void check_again(const struct keyspace *keyspace, const struct entry *entry,
                        const struct collection_limits *limits)
{
    struct bytes dumped = { 0 };
    rdb_dump(entry, &dumped);
    struct entry *copy = restore(bytes_slice(&dumped), limits);
    ASSERT(copy);
    fuzz_check_entry(copy);
    struct digest a = digest_value(keyspace, entry);
    struct digest b = digest_value(keyspace, copy);
    ASSERT(fuzz_same(&a, &b));
    fuzz_drop(keyspace, copy);
    bytes_release(&dumped);
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
    const struct collection_limits *limits = &fuzz_limits[data[0] & 1];
    struct keyspace keyspace;
    struct bytes payload = { 0 };
    fuzz_open(&keyspace);
    bytes_append(&payload, data + 1, size - 1);
    seal(&payload);
    size_t used = mem_used();
    struct entry *entry = restore(bytes_slice(&payload), limits);
    ASSERT(mem_used() - used <= FUZZ_MEMORY_BASE + size * FUZZ_MEMORY_PER_BYTE);
    if (entry) {
        fuzz_check_entry(entry);
        check_again(&keyspace, entry, limits);
        fuzz_drop(&keyspace, entry);
    }
    ASSERT(mem_used() == used);
    bytes_release(&payload);
    keyspace_release(&keyspace);
    return 0;
}
