// SPDX-License-Identifier: BSD-3-Clause
// One value as DUMP answers it: see rdb_dump.h.
#include "persist/rdb_dump.h"

#include "base/crc64.h"
#include "base/little_endian.h"
#include "base/panic.h"

#include <stdio.h>

#define VERSION_BYTES 2
#define FOOTER_BYTES  (VERSION_BYTES + RDB_CHECKSUM_BYTES)

static enum status append(void *udata, struct slice bytes)
{
    bytes_append_slice(udata, bytes);
    return STATUS_OK;
}

void rdb_dump(const struct entry *entry, struct bytes *out)
{
    struct rdb_writer w;
    size_t start = out->len;
    rdb_writer_init_small(&w, append, out);
    rdb_write_byte(&w, (uint8_t)rdb_value_type(entry));
    rdb_save_value(&w, entry);
    enum status status = rdb_writer_flush(&w);
    ASSERT(status == STATUS_OK);
    rdb_writer_release(&w);
    char *footer = bytes_reserve(out, FOOTER_BYTES);
    store_le16(footer, RDB_VERSION_WRITTEN);
    out->len += VERSION_BYTES;
    store_le64(footer + VERSION_BYTES, crc64(0, out->data + start, out->len - start));
    out->len += RDB_CHECKSUM_BYTES;
}

bool rdb_dump_is_whole(struct slice payload)
{
    if (payload.len <= FOOTER_BYTES)
        return false;
    size_t checked = payload.len - RDB_CHECKSUM_BYTES;
    return load_le16(payload.ptr + checked - VERSION_BYTES) <= RDB_VERSION_MAX &&
           load_le64(payload.ptr + checked) == crc64(0, payload.ptr, checked);
}

struct entry *rdb_restore(struct slice payload, const struct rdb_item *item, char *error)
{
    struct rdb_reader r;
    uint8_t type;
    struct entry *entry = NULL;
    payload.len -= FOOTER_BYTES;
    rdb_reader_init_memory(&r, payload);
    if (rdb_read_byte(&r, &type))
        entry = rdb_load_value(&r, type, item);
    if (!entry)
        snprintf(error, RDB_ERROR_TEXT_MAX, "%.200s, at byte %llu", r.error,
                 (unsigned long long)r.error_offset);
    rdb_reader_release(&r);
    return entry;
}
