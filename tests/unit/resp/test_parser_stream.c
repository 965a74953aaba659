// SPDX-License-Identifier: BSD-3-Clause
// Tests of the request parser as a connection uses it: a stream of commands, cut anywhere, with big
// bulks that may be received apart; and a hostile client.
#include "support/unit.h"
#include "unit/resp/parse_once.h"

#include "base/memory.h"
#include "base/random.h"

#include <string.h>

// ---- a stream of random commands, and what it means ---------------------------------------------

struct model_command {
    size_t first;  // index into the model's args
    size_t argc;
    size_t bytes;  // in the stream
    bool is_inline;
};

struct model {
    struct bytes stream;
    struct bytes contents;  // of all arguments, one behind the other
    size_t arg_len[8192];
    size_t arg_count;
    struct model_command commands[2048];
    size_t count;
};

static struct model *model_make(void)
{
    return mem_alloc_zeroed(sizeof(struct model));
}

static void model_free(struct model *model)
{
    bytes_release(&model->stream);
    bytes_release(&model->contents);
    mem_free(model, sizeof *model);
}

static size_t random_len(struct random *random, size_t max)
{
    size_t limit = 1;
    while (limit < max && random_below(random, 3) > 0)
        limit *= 8;
    return random_below(random, limit < max ? limit + 1 : max + 1);
}

static struct slice model_add_arg(struct model *model, struct random *random, size_t len)
{
    char *content = bytes_reserve(&model->contents, len);
    for (size_t i = 0; i < len; i++)
        content[i] = (char)random_next(random);
    model->contents.len += len;
    ck_assert_uint_lt(model->arg_count, (size_t)COUNT(model->arg_len));
    model->arg_len[model->arg_count++] = len;
    return (struct slice){ .ptr = content, .len = len };
}

static void add_array(struct model *model, struct random *random, size_t argc, size_t max_len)
{
    bytes_printf(&model->stream, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        size_t len = random_len(random, max_len);
        struct slice arg = model_add_arg(model, random, len);
        bytes_printf(&model->stream, "$%zu\r\n", len);
        bytes_append_slice(&model->stream, arg);
        bytes_append_text(&model->stream, "\r\n");
    }
}

static void add_inline(struct model *model, struct random *random, size_t argc)
{
    for (size_t i = 0; i < argc; i++) {
        struct slice arg = model_add_arg(model, random, random_below(random, 20));
        bytes_append_text(&model->stream, random_below(random, 2) ? " " : "\t ");
        bytes_append_quoted(&model->stream, arg);
    }
    bytes_append_text(&model->stream, random_below(random, 2) ? "\r\n" : "\n");
}

static void model_add(struct model *model, struct random *random, size_t max_args, size_t max_len)
{
    struct model_command *command = &model->commands[model->count++];
    size_t begin = model->stream.len;
    command->first = model->arg_count;
    command->argc = random_below(random, max_args + 1);
    command->is_inline = random_below(random, 4) == 0;
    if (command->is_inline)
        add_inline(model, random, command->argc);
    else
        add_array(model, random, command->argc, max_len);
    command->bytes = model->stream.len - begin;
}

// ---- a connection -------------------------------------------------------------------------------

struct connection {
    struct resp_parser parser;
    struct resp_argv argv;
    struct bytes buf;        // begins with a command
    struct bytes apart[64];  // bulks of the current command that were taken out of the buffer
    size_t apart_count;
    size_t apart_left;  // bytes of the last one, and of the line end behind it, still to come
    struct random *random;
    const struct model *model;
    size_t done;      // commands seen
    size_t contents;  // where their arguments end in the model's contents
    bool detach;      // whether big bulks are taken out (half of them, by chance)
};

static void check_command(struct connection *conn, const struct resp_command *command)
{
    ck_assert_uint_lt(conn->done, conn->model->count);
    const struct model_command *want = &conn->model->commands[conn->done];
    ck_assert_uint_eq(command->argc, want->argc);
    ck_assert_int_eq(command->is_inline, want->is_inline);
    ck_assert_int_eq(command->detached, conn->apart_count > 0);
    size_t apart_bytes = 0;
    for (size_t i = 0; i < conn->apart_count; i++)
        apart_bytes += conn->apart[i].len;
    ck_assert_uint_eq(command->consumed + apart_bytes, want->bytes);
    for (size_t i = 0; i < command->argc; i++) {
        struct slice arg = conn->argv.items[command->argv_first + i];
        ck_assert_uint_eq(arg.len, conn->model->arg_len[want->first + i]);
        ck_assert_mem_eq(arg.ptr, conn->model->contents.data + conn->contents, arg.len);
        conn->contents += arg.len;
    }
    ck_assert_uint_eq(resp_parser_memory(&conn->parser), 0);
}

static void forget_command(struct connection *conn, const struct resp_command *command)
{
    bytes_consume(&conn->buf, command->consumed);
    for (size_t i = 0; i < conn->apart_count; i++)
        bytes_release(&conn->apart[i]);
    conn->apart_count = 0;
    conn->done++;
}

// Bytes for the bulk that is being received apart; returns how many of them it took.
static size_t receive_apart(struct connection *conn, const char *data, size_t len)
{
    size_t part = len < conn->apart_left ? len : conn->apart_left;
    bytes_append(&conn->apart[conn->apart_count - 1], data, part);
    conn->apart_left -= part;
    return part;
}

// Takes the bulk that the command waits for out of the buffer. False: it is to stay.
static bool begin_apart(struct connection *conn)
{
    size_t offset, len;
    if (!resp_parser_big_bulk(&conn->parser, &offset, &len))
        return false;
    ck_assert_uint_ge(len, RESP_BIG_BULK);
    ck_assert_uint_le(offset, conn->buf.len);
    if (!conn->detach || random_below(conn->random, 2))
        return false;
    ck_assert_uint_lt(conn->apart_count, (size_t)COUNT(conn->apart));
    struct bytes *apart = &conn->apart[conn->apart_count++];
    bytes_reserve(apart, len + 2);
    conn->apart_left = len + 2;
    mem_fail_after(0);
    resp_parser_detach_bulk(&conn->parser, apart->data);
    mem_fail_never();
    size_t taken = receive_apart(conn, conn->buf.data + offset, conn->buf.len - offset);
    ck_assert_uint_eq(taken, conn->buf.len - offset);
    conn->buf.len = offset;
    return true;
}

static void receive(struct connection *conn, const char *data, size_t len)
{
    if (conn->apart_left > 0) {
        size_t taken = receive_apart(conn, data, len);
        data += taken;
        len -= taken;
        if (conn->apart_left > 0)
            return;
    }
    bytes_append(&conn->buf, data, len);
    for (;;) {
        struct resp_command command;
        enum resp_result result = resp_parse(&conn->parser, conn->buf.data, conn->buf.len,
                                             &normal_limits, &conn->argv, &command);
        if (result == RESP_INCOMPLETE && begin_apart(conn) && conn->apart_left == 0)
            continue;
        if (result == RESP_INCOMPLETE)
            return;
        ck_assert_int_eq(result, RESP_COMMAND);
        check_command(conn, &command);
        forget_command(conn, &command);
        // Now and then, as a batch of commands would.
        if (random_below(conn->random, 4) == 0)
            resp_argv_clear(&conn->argv);
    }
}

// The model's stream through a connection, in pieces of up to `max_piece` bytes.
static void check_stream(struct model *model, struct random *random, size_t max_piece, bool detach)
{
    struct connection conn = { .random = random, .model = model, .detach = detach };
    size_t at = 0;
    while (at < model->stream.len) {
        size_t piece = 1 + random_below(random, max_piece);
        if (piece > model->stream.len - at)
            piece = model->stream.len - at;
        receive(&conn, model->stream.data + at, piece);
        at += piece;
    }
    ck_assert_uint_eq(conn.done, model->count);
    ck_assert_uint_eq(conn.buf.len, 0);
    ck_assert_uint_eq(conn.contents, model->contents.len);
    resp_argv_release(&conn.argv);
    bytes_release(&conn.buf);
}

// ---- tests --------------------------------------------------------------------------------------

static const size_t pieces[] = { 1, 2, 3, 7, 20, 100, 1000, 16384, 100000 };

START_TEST(test_random_pipelines)
{
    struct random random;
    random_seed(&random, (uint64_t)_i);
    for (int round = 0; round < 10; round++) {
        struct model *model = model_make();
        for (int i = 0; i < 200; i++)
            model_add(model, &random, random_below(&random, 8) ? 5 : 40, 2000);
        check_stream(model, &random, pieces[_i], false);
        model_free(model);
    }
}
END_TEST

START_TEST(test_big_bulks)
{
    struct random random;
    random_seed(&random, 100 + (uint64_t)_i);
    size_t used = mem_used();
    for (int round = 0; round < (pieces[_i] < 100 ? 1 : 8); round++) {
        struct model *model = model_make();
        for (int i = 0; i < 25; i++)
            model_add(model, &random, 5, 100000);
        check_stream(model, &random, pieces[_i], true);
        model_free(model);
    }
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

static enum resp_result parse_text(struct resp_parser *parser, const struct bytes *buf,
                                   struct resp_argv *argv, struct resp_command *command)
{
    return resp_parse(parser, buf->data, buf->len, &normal_limits, argv, command);
}

// By hand, so that each step can be seen: two bulks apart, small ones around them.
START_TEST(test_detach_step_by_step)
{
    static char one[RESP_BIG_BULK], two[RESP_BIG_BULK + 1];
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    struct resp_command command;
    struct bytes buf = { 0 };
    size_t offset, len;

    bytes_append_text(&buf, "*4\r\n$4\r\nMSET\r\n$32768\r");
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_INCOMPLETE);
    ck_assert(!resp_parser_big_bulk(&parser, &offset, &len));
    bytes_append_text(&buf, "\n");
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_INCOMPLETE);
    ck_assert(resp_parser_big_bulk(&parser, &offset, &len));
    ck_assert_uint_eq(offset, buf.len);
    ck_assert_uint_eq(len, sizeof one);
    resp_parser_detach_bulk(&parser, one);
    ck_assert(!resp_parser_big_bulk(&parser, &offset, &len));
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_INCOMPLETE);

    bytes_append_text(&buf, "$32767\r\n");
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_INCOMPLETE);
    ck_assert(!resp_parser_big_bulk(&parser, &offset, &len));
    size_t third = buf.len;
    memset(bytes_reserve(&buf, 32767 + 2), 'x', 32767 + 2);
    buf.len += 32767 + 2;
    bytes_append_text(&buf, "$32769\r\n");
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_INCOMPLETE);
    ck_assert(resp_parser_big_bulk(&parser, &offset, &len));
    ck_assert_uint_eq(offset, buf.len);
    ck_assert_uint_eq(len, sizeof two);
    ck_assert_uint_ge(resp_parser_memory(&parser), 4 * 16);
    resp_parser_detach_bulk(&parser, two);

    // Nothing new in the buffer: the command is complete all the same.
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_COMMAND);
    ck_assert(command.detached);
    ck_assert(!command.is_inline);
    ck_assert_uint_eq(command.argc, 4);
    ck_assert_uint_eq(command.consumed, buf.len);
    ck_assert(slice_is(argv.items[0], "MSET"));
    ck_assert_ptr_eq(argv.items[1].ptr, one);
    ck_assert_uint_eq(argv.items[1].len, sizeof one);
    ck_assert_ptr_eq(argv.items[2].ptr, buf.data + third);
    ck_assert_ptr_eq(argv.items[3].ptr, two);
    ck_assert_uint_eq(argv.items[3].len, sizeof two);
    ck_assert_uint_eq(resp_parser_memory(&parser), 0);

    // The next command is an ordinary one.
    buf.len = 0;
    bytes_append_text(&buf, "*1\r\n$4\r\nPING\r\n");
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_COMMAND);
    ck_assert(!command.detached);
    ck_assert_uint_eq(command.argv_first, 4);
    resp_argv_release(&argv);
    bytes_release(&buf);
}
END_TEST

// A fault, or a client that goes away, after a bulk was taken out.
START_TEST(test_detach_then_reset)
{
    static char payload[40000];
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    struct resp_command command;
    struct bytes buf = { 0 };
    size_t used = mem_used();
    for (int fault = 0; fault < 2; fault++) {
        bytes_append_text(&buf, "*2\r\n$40000\r\n");
        ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_INCOMPLETE);
        resp_parser_detach_bulk(&parser, payload);
        bytes_append_text(&buf, fault ? "X\r\n" : "$1");
        ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command),
                         fault ? RESP_ERROR : RESP_INCOMPLETE);
        resp_parser_reset(&parser);
        buf.len = 0;
        bytes_append_text(&buf, "PING\n");
        ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_COMMAND);
        ck_assert(!command.detached);
        buf.len = 0;
    }
    resp_argv_release(&argv);
    bytes_release(&buf);
    ck_assert_uint_eq(mem_used(), used);
}
END_TEST

// What the parser has gone over it must not look at again: a second look would go wrong.
static void overwrite(char *from, size_t len)
{
    memset(from, '\n', len);
}

// A million arguments, byte by byte. If each call looked at more than what is new, the test would
// not end within its time limit.
START_TEST(test_hostile_arguments)
{
    enum { ARGS = 1000000, ARG_BYTES = 7 };
    struct bytes buf = { 0 };
    bytes_printf(&buf, "*%d\r\n", ARGS);
    size_t header = buf.len;
    for (int i = 0; i < ARGS; i++)
        bytes_append_text(&buf, "$1\r\nx\r\n");

    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    struct resp_command command;
    for (size_t len = 0; len < buf.len; len++) {
        if (resp_parse(&parser, buf.data, len, &normal_limits, &argv, &command) != RESP_INCOMPLETE)
            ck_abort_msg("not incomplete at %zu", len);
        size_t args = len < header ? 0 : (len - header) / ARG_BYTES;
        // 16 bytes an argument, at most doubled by growth and rounded up by the allocator.
        if (resp_parser_memory(&parser) > 128 + args * 48)
            ck_abort_msg("%zu bytes held for %zu arguments", resp_parser_memory(&parser), args);
        if (len == header)
            overwrite(buf.data, header);
        else if (args > 0 && (len - header) % ARG_BYTES == 0)
            overwrite(buf.data + len - ARG_BYTES, strlen("$1\r\n"));
    }
    ck_assert_int_eq(parse_text(&parser, &buf, &argv, &command), RESP_COMMAND);
    ck_assert_uint_eq(command.argc, ARGS);
    ck_assert_uint_eq(command.consumed, buf.len);
    for (size_t i = 0; i < ARGS; i++) {
        if (argv.items[i].ptr != buf.data + header + i * ARG_BYTES + 4 || argv.items[i].len != 1)
            ck_abort_msg("argument %zu", i);
    }
    resp_argv_release(&argv);
    bytes_release(&buf);
}
END_TEST

static const char *const line_starts[] = { "", "*", "*1\r\n$" };

// A long line byte by byte: what was searched for its end is not searched again.
START_TEST(test_hostile_lines)
{
    static char line[RESP_INLINE_MAX];
    const char *start = line_starts[_i];
    memset(line, 'x', sizeof line);
    memcpy(line, start, strlen(start));
    struct resp_parser parser = { 0 };
    struct resp_argv argv = { 0 };
    struct resp_command command;
    for (size_t len = 0; len <= sizeof line; len++) {
        ck_assert_int_eq(resp_parse(&parser, line, len, &normal_limits, &argv, &command),
                         RESP_INCOMPLETE);
        if (len > strlen(start))
            line[len - 1] = _i == 0 ? '\n' : '\r';
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("resp/parser stream");

    TCase *tcase = tcase_create("streams");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_random_pipelines, 0, COUNT(pieces));
    tcase_add_loop_test(tcase, test_big_bulks, 0, COUNT(pieces));
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("detach");
    tcase_add_test(tcase, test_detach_step_by_step);
    tcase_add_test(tcase, test_detach_then_reset);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("hostile");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_hostile_arguments);
    tcase_add_loop_test(tcase, test_hostile_lines, 0, COUNT(line_starts));
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
