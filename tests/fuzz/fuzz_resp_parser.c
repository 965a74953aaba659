// SPDX-License-Identifier: BSD-3-Clause
// Fuzz target of the request parser: a stream that arrives at once and the same stream in pieces,
// with big bulks received apart, must mean the same.
//
// Input: one byte of options (enum below), one byte that seeds the cuts, the stream.
#include "fuzz/fuzz.h"

#include "base/memory.h"
#include "base/panic.h"
#include "base/random.h"
#include "resp/parser.h"

#include <inttypes.h>
#include <string.h>

enum {
    OPTION_UNAUTHENTICATED = 1,  // the small limits
    OPTION_SMALL_LIMITS = 2,     // limits that short inputs reach
    OPTION_SMALL_PIECES = 4,     // up to 8 bytes, else up to 4,096
    OPTION_DETACH = 8,           // big bulks are received apart
};

#define APART_MAX 64

// Longer streams come in large pieces, so that a run stays short.
#define SMALL_PIECES_MAX 4096

struct reader {
    struct resp_limits limits;
    struct resp_parser parser;
    struct resp_argv argv;
    struct bytes meaning;  // what was read, as bytes to compare
    bool failed;
    bool detach;
    struct bytes apart[APART_MAX];
    size_t apart_count;
    size_t apart_left;  // of the last one, with its line end
};

static void note(struct reader *reader, const void *data, size_t len)
{
    bytes_append(&reader->meaning, &len, sizeof len);
    bytes_append(&reader->meaning, data, len);
}

static bool lies_apart(const struct reader *reader, struct slice arg)
{
    for (size_t i = 0; i < reader->apart_count; i++) {
        const struct bytes *apart = &reader->apart[i];
        if (arg.ptr == apart->data && arg.len + 2 == apart->len)
            return true;
    }
    return false;
}

static void check_command(struct reader *reader, const char *buf, size_t len,
                          const struct resp_command *command)
{
    ASSERT(command->consumed > 0 && command->consumed <= len);
    ASSERT(command->argv_first + command->argc == reader->argv.len);
    ASSERT(command->argc == 0 || reader->argv.items);
    ASSERT(command->detached == (reader->apart_count > 0));
    ASSERT(resp_parser_memory(&reader->parser) == 0);
    const char *behind = buf;
    size_t consumed = command->consumed;
    for (size_t i = 0; i < command->argc; i++) {
        struct slice arg = reader->argv.items[command->argv_first + i];
        note(reader, arg.ptr, arg.len);
        if (lies_apart(reader, arg)) {
            consumed += arg.len + 2;
            continue;
        }
        ASSERT(arg.ptr >= behind && arg.ptr + arg.len <= buf + command->consumed);
        behind = arg.ptr + arg.len;
    }
    note(reader, command->is_inline ? "inline" : "array", 5);
    note(reader, &consumed, sizeof consumed);
}

// What is called regular must be what a client library would have sent.
static void check_regular(const struct reader *reader, const char *buf,
                          const struct resp_command *command)
{
    if (command->detached || command->argc == 0)
        return;
    const struct slice *args = reader->argv.items + command->argv_first;
    struct slice raw = { .ptr = buf, .len = command->consumed };
    if (!resp_is_regular(raw, args, command->argc))
        return;
    struct bytes canonical = { 0 };
    bytes_printf(&canonical, "*%" PRIu32 "\r\n", command->argc);
    for (size_t i = 0; i < command->argc; i++) {
        bytes_printf(&canonical, "$%zu\r\n", args[i].len);
        bytes_append_slice(&canonical, args[i]);
        bytes_append_text(&canonical, "\r\n");
    }
    ASSERT(slice_equal(raw, bytes_slice(&canonical)));
    bytes_release(&canonical);
}

static void drop_apart(struct reader *reader)
{
    for (size_t i = 0; i < reader->apart_count; i++)
        bytes_release(&reader->apart[i]);
    reader->apart_count = 0;
    reader->apart_left = 0;
}

static size_t receive_apart(struct reader *reader, const char *data, size_t len)
{
    size_t part = len < reader->apart_left ? len : reader->apart_left;
    if (part > 0)
        bytes_append(&reader->apart[reader->apart_count - 1], data, part);
    reader->apart_left -= part;
    return part;
}

// Moves what is there of a big bulk out of the buffer; returns the buffer's new length.
static size_t begin_apart(struct reader *reader, const char *buf, size_t len)
{
    size_t offset, bulk_len;
    bool big = resp_parser_big_bulk(&reader->parser, &offset, &bulk_len);
    // Nobody can wait for a length that the client made up: real callers check the memory.
    if (!big || !reader->detach || reader->apart_count == APART_MAX || bulk_len > 1 << 20)
        return len;
    ASSERT(offset <= len && bulk_len >= RESP_BIG_BULK);
    struct bytes *apart = &reader->apart[reader->apart_count++];
    bytes_reserve(apart, bulk_len + 2);
    reader->apart_left = bulk_len + 2;
    resp_parser_detach_bulk(&reader->parser, apart->data);
    size_t taken = receive_apart(reader, buf + offset, len - offset);
    ASSERT(taken == len - offset);
    return offset;
}

// Reads the commands at the beginning of `buf`, of which `*len` bytes are there, until more bytes
// are needed. Returns how many are done with; what is taken out behind them shortens `*len`.
static size_t read_commands(struct reader *reader, char *buf, size_t *len)
{
    size_t at = 0;
    while (!reader->failed && reader->apart_left == 0) {
        struct resp_command command;
        enum resp_result result = resp_parse(&reader->parser, buf + at, *len - at, &reader->limits,
                                             &reader->argv, &command);
        if (result == RESP_COMMAND) {
            check_command(reader, buf + at, *len - at, &command);
            check_regular(reader, buf + at, &command);
            drop_apart(reader);
            at += command.consumed;
        } else if (result == RESP_ERROR) {
            char out[RESP_ERROR_TEXT_MAX];
            const char *text = resp_parser_error(&reader->parser, out);
            note(reader, text, strlen(text));
            reader->failed = true;
        } else {
            ASSERT(resp_parser_memory(&reader->parser) <= 256 + 8 * (*len - at));
            size_t left = at + begin_apart(reader, buf + at, *len - at);
            if (left == *len && reader->apart_left == 0)
                break;
            *len = left;
        }
        if (reader->argv.len > 1000)
            resp_argv_clear(&reader->argv);
    }
    return at;
}

static void release(struct reader *reader)
{
    resp_parser_reset(&reader->parser);
    resp_argv_release(&reader->argv);
    bytes_release(&reader->meaning);
    drop_apart(reader);
}

// All at once, from a copy: quotes are taken off in place.
static void read_whole(struct reader *reader, const uint8_t *data, size_t size)
{
    char *buf = mem_alloc(size + 1);
    memcpy(buf, data, size);
    size_t len = size;
    read_commands(reader, buf, &len);
    mem_free(buf, size + 1);
}

// In pieces; the unread bytes are moved to a buffer of exactly their size each time.
static void read_pieces(struct reader *reader, const uint8_t *data, size_t size, uint64_t seed,
                        size_t max_piece)
{
    struct random random;
    random_seed(&random, seed);
    char *buf = mem_alloc(1);
    size_t cap = 1;
    size_t len = 0;
    for (size_t at = 0; at < size && !reader->failed;) {
        size_t piece = 1 + random_below(&random, max_piece);
        if (piece > size - at)
            piece = size - at;
        size_t apart = receive_apart(reader, (const char *)data + at, piece);
        size_t new_cap = len + piece - apart;
        char *grown = mem_alloc(new_cap ? new_cap : 1);
        memcpy(grown, buf, len);
        memcpy(grown + len, data + at + apart, piece - apart);
        mem_free(buf, cap);
        buf = grown;
        cap = new_cap ? new_cap : 1;
        len = new_cap;
        at += piece;
        size_t done = read_commands(reader, buf, &len);
        len -= done;
        memmove(buf, buf + done, len);
    }
    mem_free(buf, cap);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    mem_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t options = data[0];
    struct resp_limits limits = { .max_bulk = 512 << 20,
                                  .max_multibulk = INT32_MAX,
                                  .authenticated = !(options & OPTION_UNAUTHENTICATED) };
    if (options & OPTION_SMALL_LIMITS) {
        limits.max_bulk = 20;
        limits.max_multibulk = 4;
    }
    struct reader whole = { .limits = limits };
    struct reader pieces = { .limits = limits, .detach = options & OPTION_DETACH };
    read_whole(&whole, data + 2, size - 2);
    bool small_pieces = options & OPTION_SMALL_PIECES && size <= SMALL_PIECES_MAX;
    read_pieces(&pieces, data + 2, size - 2, data[1], small_pieces ? 8 : 4096);

    note(&whole, &whole.failed, sizeof whole.failed);
    note(&pieces, &pieces.failed, sizeof pieces.failed);
    ASSERT(slice_equal(bytes_slice(&whole.meaning), bytes_slice(&pieces.meaning)));
    release(&whole);
    release(&pieces);
    return 0;
}
