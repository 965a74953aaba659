// SPDX-License-Identifier: BSD-3-Clause
// Reading whole data sets in the RDB format: see rdb_load.h.
#include "persist/rdb_load.h"

#include "base/clock.h"
#include "base/little_endian.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "persist/rdb.h"
#include "persist/rdb_codec.h"
#include "store/keyspace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

// Entries between two reports; large values report in between, by the reader's source.
#define PROGRESS_KEYS 4096

#define AUX_MAX ((size_t)1 << 20)

// Tables are made ready for no more than this in all, whatever the file says.
#define RESERVE_MAX ((uint64_t)1 << 24)

// Nor for more than this where nobody knows how much is to come.
#define RESERVE_BLIND_MAX ((uint64_t)1 << 16)

// Keys that we could not hold otherwise.
#define KEY_MAX INT32_MAX

// Of a key in an error.
#define KEY_SHOWN 32

// So many entries wait to be added at once, in the order of their hashes. A file is in another order than the
// table, and an entry at a time would look for a bucket, its segment and the pages they lie in far from
// the last one: that took a fifth of the time of a load.
#define WAITING_MAX 4096

// The top bits of a hash by which they are put in order: as many orders as entries.
#define ORDER_BITS 12

// Buckets that are on their way to the cache while others are filled.
#define AHEAD 8

struct waiting {
    struct entry *entry;
    uint64_t hash;  // of its key
    uint64_t end;   // offset in the source of what follows it
    uint8_t type;
};

struct loading {
    struct rdb_reader *r;
    struct keyspace *keyspace;
    const struct rdb_load_options *options;
    struct rdb_loaded *out;
    struct db *db;
    struct bytes key;
    uint64_t entries;   // that were read
    uint64_t reserved;  // keys that tables were made ready for
    // Of the entry that is being read.
    int64_t expiry;
    uint32_t access;
    struct waiting *waiting;  // for a place in `db`
    size_t waiting_count;
};

static bool read_header(struct loading *loading)
{
    char magic[RDB_HEADER_BYTES];
    int64_t version;
    if (!rdb_read_raw(loading->r, magic, sizeof(magic)))
        return false;
    const struct slice digits = { .ptr = magic + 5, .len = 4 };
    if (memcmp(magic, RDB_MAGIC, 5) != 0)
        return rdb_fail(loading->r, "this is no RDB file: it does not begin with " RDB_MAGIC);
    // Four digits, with zeros in front: no integer as others are written.
    version = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return rdb_fail(loading->r, "the version is not a number");
        version = version * 10 + (digits.ptr[i] - '0');
    }
    if (version < 1 || version > RDB_VERSION_MAX)
        return rdb_fail(loading->r, "version %lld; those from 1 to %d can be read",
                        (long long)version, RDB_VERSION_MAX);
    loading->out->version = (int)version;
    return true;
}

static void note_aux(struct rdb_loaded *out, struct slice name, struct slice value)
{
    int64_t number = 0;
    (void)(parse_int64(value, &number));
    if (slice_is(name, "repl-id") && value.len < sizeof(out->replication_id))
        snprintf(out->replication_id, sizeof(out->replication_id), "%.*s", (int)value.len,
                 value.ptr);
    else if (slice_is(name, "repl-offset"))
        out->replication_offset = number;
    else if (slice_is(name, "repl-stream-db"))
        out->selected_db = (int)number;
    else if (slice_is(name, "aof-base") || slice_is(name, "aof-preamble"))
        out->aof_base = number != 0;
    else if (slice_is(name, "ctime"))
        out->created_s = number;
    else if (slice_is(name, "used-mem"))
        out->used_memory = (uint64_t)number;
}

// Keeps the string that was read last; false: no memory.
static bool keep(struct loading *loading, struct slice text)
{
    bytes_clear(&loading->key);
    if (bytes_try_reserve(&loading->key, text.len) != STATUS_OK)
        return rdb_fail_nomem(loading->r, text.len);
    bytes_append_slice(&loading->key, text);
    return true;
}

static bool read_aux(struct loading *loading)
{
    struct slice name;
    struct slice value;
    if (!rdb_read_string(loading->r, AUX_MAX, &name) || !keep(loading, name) ||
        !rdb_read_string(loading->r, AUX_MAX, &value))
        return false;
    note_aux(loading->out, bytes_slice(&loading->key), value);
    if (loading->options->aux)
        loading->options->aux(loading->options->udata, bytes_slice(&loading->key), value);
    return true;
}

static bool read_resize(struct loading *loading)
{
    uint64_t keys;
    uint64_t expires;
    if (!rdb_read_length(loading->r, &keys) || !rdb_read_length(loading->r, &expires))
        return false;
    // An entry takes three bytes at the least; a table that cannot be made ready grows as it goes.
    uint64_t left = rdb_reader_left(loading->r);
    uint64_t blind_max = loading->options->believes_counts ? RESERVE_MAX : RESERVE_BLIND_MAX;
    uint64_t max = left == UINT64_MAX ? blind_max : left / 3;
    if (keys > RESERVE_MAX - loading->reserved || keys > max || db_size(loading->db) > 0)
        return true;
    loading->reserved += keys;
    (void)(table_reserve(&loading->db->table, keys) == STATUS_OK);
    return true;
}

static bool read_expiry(struct loading *loading, uint8_t op)
{
    uint64_t at_ms;
    uint32_t at_s;
    if (op == RDB_OP_EXPIRE_S) {
        if (!rdb_read_le32(loading->r, &at_s))
            return false;
        loading->expiry = (int64_t)(int32_t)at_s * 1000;
    } else {
        if (!rdb_read_le64(loading->r, &at_ms))
            return false;
        loading->expiry = (int64_t)at_ms;
    }
    // -1 is what we say for none; both lie in the past.
    if (loading->expiry == EXPIRY_NONE)
        loading->expiry--;
    return true;
}

static bool read_access(struct loading *loading, uint8_t op)
{
    const struct access_rules *rules = &loading->keyspace->access;
    uint64_t idle_s;
    uint8_t counter;
    if (op == RDB_OP_IDLE) {
        if (!rdb_read_length(loading->r, &idle_s))
            return false;
        loading->access = access_of_idle_s(rules, idle_s);
    } else {
        if (!rdb_read_byte(loading->r, &counter))
            return false;
        loading->access = access_of_counter(rules, counter);
    }
    return true;
}

static bool is_over(const struct loading *loading)
{
    return loading->expiry != EXPIRY_NONE && !loading->options->keep_expired &&
           loading->expiry <= clock_wall_ms();
}

// Says beside what is wrong what was being read.
static bool fail_in_value(struct loading *loading, uint8_t type, struct slice key)
{
    struct rdb_reader *r = loading->r;
    struct bytes quoted = { 0 };
    if (key.len > KEY_SHOWN)
        key.len = KEY_SHOWN;
    bytes_append_quoted(&quoted, key);
    size_t len = strlen(r->error);
    snprintf(r->error + len, sizeof(r->error) - len,
             " (value of type %u of key %.*s in database %d)", type, (int)quoted.len, quoted.data,
             loading->db->id);
    bytes_release(&quoted);
    return false;
}

static bool fail_as_double(struct loading *loading, const struct waiting *waiting)
{
    // What the reader remembers comes first.
    if (!loading->r->failed) {
        rdb_fail(loading->r, "a key is there twice");
        loading->r->error_offset = waiting->end;
        fail_in_value(loading, waiting->type, entry_key(waiting->entry));
    }
    keyspace_release_entry(loading->keyspace, waiting->entry, REMOVED_BY_SERVER);
    return false;
}

static bool add_entry(struct loading *loading, const struct waiting *waiting)
{
    struct db *db = loading->db;
    const struct slice name = entry_key(waiting->entry);
    const struct key key = { .ptr = name.ptr, .len = name.len, .hash = waiting->hash };
    struct entry_ref there = db_peek(db, &key);
    if (there.entry && loading->options->replace) {
        db_remove(db, &key, there);
        there.entry = NULL;
    }
    if (there.entry)
        return fail_as_double(loading, waiting);
    db_insert(db, &key, waiting->entry);
    loading->out->keys++;
    return true;
}

// Those of the same key stay in the order in which they came.
static void put_in_order(const struct loading *loading, uint16_t order[WAITING_MAX])
{
    uint16_t places[1 << ORDER_BITS] = { 0 };
    uint16_t place = 0;
    for (size_t i = 0; i < loading->waiting_count; i++)
        places[loading->waiting[i].hash >> (64 - ORDER_BITS)]++;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        uint16_t count = places[i];
        places[i] = place;
        place = (uint16_t)(place + count);
    }
    for (size_t i = 0; i < loading->waiting_count; i++)
        order[places[loading->waiting[i].hash >> (64 - ORDER_BITS)]++] = (uint16_t)i;
}

// Adds all that wait; false: not all of them can be added.
static bool add_waiting(struct loading *loading)
{
    uint16_t order[WAITING_MAX];
    bool good = true;
    put_in_order(loading, order);
    for (size_t i = 0; i < loading->waiting_count; i++) {
        if (i + AHEAD < loading->waiting_count) {
            const struct waiting *later = &loading->waiting[order[i + AHEAD]];
            __builtin_prefetch(later->entry);
            db_prefetch_bucket(loading->db, later->hash);
        }
        good = add_entry(loading, &loading->waiting[order[i]]) && good;
    }
    loading->waiting_count = 0;
    return good;
}

static bool keep_entry(struct loading *loading, struct entry *entry, uint8_t type)
{
    if (is_over(loading)) {
        keyspace_release_entry(loading->keyspace, entry, REMOVED_BY_SERVER);
        loading->out->expired++;
        return true;
    }
    loading->waiting[loading->waiting_count++] = (struct waiting){
        .entry = entry,
        .hash = key_of(entry_key(entry)).hash,
        .end = rdb_reader_offset(loading->r),
        .type = type,
    };
    return loading->waiting_count < WAITING_MAX || add_waiting(loading);
}

static bool read_select(struct loading *loading)
{
    uint64_t id;
    if (!rdb_read_length(loading->r, &id))
        return false;
    if (id >= (uint64_t)loading->keyspace->db_count)
        return rdb_fail(loading->r,
                        "database %llu does not exist: 'databases' is %d, set it higher",
                        (unsigned long long)id, loading->keyspace->db_count);
    bool good = add_waiting(loading);
    loading->db = &loading->keyspace->dbs[id];
    return good;
}

// What becomes of an entry that began at this offset.
static bool take_entry(struct loading *loading, struct entry *entry, uint8_t type, uint64_t start)
{
    const struct rdb_load_options *options = loading->options;
    if (!options->visit)
        return keep_entry(loading, entry, type);
    options->visit(options->udata, loading->db->id, entry, rdb_reader_offset(loading->r) - start);
    loading->out->keys++;
    return true;
}

static bool report(const struct rdb_load_options *options, struct rdb_reader *r,
                   const struct rdb_loaded *out)
{
    return !options->progress || options->progress(options->udata, r, out->keys) ||
           rdb_fail(r, "loading was stopped");
}

static void note_empty(struct loading *loading)
{
    if (loading->out->empty++ == 0)
        log_warning("The data set holds collections without elements: they are left out");
}

static bool read_entry(struct loading *loading, uint8_t type)
{
    struct slice key;
    uint64_t start = rdb_reader_offset(loading->r) - 1;
    if (!rdb_read_string(loading->r, KEY_MAX, &key) || !keep(loading, key))
        return false;
    const struct rdb_item item = {
        .key = bytes_slice(&loading->key),
        .access = loading->access,
        .expiry = loading->expiry,
        .limits = loading->options->limits,
    };
    struct entry *entry = rdb_load_value(loading->r, type, &item);
    if (!entry && rdb_pass_empty(loading->r))
        note_empty(loading);
    else if (!entry)
        return fail_in_value(loading, type, bytes_slice(&loading->key));
    else if (!take_entry(loading, entry, type, start))
        return false;
    loading->expiry = EXPIRY_NONE;
    loading->access = loading->keyspace->access_clock;
    return ++loading->entries % PROGRESS_KEYS != 0 ||
           report(loading->options, loading->r, loading->out);
}

// What we have nothing for: said, so that nobody believes it to be there.
static bool refuse(struct loading *loading, const char *what)
{
    return rdb_fail(loading->r, "the file holds %s, which are not supported", what);
}

static bool read_slot_info(struct loading *loading)
{
    uint64_t ignored;
    return rdb_read_length(loading->r, &ignored) && rdb_read_length(loading->r, &ignored) &&
           rdb_read_length(loading->r, &ignored);
}

static bool skip_function(struct loading *loading)
{
    if (!rdb_skip_string(loading->r))
        return false;
    if (loading->out->functions++ == 0)
        log_warning(
            "The data set holds libraries of functions: they are not supported and left out");
    return true;
}

// What begins with this byte, up to the next.
static bool read_item(struct loading *loading, uint8_t op)
{
    switch (op) {
    case RDB_OP_AUX: return read_aux(loading);
    case RDB_OP_SELECT_DB: return read_select(loading);
    case RDB_OP_RESIZE_DB: return read_resize(loading);
    case RDB_OP_EXPIRE_S:
    case RDB_OP_EXPIRE_MS: return read_expiry(loading, op);
    case RDB_OP_IDLE:
    case RDB_OP_FREQ: return read_access(loading, op);
    case RDB_OP_SLOT_INFO: return read_slot_info(loading);
    case RDB_OP_FUNCTION: return skip_function(loading);
    case RDB_OP_FUNCTION_OLD: return refuse(loading, "functions of a release candidate");
    case RDB_OP_MODULE_AUX: return refuse(loading, "data of modules");
    default: return read_entry(loading, op);
    }
}

static bool check_end(struct loading *loading)
{
    uint64_t expected = rdb_reader_checksum(loading->r);
    uint64_t checksum;
    if (loading->out->version < RDB_VERSION_CHECKSUM)
        return true;
    if (!rdb_read_le64(loading->r, &checksum))
        return false;
    // 0: the writer took none.
    loading->out->has_checksum = checksum != 0 && loading->r->checksum;
    if (loading->out->has_checksum && checksum != expected)
        return rdb_fail(loading->r, "the checksum is wrong: %016llx is written, %016llx computed",
                        (unsigned long long)checksum, (unsigned long long)expected);
    return true;
}

bool rdb_load_keyspace(struct rdb_reader *r, struct keyspace *keyspace,
                       const struct rdb_load_options *options, struct rdb_loaded *out)
{
    struct loading loading = {
        .r = r,
        .keyspace = keyspace,
        .options = options,
        .out = out,
        .db = &keyspace->dbs[0],
        .expiry = EXPIRY_NONE,
        .access = keyspace->access_clock,
        .waiting = mem_alloc(WAITING_MAX * sizeof(struct waiting)),
    };
    *out = (struct rdb_loaded){ .replication_offset = -1, .selected_db = -1 };
    uint8_t op = 0;
    bool good = read_header(&loading);
    while (good) {
        good = rdb_read_byte(r, &op);
        if (!good || op == RDB_OP_EOF)
            break;
        good = read_item(&loading, op);
    }
    good = add_waiting(&loading) && good && check_end(&loading);
    mem_free(loading.waiting, WAITING_MAX * sizeof(*loading.waiting));
    bytes_release(&loading.key);
    return good;
}

struct file_source {
    int fd;
    struct rdb_reader *r;
    const struct rdb_load_options *options;
    const struct rdb_loaded *out;
};

static enum status read_from_file(void *udata, char *into, size_t room, size_t *got)
{
    const struct file_source *source = udata;
    ssize_t len;
    if (!report(source->options, source->r, source->out))
        return STATUS_IO;
    do {
        len = read(source->fd, into, room);
    } while (len < 0 && errno == EINTR);
    *got = len > 0 ? (size_t)len : 0;
    return len < 0 ? STATUS_IO : STATUS_OK;
}

enum status rdb_load_file(const char *path, struct keyspace *keyspace,
                          const struct rdb_load_options *options, struct rdb_loaded *out,
                          char *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    struct stat stat;
    if (fstat(fd, &stat) != 0) {
        close(fd);
        return STATUS_IO;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    struct rdb_reader r;
    struct file_source source = { .fd = fd, .r = &r, .options = options, .out = out };
    uint64_t size = S_ISREG(stat.st_mode) ? (uint64_t)stat.st_size : UINT64_MAX;
    rdb_reader_init(&r, read_from_file, &source, size, true);
    bool good = rdb_load_keyspace(&r, keyspace, options, out);
    if (!good)
        snprintf(error, RDB_ERROR_TEXT_MAX, "%s: at byte %llu: %.200s", path,
                 (unsigned long long)r.error_offset, r.error);
    rdb_reader_release(&r);
    close(fd);
    return good ? STATUS_OK : STATUS_INVALID;
}
