// SPDX-License-Identifier: BSD-3-Clause
// Whole data sets in the RDB format: see rdb_save.h.
#include "persist/rdb_save.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "ds/table.h"
#include "persist/rdb.h"
#include "persist/rdb_codec.h"
#include "server/server.h"
#include "store/keyspace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

// Entries between two reports.
#define PROGRESS_KEYS 4096

// Entries that are on their way to the cache while others are written.
#define AHEAD 16

// What was written is sent on its way to the disk so often, so that the sync at the end is not all at once.
#define WRITE_BACK_BYTES ((uint64_t)32 << 20)

static void save_aux(struct rdb_writer *w, const char *name, struct slice value)
{
    rdb_write_byte(w, RDB_OP_AUX);
    rdb_write_string(w, slice_of(name));
    rdb_write_string(w, value);
}

static void save_aux_int(struct rdb_writer *w, const char *name, int64_t value)
{
    rdb_write_byte(w, RDB_OP_AUX);
    rdb_write_string(w, slice_of(name));
    rdb_write_integer(w, value);
}

void rdb_save_header(struct rdb_writer *w, const struct rdb_about *about)
{
    char magic[RDB_HEADER_BYTES + 1];
    snprintf(magic, sizeof(magic), RDB_MAGIC "%04d", RDB_VERSION_WRITTEN);
    rdb_write_raw(w, magic, RDB_HEADER_BYTES);
    save_aux(w, "redis-ver", SLICE(REDIS_VERSION));
    save_aux(w, "respite-ver", SLICE(RESPITE_VERSION));
    save_aux_int(w, "redis-bits", (int64_t)sizeof(void *) * 8);
    save_aux_int(w, "ctime", clock_wall_ms() / 1000);
    save_aux_int(w, "used-mem", (int64_t)mem_used());
    if (about->replication_id) {
        save_aux_int(w, "repl-stream-db", about->selected_db);
        save_aux(w, "repl-id", slice_of(about->replication_id));
        save_aux_int(w, "repl-offset", about->replication_offset);
    }
    save_aux_int(w, "aof-base", about->aof_base);
}

void rdb_save_db_begin(struct rdb_writer *w, const struct db *db)
{
    rdb_write_byte(w, RDB_OP_SELECT_DB);
    rdb_write_length(w, (uint64_t)db->id);
    rdb_write_byte(w, RDB_OP_RESIZE_DB);
    rdb_write_length(w, db_size(db));
    rdb_write_length(w, db->expires);
}

void rdb_save_entry(struct rdb_writer *w, const struct rdb_about *about,
                    const struct access_rules *rules, const struct entry *entry)
{
    if (entry_has_expiry(entry)) {
        rdb_write_byte(w, RDB_OP_EXPIRE_MS);
        rdb_write_le64(w, (uint64_t)entry_expiry(entry));
    }
    if (about->access && rules->frequency) {
        rdb_write_byte(w, RDB_OP_FREQ);
        rdb_write_byte(w, (uint8_t)access_counter(rules, entry_access(entry)));
    } else if (about->access) {
        rdb_write_byte(w, RDB_OP_IDLE);
        rdb_write_length(w, access_idle_s(rules, entry_access(entry)));
    }
    rdb_write_byte(w, (uint8_t)rdb_value_type(entry));
    rdb_write_string(w, entry_key(entry));
    rdb_save_value(w, entry);
}

void rdb_save_end(struct rdb_writer *w)
{
    rdb_write_byte(w, RDB_OP_EOF);
    rdb_write_le64(w, rdb_writer_checksum(w));
}

const struct encoder rdb_encoder = {
    .begin = rdb_save_header,
    .begin_db = rdb_save_db_begin,
    .entry = rdb_save_entry,
    .end = rdb_save_end,
};

// Entries in hash order, fetched some places ahead of their turn.
struct walk {
    struct table_iter iter;
    const struct entry *ahead[AHEAD];
    unsigned turn;
};

static const struct entry *next_entry(struct walk *walk)
{
    const struct entry **place = &walk->ahead[walk->turn++ % AHEAD];
    const struct entry *entry = *place;
    const struct table_slot *slot = table_iter_next(&walk->iter);
    *place = slot ? table_slot_entry(slot) : NULL;
    __builtin_prefetch(*place);
    return entry;
}

static void begin_walk(struct walk *walk, const struct db *db)
{
    *walk = (struct walk){ .turn = 0 };
    table_iter_init(&walk->iter, &db->table);
    for (unsigned i = 0; i < AHEAD; i++)
        (void)next_entry(walk);
}

void rdb_save_keyspace(struct rdb_writer *w, const struct keyspace *keyspace,
                       const struct rdb_about *about, const struct rdb_progress *progress)
{
    uint64_t keys = 0;
    uint64_t every_keys = progress->every_keys ? progress->every_keys : PROGRESS_KEYS;
    uint64_t next_report = every_keys;
    const struct encoder *encoder = about->encoder ? about->encoder : &rdb_encoder;
    encoder->begin(w, about);
    for (int i = 0; i < keyspace->db_count; i++) {
        const struct db *db = &keyspace->dbs[i];
        if (db_size(db) == 0)
            continue;
        encoder->begin_db(w, db);
        struct walk walk;
        const struct entry *entry;
        begin_walk(&walk, db);
        while ((entry = next_entry(&walk)) != NULL && w->status == STATUS_OK) {
            encoder->entry(w, about, &keyspace->access, entry);
            if (++keys < next_report)
                continue;
            next_report = keys + every_keys;
            if (progress->fn)
                progress->fn(progress->udata, keys);
        }
    }
    encoder->end(w);
}

struct sink {
    int fd;
    bool hold_back;
    uint64_t written;
    uint64_t sent_back;  // to the disk
};

static enum status write_to_file(void *udata, struct slice bytes)
{
    struct sink *sink = udata;
    if (file_write(sink->fd, bytes) != STATUS_OK)
        return STATUS_IO;
    sink->written += bytes.len;
    if (!sink->hold_back && sink->written - sink->sent_back >= WRITE_BACK_BYTES) {
        // What cannot be sent now is synced at the end.
        (void)sync_file_range(sink->fd, (off_t)sink->sent_back,
                              (off_t)(sink->written - sink->sent_back), SYNC_FILE_RANGE_WRITE);
        sink->sent_back = sink->written;
    }
    return STATUS_OK;
}

enum status rdb_save_file(const char *path, const struct keyspace *keyspace,
                          const struct rdb_about *about, const struct rdb_progress *progress)
{
    struct file_draft draft;
    if (file_draft_begin(&draft, path) != STATUS_OK)
        return STATUS_IO;
    struct sink sink = { .fd = draft.fd, .hold_back = about->hold_back };
    struct rdb_writer w;
    rdb_writer_init(&w, write_to_file, &sink, about->compress, about->checksum);
    rdb_save_keyspace(&w, keyspace, about, progress);
    enum status status = rdb_writer_flush(&w);
    if (status == STATUS_OK) {
        status = file_draft_commit(&draft);
    } else {
        errno = w.error;
        file_draft_drop(&draft);
    }
    int why = errno;
    rdb_writer_release(&w);
    errno = why;
    return status;
}
