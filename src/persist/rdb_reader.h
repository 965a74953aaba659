// SPDX-License-Identifier: BSD-3-Clause
// Reading the RDB format from a hostile source: every length is checked against what the source still has
// before anything is allocated, and the first thing that is wrong is remembered with its offset.
//
// Functions return false from then on; callers may go on reading and ask once, as long as they don't
// use what a failed call left untouched.
#pragma once

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDB_ERROR_TEXT_MAX 256

// Reads up to `room` bytes; 0 is the end. STATUS_IO: errno is set.
typedef enum status (*rdb_source_fn)(void *udata, char *into, size_t room, size_t *got);

struct rdb_reader {
    char *buf;           // of its own, or NULL: all bytes are in memory
    const char *window;  // bytes from the source
    size_t at;           // next one
    size_t end;
    uint64_t offset;  // of the window's first byte in the source
    uint64_t left;    // bytes the source has behind the window; UINT64_MAX: nobody knows
    uint64_t crc;     // of all before the window
    bool checksum;
    bool failed;
    bool out_of_memory;  // why it failed
    bool empty;          // likewise: a value has no elements, and has been read whole
    uint64_t error_offset;
    char error[RDB_ERROR_TEXT_MAX];
    rdb_source_fn source;
    void *udata;
    struct bytes text;       // of the last string that was not in one piece
    struct bytes unpacked;   // of the last one that was compressed
    struct bytes converted;  // of the last ziplist or zipmap: a listpack
    char digits[24];         // of the last one that was an integer
};

// From a source of `size` bytes (UINT64_MAX if that is not known).
void rdb_reader_init(struct rdb_reader *r, rdb_source_fn source, void *udata, uint64_t size,
                     bool checksum);
// From bytes in memory, which live as long as the reader.
void rdb_reader_init_memory(struct rdb_reader *r, struct slice bytes);
void rdb_reader_release(struct rdb_reader *r);

// Where the next byte stands in the source.
static inline uint64_t rdb_reader_offset(const struct rdb_reader *r)
{
    return r->offset + r->at;
}

// The checksum of all that was read so far.
uint64_t rdb_reader_checksum(const struct rdb_reader *r);

// At most so many bytes are still to come: UINT64_MAX if nobody knows.
uint64_t rdb_reader_left(const struct rdb_reader *r);

// Something is wrong, right here; the first one counts. Always false.
bool rdb_fail(struct rdb_reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A collection that has been read has no elements. Always false.
bool rdb_fail_empty(struct rdb_reader *r, const char *what);
// If that is why the reader failed: it may go on behind the value.
bool rdb_pass_empty(struct rdb_reader *r);
// There is no memory for so many bytes. Always false.
bool rdb_fail_nomem(struct rdb_reader *r, size_t bytes);

MUST_CHECK bool rdb_read_raw(struct rdb_reader *r, void *into, size_t len);
MUST_CHECK bool rdb_read_byte(struct rdb_reader *r, uint8_t *out);
MUST_CHECK bool rdb_read_le32(struct rdb_reader *r, uint32_t *out);
MUST_CHECK bool rdb_read_le64(struct rdb_reader *r, uint64_t *out);
MUST_CHECK bool rdb_read_double(struct rdb_reader *r, double *out);
MUST_CHECK bool rdb_read_length(struct rdb_reader *r, uint64_t *out);

// A length that counts elements of at least `bytes_each` bytes: refused if the source can't have as many.
MUST_CHECK bool rdb_read_count(struct rdb_reader *r, size_t bytes_each, uint64_t *out);

// A string in any of its forms, up to `max` bytes; the slice lives until anything else is read.
MUST_CHECK bool rdb_read_string(struct rdb_reader *r, size_t max, struct slice *out);

// The same, not kept.
MUST_CHECK bool rdb_skip_string(struct rdb_reader *r);
