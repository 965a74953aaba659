// SPDX-License-Identifier: BSD-3-Clause
// The request parser: a fast path for whole commands, and a state machine for all others.
//
// Workload. Nearly every request is a RESP array of a few short arguments that lies whole in the
// buffer. That case is short_number() and take_short_bulks(): plain byte arithmetic on numbers of
// one to four digits, slices written where the handler reads them, the parser itself not touched.
// Whatever does not fit (longer numbers, missing bytes, errors, unauthenticated clients) is left,
// at the argument where it stopped fitting, to the state machine:
//
//   AT_START --'*'--> IN_COUNT --> IN_HEADER <--> IN_PAYLOAD --> (command)
//      +---other----> IN_INLINE ------------------------------> (command)
//
// In IN_COUNT and IN_HEADER a line begins at `pos`, `scanned` bytes of which are known to hold no
// line end; in IN_PAYLOAD the payload begins there. The state machine uses take_short_bulks() too,
// so a large command that comes in pieces is parsed at nearly full speed.
//
// New arguments always go to argv. When the command proves incomplete they move to `saved`, as
// offsets from the command's start (the buffer may move) or, for a bulk that was taken out of the
// buffer, as a pointer; when it is complete, `saved` goes in front of what the last call added.
// Both move each argument once, hence the whole stays linear even byte by byte.
//
// As Redis does, a line ends at CR, and the byte behind it is skipped whatever it is; so are the two
// bytes behind a payload. Whoever passes a command on as it came asks resp_is_regular(): looking
// here, at every command, costs a tenth of the fast path (measured). Unlike Redis, a NUL in a line
// is a byte like any other (there it hides the rest of the line and the client waits for ever), and
// a line longer than RESP_INLINE_MAX is refused even when it arrives at once (there it depends on
// how the network cut it).
#include "resp/parser.h"

#include "base/memory.h"
#include "base/numbers.h"
#include "base/panic.h"
#include "resp/parser_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum parser_state { AT_START, IN_INLINE, IN_COUNT, IN_HEADER, IN_PAYLOAD, FAILED };

static_assert(sizeof(struct resp_parser) <= 48, "every idle connection has one");

struct resp_saved_arg {
    uint64_t apart : 1;
    uint64_t len : 63;
    union {
        uint64_t offset;      // from the command's start
        const char *payload;  // apart
    };
};
static_assert(sizeof(struct resp_saved_arg) == 16, "a hostile client may send millions");

// What one call of resp_parse() works on.
struct input {
    char *buf;
    size_t len;
    const struct resp_limits *limits;
    struct resp_argv *argv;
    size_t first;  // length of argv when the call began
};

// Outcome of one step of the state machine: RESP_COMMAND stands for "done, go on".
#define STEP_DONE RESP_COMMAND

#define ARGV_FIRST_CAP 64
#define SAVED_MIN      4

// The shortest bulk, "$0\r\n\r\n", and the shortest command that has arguments.
#define BULK_MIN_BYTES    6
#define COMMAND_MIN_BYTES (4 + BULK_MIN_BYTES)

// ---- argv ---------------------------------------------------------------------------------------

void resp_argv_release(struct resp_argv *argv)
{
    mem_free(argv->items, argv->cap * sizeof *argv->items);
    *argv = (struct resp_argv){ 0 };
}

void resp_argv_clear(struct resp_argv *argv)
{
    if (argv->cap > RESP_ARGV_KEEP)
        resp_argv_release(argv);
    argv->len = 0;
}

bool resp_argv_reserve(struct resp_argv *argv, size_t extra)
{
    if (argv->cap - argv->len >= extra)
        return true;
    size_t cap = argv->cap ? argv->cap * 2 : ARGV_FIRST_CAP;
    if (cap < argv->len + extra)
        cap = argv->len + extra;
    struct slice *items = mem_try_realloc(argv->items, argv->cap * sizeof *items,
                                          cap * sizeof *items);
    if (!items)
        return false;
    argv->items = items;
    argv->cap = cap;
    return true;
}

// ---- the fast path ------------------------------------------------------------------------------

// The largest number of four digits.
#define SHORT_MAX 9999

// A number of one to four digits without leading zeros, and the CR behind it; five bytes at least
// are there. Returns what lies behind the line's end (which may be one byte behind the buffer's), or
// NULL when it is something else. The value comes straight from the raw digits: where the next
// header lies waits for it.
static inline const char *short_number(const char *text, size_t *value)
{
    size_t a = (unsigned char)text[0];
    size_t b = (unsigned char)text[1];
    if (a - '0' > 9)
        return NULL;
    if (b == '\r') {
        *value = a - '0';
        return text + 3;
    }
    if (a == '0' || b - '0' > 9)
        return NULL;
    size_t c = (unsigned char)text[2];
    if (c == '\r') {
        *value = 10 * a + b - 11 * '0';
        return text + 4;
    }
    size_t d = (unsigned char)text[3];
    if (c - '0' > 9)
        return NULL;
    if (d == '\r') {
        *value = 100 * a + 10 * b + c - 111 * '0';
        return text + 5;
    }
    if (d - '0' > 9 || text[4] != '\r')
        return NULL;
    *value = 1000 * a + 100 * b + 10 * c + d - 1111 * '0';
    return text + 6;
}

// Takes up to `count` whole bulks with short lengths, which are all allowed (SHORT_MAX), from `*at`,
// which moves behind the last one, and returns how many they were.
static inline uint32_t take_short_bulks(const char **at, const char *end, struct slice *out,
                                        uint32_t count)
{
    const char *header = *at;
    uint32_t taken = 0;
    for (; taken < count; taken++) {
        size_t len;
        if (end - header < BULK_MIN_BYTES || *header != '$')
            break;
        const char *payload = short_number(header + 1, &len);
        if (!payload)
            break;
        // As integers, since the sum may point behind the buffer.
        if ((uintptr_t)end < (uintptr_t)payload + len + 2)
            break;
        out[taken] = (struct slice){ .ptr = payload, .len = len };
        header = payload + len + 2;
    }
    *at = header;
    return taken;
}

// ---- the state machine --------------------------------------------------------------------------

static void release_saved(struct resp_parser *parser)
{
    mem_free(parser->saved, parser->saved_cap * sizeof *parser->saved);
    parser->saved = NULL;
    parser->saved_len = 0;
    parser->saved_cap = 0;
}

static enum resp_result fail(struct resp_parser *parser, enum resp_fault fault)
{
    release_saved(parser);
    parser->state = FAILED;
    parser->pos = 0;
    parser->scanned = 0;
    parser->error = fault;
    return RESP_ERROR;
}

// Searches the line at `pos` for `stop`. STEP_DONE: `*len` bytes of it lie in front of that.
static enum resp_result find_line_end(struct resp_parser *parser, const struct input *in, char stop,
                                      enum resp_fault too_long, size_t *len)
{
    const char *line = in->buf + parser->pos;
    size_t available = in->len - parser->pos;
    size_t limit = available > RESP_INLINE_MAX ? RESP_INLINE_MAX + 1 : available;
    const char *found = memchr(line + parser->scanned, stop, limit - parser->scanned);
    if (!found) {
        parser->scanned = (uint32_t)limit;
        return available > RESP_INLINE_MAX ? fail(parser, too_long) : RESP_INCOMPLETE;
    }
    *len = (size_t)(found - line);
    parser->scanned = (uint32_t)*len;
    return STEP_DONE;
}

// Takes the line of a count or a length, with the byte behind its CR.
static enum resp_result take_line(struct resp_parser *parser, const struct input *in,
                                  enum resp_fault too_long, struct slice *line)
{
    enum resp_result step = find_line_end(parser, in, '\r', too_long, &line->len);
    if (step != STEP_DONE)
        return step;
    line->ptr = in->buf + parser->pos;
    if (in->len - parser->pos < line->len + 2)
        return RESP_INCOMPLETE;
    parser->pos += line->len + 2;
    parser->scanned = 0;
    return STEP_DONE;
}

static enum resp_result parse_count(struct resp_parser *parser, const struct input *in)
{
    struct slice line;
    enum resp_result step = take_line(parser, in, RESP_FAULT_LONG_COUNT, &line);
    if (step != STEP_DONE)
        return step;
    int64_t count;
    struct slice digits = { .ptr = line.ptr + 1, .len = line.len - 1 };
    if (!parse_int64(digits, &count) || count > INT32_MAX || count > in->limits->max_multibulk)
        return fail(parser, RESP_FAULT_COUNT);
    if (!in->limits->authenticated && count > RESP_UNAUTH_MAX_MULTIBULK)
        return fail(parser, RESP_FAULT_UNAUTH_COUNT);
    parser->args_left = count > 0 ? (uint32_t)count : 0;
    parser->state = IN_HEADER;
    return STEP_DONE;
}

// Takes the short bulks that are there, as far as argv has room. False: there are none.
static bool parse_short_bulks(struct resp_parser *parser, const struct input *in)
{
    struct resp_argv *argv = in->argv;
    size_t room = argv->cap - argv->len;
    uint32_t count = room < parser->args_left ? (uint32_t)room : parser->args_left;
    if (count == 0 || in->limits->max_bulk < SHORT_MAX)
        return false;
    const char *at = in->buf + parser->pos;
    uint32_t taken = take_short_bulks(&at, in->buf + in->len, argv->items + argv->len, count);
    if (taken == 0)
        return false;
    argv->len += taken;
    parser->args_left -= taken;
    parser->pos = (size_t)(at - in->buf);
    parser->scanned = 0;
    return true;
}

static enum resp_result parse_header(struct resp_parser *parser, const struct input *in)
{
    if (parse_short_bulks(parser, in))
        return STEP_DONE;
    struct slice line;
    enum resp_result step = take_line(parser, in, RESP_FAULT_LONG_LENGTH, &line);
    if (step != STEP_DONE)
        return step;
    // The line may be empty: then it is its CR that stands in the '$'s place.
    if (line.ptr[0] != '$') {
        parser->error_byte = (uint8_t)line.ptr[0];
        return fail(parser, RESP_FAULT_NO_DOLLAR);
    }
    int64_t len;
    struct slice digits = { .ptr = line.ptr + 1, .len = line.len - 1 };
    if (!parse_int64(digits, &len) || len < 0 || len > in->limits->max_bulk)
        return fail(parser, RESP_FAULT_LENGTH);
    if (!in->limits->authenticated && len > RESP_UNAUTH_MAX_BULK)
        return fail(parser, RESP_FAULT_UNAUTH_LENGTH);
    parser->bulk_len = (uint64_t)len;
    parser->state = IN_PAYLOAD;
    return STEP_DONE;
}

static enum resp_result parse_payload(struct resp_parser *parser, const struct input *in)
{
    if (in->len - parser->pos < parser->bulk_len + 2)
        return RESP_INCOMPLETE;
    if (!resp_argv_add(in->argv, in->buf + parser->pos, parser->bulk_len))
        return fail(parser, RESP_FAULT_MEMORY);
    parser->pos += parser->bulk_len + 2;
    parser->args_left--;
    parser->state = IN_HEADER;
    return STEP_DONE;
}

static enum resp_result parse_bulks(struct resp_parser *parser, const struct input *in)
{
    enum resp_result step = STEP_DONE;
    while (step == STEP_DONE && parser->args_left > 0)
        step = parser->state == IN_HEADER ? parse_header(parser, in) : parse_payload(parser, in);
    return step;
}

static enum resp_result parse_inline(struct resp_parser *parser, const struct input *in)
{
    size_t len;
    enum resp_result step = find_line_end(parser, in, '\n', RESP_FAULT_LONG_INLINE, &len);
    if (step != STEP_DONE)
        return step;
    enum resp_fault fault = resp_split_inline(in->buf, len, in->argv);
    if (fault != RESP_FAULT_NONE)
        return fail(parser, fault);
    parser->pos = len + 1;
    return STEP_DONE;
}

// ---- incomplete commands ------------------------------------------------------------------------

static bool reserve_saved(struct resp_parser *parser, size_t extra)
{
    size_t needed = parser->saved_len + extra;
    if (needed <= parser->saved_cap)
        return true;
    size_t cap = parser->saved_cap ? (size_t)parser->saved_cap * 2 : SAVED_MIN;
    if (cap < needed)
        cap = needed;
    if (cap > UINT32_MAX)
        return false;
    size_t unit = sizeof *parser->saved;
    struct resp_saved_arg *saved = mem_try_realloc(parser->saved, parser->saved_cap * unit,
                                                   cap * unit);
    if (!saved)
        return false;
    parser->saved = saved;
    parser->saved_cap = (uint32_t)cap;
    return true;
}

// Moves the arguments of this call from argv to `saved`, and sees to it that a big bulk can be
// detached without an allocation.
static enum resp_result save_args(struct resp_parser *parser, const struct input *in)
{
    size_t count = in->argv->len - in->first;
    size_t offset, len;
    size_t extra = count + resp_parser_big_bulk(parser, &offset, &len);
    if (extra > 0 && !reserve_saved(parser, extra))
        return fail(parser, RESP_FAULT_MEMORY);
    for (size_t i = in->first; i < in->argv->len; i++) {
        struct slice arg = in->argv->items[i];
        parser->saved[parser->saved_len++] = (struct resp_saved_arg){
            .offset = (uint64_t)(arg.ptr - in->buf), .len = arg.len
        };
    }
    return RESP_INCOMPLETE;
}

// Puts the saved arguments in front of those of this call. False: no memory.
static bool restore_args(const struct resp_parser *parser, const struct input *in)
{
    struct resp_argv *argv = in->argv;
    size_t count = parser->saved_len;
    if (count == 0)
        return true;
    if (!resp_argv_reserve(argv, count))
        return false;
    struct slice *args = argv->items + in->first;
    memmove(args + count, args, (argv->len - in->first) * sizeof *args);
    argv->len += count;
    for (size_t i = 0; i < count; i++) {
        const struct resp_saved_arg *saved = &parser->saved[i];
        args[i].ptr = saved->apart ? saved->payload : in->buf + saved->offset;
        args[i].len = saved->len;
    }
    return true;
}

static enum resp_result complete(struct resp_parser *parser, const struct input *in,
                                 struct resp_command *out)
{
    if (!restore_args(parser, in))
        return fail(parser, RESP_FAULT_MEMORY);
    *out = (struct resp_command){ .argv_first = in->first,
                                  .consumed = parser->pos,
                                  .argc = (uint32_t)(in->argv->len - in->first),
                                  .is_inline = parser->state == IN_INLINE,
                                  .detached = parser->detached };
    resp_parser_reset(parser);
    return RESP_COMMAND;
}

static enum resp_result advance(struct resp_parser *parser, const struct input *in)
{
    if (parser->state == AT_START && in->len > 0)
        parser->state = in->buf[0] == '*' ? IN_COUNT : IN_INLINE;

    enum resp_result step = STEP_DONE;
    switch ((enum parser_state)parser->state) {
    case AT_START: return RESP_INCOMPLETE;
    case IN_INLINE: return parse_inline(parser, in);
    case IN_COUNT: step = parse_count(parser, in); break;
    case IN_HEADER:
    case IN_PAYLOAD: break;
    case FAILED: return RESP_ERROR;
    }
    return step == STEP_DONE ? parse_bulks(parser, in) : step;
}

__attribute__((noinline)) static enum resp_result parse_slowly(struct resp_parser *parser,
                                                               const struct input *in,
                                                               struct resp_command *out)
{
    ASSERT(in->len >= parser->pos + parser->scanned);
    enum resp_result result = advance(parser, in);
    if (result == STEP_DONE)
        result = complete(parser, in, out);
    else if (result == RESP_INCOMPLETE)
        result = save_args(parser, in);
    if (result != RESP_COMMAND)
        in->argv->len = in->first;
    return result;
}

// ---- the interface ------------------------------------------------------------------------------

enum resp_result resp_parse(struct resp_parser *parser, char *buf, size_t len,
                            const struct resp_limits *limits, struct resp_argv *argv,
                            struct resp_command *out)
{
    const size_t first = argv->len;
    size_t argc = 0;
    const char *at = NULL;
    if (likely(parser->state == AT_START && len >= COMMAND_MIN_BYTES && buf[0] == '*'))
        at = short_number(buf + 1, &argc);

    if (likely(at && argc > 0 && argc <= argv->cap - first &&
               (int64_t)argc <= limits->max_multibulk && limits->max_bulk >= SHORT_MAX &&
               limits->authenticated)) {
        uint32_t taken = take_short_bulks(&at, buf + len, argv->items + first, (uint32_t)argc);
        argv->len = first + taken;
        if (likely(taken == argc)) {
            *out = (struct resp_command){ .argv_first = first,
                                          .consumed = (size_t)(at - buf),
                                          .argc = taken };
            return RESP_COMMAND;
        }
        parser->state = IN_HEADER;
        parser->pos = (size_t)(at - buf);
        parser->args_left = (uint32_t)argc - taken;
    }
    struct input in = { .buf = buf, .len = len, .limits = limits, .argv = argv, .first = first };
    return parse_slowly(parser, &in, out);
}

void resp_parser_reset(struct resp_parser *parser)
{
    release_saved(parser);
    *parser = (struct resp_parser){ 0 };
}

const char *resp_parser_error(const struct resp_parser *parser, char out[RESP_ERROR_TEXT_MAX])
{
#define FAULT_TEXT(name, text) [name] = text,
    static const char *const texts[] = { RESP_FAULT_LIST(FAULT_TEXT) };
#undef FAULT_TEXT
    if (parser->error != RESP_FAULT_NO_DOLLAR)
        return texts[parser->error];
    unsigned char byte = parser->error_byte;
    bool ends_line = byte == '\0' || byte == '\r' || byte == '\n';
    snprintf(out, RESP_ERROR_TEXT_MAX, "Protocol error: expected '$', got '%c'",
             ends_line ? ' ' : byte);
    return out;
}

size_t resp_parser_memory(const struct resp_parser *parser)
{
    return parser->saved_cap ? mem_good_size(parser->saved_cap * sizeof *parser->saved) : 0;
}

bool resp_parser_big_bulk(const struct resp_parser *parser, size_t *offset, size_t *bulk_len)
{
    if (parser->state != IN_PAYLOAD || parser->bulk_len < RESP_BIG_BULK)
        return false;
    *offset = parser->pos;
    *bulk_len = parser->bulk_len;
    return true;
}

void resp_parser_detach_bulk(struct resp_parser *parser, const char *payload)
{
    ASSERT(parser->state == IN_PAYLOAD && parser->saved_len < parser->saved_cap);
    parser->saved[parser->saved_len++] = (struct resp_saved_arg){ .apart = true,
                                                                  .len = parser->bulk_len,
                                                                  .payload = payload };
    parser->args_left--;
    parser->detached = true;
    parser->state = IN_HEADER;
}

static bool is_line_end(const char *at)
{
    return at[0] == '\r' && at[1] == '\n';
}

bool resp_is_regular(struct slice raw, const struct slice *args, size_t argc)
{
    const char *count_end = memchr(raw.ptr, '\r', raw.len);
    if (raw.ptr[0] != '*' || !count_end || !is_line_end(count_end))
        return false;
    for (size_t i = 0; i < argc; i++) {
        if (!is_line_end(args[i].ptr - 2) || !is_line_end(args[i].ptr + args[i].len))
            return false;
    }
    return true;
}
