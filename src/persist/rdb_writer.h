// SPDX-License-Identifier: BSD-3-Clause
// Writing the RDB format: numbers, lengths and strings into a buffer of 128 KiB, which goes to a sink
// whenever it is full.
//
// The checksum is taken over whole buffers. The first failure sticks: what is written after it goes nowhere,
// and rdb_writer_finish() reports it, so that encoders need not ask after each value.
#pragma once

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Takes the bytes; STATUS_IO: errno is set.
typedef enum status (*rdb_sink_fn)(void *udata, struct slice bytes);

struct rdb_writer {
    char *buf;
    size_t len;
    size_t room;       // in buf
    uint64_t flushed;  // bytes that have gone to the sink
    uint64_t crc;      // of these
    bool checksum;
    bool compress;
    enum status status;
    int error;  // errno of the failure
    rdb_sink_fn sink;
    void *udata;
    char *packed;  // room for compressing; NULL before the first time
};

// `compress`: strings of more than 20 bytes with LZF, where that makes them smaller (rdbcompression).
void rdb_writer_init(struct rdb_writer *w, rdb_sink_fn sink, void *udata, bool compress,
                     bool checksum);
// The same for one value: with a buffer of 4 KiB, compressing, without a checksum.
void rdb_writer_init_small(struct rdb_writer *w, rdb_sink_fn sink, void *udata);
void rdb_writer_release(struct rdb_writer *w);

// Hands on what is in the buffer. STATUS_IO: now or earlier something could not be written.
MUST_CHECK enum status rdb_writer_flush(struct rdb_writer *w);

// The checksum of everything written so far, or 0 without one.
uint64_t rdb_writer_checksum(const struct rdb_writer *w);

// Bytes written so far, those in the buffer included.
static inline uint64_t rdb_writer_bytes(const struct rdb_writer *w)
{
    return w->flushed + w->len;
}

void rdb_write_raw(struct rdb_writer *w, const void *data, size_t len);
void rdb_write_byte(struct rdb_writer *w, uint8_t byte);
void rdb_write_le64(struct rdb_writer *w, uint64_t value);
void rdb_write_length(struct rdb_writer *w, uint64_t len);
void rdb_write_double(struct rdb_writer *w, double value);

// A string in its shortest form: texts that are integers of up to 32 bits as such.
void rdb_write_string(struct rdb_writer *w, struct slice text);

// A string of an integer, as rdb_write_string() writes its text.
void rdb_write_integer(struct rdb_writer *w, int64_t value);
