// SPDX-License-Identifier: BSD-3-Clause
// Requests: RESP arrays of bulk strings and inline commands, parsed where they lie.
//
// The parser reads a buffer that begins with a command and yields slices into it: nothing is copied
// or allocated for a command that is complete. For one that is not, it remembers how far it came
// (offsets, so the buffer may move), and goes on from there when more bytes have arrived: each byte
// is looked at once, however small the pieces it comes in.
//
// Source: the RESP specification (redis.io, "Redis serialization protocol specification").
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// From this length on a bulk can be received apart from the buffer (resp_parser_detach_bulk).
#define RESP_BIG_BULK 32768

// Longest inline command and longest line of a count or a length, in bytes before the line's end.
#define RESP_INLINE_MAX 65536

// What a client may send before it has authenticated.
#define RESP_UNAUTH_MAX_BULK      16384
#define RESP_UNAUTH_MAX_MULTIBULK 10

// Slices of the arguments of many commands, one behind the other. Grows and is reused. All zero is
// a valid empty one.
struct resp_argv {
    struct slice *items;
    size_t len;
    size_t cap;
};

// Frees the memory; empty and usable again.
void resp_argv_release(struct resp_argv *argv);

// Forgets the slices. Keeps the memory, unless a command of unusual size has made it grow beyond
// RESP_ARGV_KEEP slices.
#define RESP_ARGV_KEEP 16384
void resp_argv_clear(struct resp_argv *argv);

struct resp_limits {
    int64_t max_bulk;       // proto-max-bulk-len, at least 0; before authentication, too
    int64_t max_multibulk;  // at most INT32_MAX, which is Redis's; before authentication, too
    bool authenticated;     // if not, the RESP_UNAUTH_ limits apply besides, with their own texts
};

enum resp_result {
    RESP_COMMAND,     // `out` is filled, the parser is at a command's start
    RESP_INCOMPLETE,  // call again with the same command start and more bytes
    RESP_ERROR,       // resp_parser_error() has the text; the connection is to be closed
};

struct resp_command {
    size_t argv_first;  // index into argv->items
    size_t consumed;    // bytes of the buffer that the command took
    uint32_t argc;      // 0: an empty line, *0 or a negative count, to be skipped
    bool is_inline;     // not an array of bulks: not to be passed on verbatim
    bool detached;      // an argument lies apart: the command's bytes are not contiguous
};

struct resp_saved_arg;

// One a client. All zero is a valid one at a command's start. Private to parser.c.
struct resp_parser {
    size_t pos;                    // where parsing goes on, from the command's start
    uint64_t bulk_len;             // of the bulk whose header is read
    struct resp_saved_arg *saved;  // arguments of an incomplete command
    uint32_t saved_len;
    uint32_t saved_cap;
    uint32_t args_left;  // bulks still to come once the count is read
    uint32_t scanned;    // bytes of the line at pos that were searched for its end
    uint8_t state;       // what stands at pos
    uint8_t error;       // why the request was refused
    uint8_t error_byte;  // the byte that stood in a '$'s place
    bool detached;       // an argument of this command lies apart
};

// Frees what an incomplete command holds; the parser is at a command's start.
void resp_parser_reset(struct resp_parser *parser);

// Parses one command at the beginning of `buf`. `buf` is written to only to take quotes and escapes
// off inline arguments. Bytes behind the command are not looked at. Slices are added to `argv` with
// RESP_COMMAND only. After RESP_ERROR it goes on returning that until the parser is reset.
//
// The result does not depend on how the bytes were cut into pieces. Memory is taken in proportion
// to the arguments that have arrived, never to what a count promises.
enum resp_result resp_parse(struct resp_parser *parser, char *buf, size_t len,
                            const struct resp_limits *limits, struct resp_argv *argv,
                            struct resp_command *out);

// After RESP_ERROR: the text, without "-ERR " and line end, as Redis words it. One line: a byte that
// would end it, or the text, shows as a blank. It is a constant, or written to `out`.
#define RESP_ERROR_TEXT_MAX 64
const char *resp_parser_error(const struct resp_parser *parser, char out[RESP_ERROR_TEXT_MAX]);

// Memory that an incomplete command holds, in bytes.
size_t resp_parser_memory(const struct resp_parser *parser);

// After RESP_INCOMPLETE: whether the command waits inside a bulk of at least RESP_BIG_BULK bytes.
// Then `offset` is where its payload begins in the buffer and `bulk_len` its length.
bool resp_parser_big_bulk(const struct resp_parser *parser, size_t *offset, size_t *bulk_len);

// Takes that bulk out of the buffer: its payload will lie at `payload` (kept by the caller until
// the command is done), and the caller removes the payload and the two bytes behind it (which Redis
// does not look at) from the stream: the next resp_parse() sees, right behind `offset`, what
// follows them. With nothing there (len == offset) it completes the command if this was its last
// argument. Allocates nothing.
void resp_parser_detach_bulk(struct resp_parser *parser, const char *payload);

// Whether a command that was parsed from the bytes `raw` (those it consumed; none of its arguments
// apart) is a RESP array with CR LF wherever a line ends. The parser, as Redis, skips those bytes
// unseen, but who reads a log of commands may not: to be asked before the bytes go to one verbatim.
// O(arguments).
bool resp_is_regular(struct slice raw, const struct slice *args, size_t argc);
