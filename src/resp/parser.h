// SPDX-License-Identifier: BSD-3-Clause
// Requests: RESP arrays of bulk strings and inline commands, parsed where they lie.
//
// The parser reads a buffer that begins with a command and yields slices into it: nothing is copied
// or allocated for a command that is complete. For one that is not, it remembers how far it came
// (offsets, so the buffer may move), and goes on from there when more bytes have arrived: each byte
// is looked at once.
//
// Source: the RESP specification (redis.io, "Redis serialization protocol specification").
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// From this length on a bulk can be received apart from the buffer (resp_parser_detach_bulk).
#define RESP_BIG_BULK 32768

// Longest inline command and longest count line.
#define RESP_INLINE_MAX 65536

// Slices of the arguments of many commands, one behind the other. Grows, is reused, never shrinks
// below what it was made for. All zero is a valid empty one.
struct resp_argv {
    struct slice *items;
    size_t len;
    size_t cap;
};
void resp_argv_release(struct resp_argv *argv);

struct resp_limits {
    int64_t max_bulk;       // proto-max-bulk-len; 16,384 before authentication
    int64_t max_multibulk;  // INT32_MAX (Redis 7.2: 2,147,483,647); 10 before authentication
    bool authenticated;     // decides the error's text
};

enum resp_result {
    RESP_COMMAND,     // `out` is filled
    RESP_INCOMPLETE,  // call again with the same command start and more bytes
    RESP_ERROR,       // resp_parser_error() has the text; the connection is to be closed
};

struct resp_command {
    size_t argv_first;  // index into argv->items
    uint32_t argc;      // 0: an empty line or *0, to be skipped
    size_t consumed;    // bytes of the buffer that the command took
    bool is_inline;     // not an array of bulks: not to be passed on verbatim
    bool detached;      // an argument lies apart: the command's bytes are not contiguous
};

// One a client. All zero is a valid one at a command's start.
struct resp_parser {
    size_t pos;                    // where parsing goes on, from the command's start
    int64_t args_left;             // bulks still to come once the count line is read
    int64_t bulk_len;              // of the bulk whose header is read, else -1
    bool in_multibulk;             // the count line is read
    bool in_bulk;                  // a bulk's header is read, its bytes are not all there
    bool detached;                 // an argument of this command lies apart
    struct resp_saved_arg *saved;  // arguments of an incomplete command
    size_t saved_len;
    size_t saved_cap;
    char error[64];
};

// Frees what an incomplete command holds; the parser is at a command's start.
void resp_parser_reset(struct resp_parser *parser);

// Parses one command at the beginning of `buf`. `buf` is written to only to take quotes and escapes
// off inline arguments. Bytes behind the command are not looked at.
enum resp_result resp_parse(struct resp_parser *parser, char *buf, size_t len,
                            const struct resp_limits *limits, struct resp_argv *argv,
                            struct resp_command *out);

// After RESP_ERROR: the text, without "-ERR " and line end, as Redis words it.
const char *resp_parser_error(const struct resp_parser *parser);

// Memory that an incomplete command holds, in bytes.
size_t resp_parser_memory(const struct resp_parser *parser);

// After RESP_INCOMPLETE: whether the command waits inside a bulk of at least RESP_BIG_BULK bytes.
// Then `offset` is where its payload begins in the buffer and `bulk_len` its length.
bool resp_parser_big_bulk(const struct resp_parser *parser, size_t *offset, size_t *bulk_len);

// Takes that bulk out of the buffer: its payload will lie at `payload` (kept by the caller until
// the command is done), and the caller removes the payload and the CRLF behind it (which the caller
// has checked, or will) from the stream: the next resp_parse() sees, right behind `offset`, what
// follows the CRLF.
void resp_parser_detach_bulk(struct resp_parser *parser, const char *payload);
