// SPDX-License-Identifier: BSD-3-Clause
// Reading the commands of an append-only file: knows the format, and neither server nor keyspace.
//
// The file is a row of RESP arrays of bulk strings, as redis.io describes them, between which lines may stand that
// begin with '#': comments, of which "#TS:<seconds>" tells when what follows was written (format: Redis
// documentation, "Redis persistence"). Commands from MULTI to EXEC are a transaction.
//
// A command is handed out only when it, and all of the transaction it belongs to, has been read and is well
// formed; MULTI and EXEC themselves are not handed out. So whoever runs what he gets never runs half a transaction.
//
//   ... whole command | MULTI | command | comm
//                     ^ whole           ^ at: here the trouble is; a cut at `whole` leaves a good file
//
// The bytes from `whole` on are kept in memory: as many as the largest command, or transaction, has.
#pragma once

#include "base/bytes.h"
#include "resp/parser.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AOF_REASON_MAX 160
#define AOF_REMARK_MAX 128

enum aof_found {
    AOF_COMMAND,
    AOF_END,      // right behind a whole command
    AOF_TORN,     // the file ends within a command, a transaction, or a comment: `reason`
    AOF_GARBAGE,  // `reason`
    AOF_LATER,    // a time stamp beyond `until_s`
    AOF_FAILED,   // the source, or there is no memory: errno
};

// Reads up to `room` bytes; 0 is the end. STATUS_IO: errno is set.
typedef enum status (*aof_source_fn)(void *udata, char *into, size_t room, size_t *got);

struct aof_reader;

// Called with each command that has been read, those of a transaction twice: before anything of it is handed out,
// and right before itself is. False: it is garbage, and aof_refuse() has said why.
typedef bool (*aof_vet_fn)(void *udata, struct aof_reader *r);

struct aof_reader {
    // The command: argv.items[0 .. argc), which live until the next call.
    struct resp_argv argv;
    uint32_t argc;
    uint64_t at;            // where what was found begins
    uint64_t whole;         // whole commands, transactions and comments end here
    int64_t until_s;        // may be set: INT64_MAX
    int64_t first_stamp_s;  // of the time stamps that were passed; -1: there was none
    int64_t last_stamp_s;
    char reason[AOF_REASON_MAX];
    char remark
        [AOF_REMARK_MAX];  // the comment behind the last command, if it has one, without its end; cut off if longer

    // Private.
    struct resp_parser parser;
    struct bytes window;  // of the file
    uint64_t offset;      // of the window
    size_t pos;           // of what comes next in it
    size_t group;         // where the transaction begins in it
    size_t room;          // to read into next
    uint8_t state;
    bool at_end;
    aof_source_fn source;
    aof_vet_fn vet;
    void *udata;
};

// The source's next byte stands at `offset` of the file. `vet` may be NULL.
void aof_reader_init(struct aof_reader *r, uint64_t offset, aof_source_fn source, aof_vet_fn vet,
                     void *udata);
void aof_reader_release(struct aof_reader *r);

// The next command. After anything else than AOF_COMMAND it must not be called again. O(bytes); those of
// a transaction are parsed twice.
enum aof_found aof_reader_next(struct aof_reader *r);

// For a vet: says why. Always false.
bool aof_refuse(struct aof_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
