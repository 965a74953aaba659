// SPDX-License-Identifier: BSD-3-Clause
// One call of the parser, its outcome as a text.
#include "unit/resp/parse_once.h"

#include "base/memory.h"

#include <check.h>

#define ARGV_CAP 16

const struct resp_limits normal_limits = { .max_bulk = 512 << 20,
                                           .max_multibulk = INT32_MAX,
                                           .authenticated = true };
const struct resp_limits unauth_limits = { .max_bulk = 512 << 20,
                                           .max_multibulk = INT32_MAX,
                                           .authenticated = false };

// Parses the first `len` bytes, which lie at another address at each call, with nothing behind them
// that a sanitizer would let pass. What comes of it is appended to `text`.
// What is called regular is, byte for byte, what a client library would have sent.
static void check_regular(struct slice raw, const struct slice *args, size_t argc)
{
    struct bytes canonical = { 0 };
    bytes_printf(&canonical, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        bytes_printf(&canonical, "$%zu\r\n", args[i].len);
        bytes_append_slice(&canonical, args[i]);
        bytes_append_text(&canonical, "\r\n");
    }
    ck_assert_int_eq(resp_is_regular(raw, args, argc), slice_equal(raw, bytes_slice(&canonical)));
    bytes_release(&canonical);
}

enum resp_result parse_once(struct resp_parser *parser, const struct resp_limits *limits,
                            const char *input, size_t len, struct bytes *text)
{
    // The fast path wants room in argv.
    struct resp_argv argv = { .items = mem_alloc(ARGV_CAP * sizeof *argv.items), .cap = ARGV_CAP };
    struct resp_command command;
    char *buf = mem_alloc(len + 1);
    memcpy(buf + 1, input, len);
    enum resp_result result = resp_parse(parser, buf + 1, len, limits, &argv, &command);
    if (result == RESP_ERROR) {
        char out[RESP_ERROR_TEXT_MAX];
        bytes_append_text(text, resp_parser_error(parser, out));
    }
    if (result == RESP_COMMAND) {
        ck_assert_uint_eq(command.argv_first + command.argc, argv.len);
        ck_assert_uint_le(command.consumed, len);
        ck_assert(!command.detached);
        if (command.is_inline)
            bytes_append_text(text, "inline");
        for (size_t i = 0; i < command.argc; i++) {
            if (text->len > 0)
                bytes_append_char(text, ' ');
            bytes_append_quoted(text, argv.items[i]);
        }
        if (command.consumed < len)
            bytes_append_text(text, " (bytes left)");
        if (command.argc > 0)
            check_regular((struct slice){ .ptr = buf + 1, .len = command.consumed }, argv.items,
                          command.argc);
    } else {
        ck_assert_uint_eq(argv.len, 0);
    }
    resp_argv_release(&argv);
    mem_free(buf, len + 1);
    return result;
}

void assert_text(struct bytes *text, const char *want)
{
    bytes_append_char(text, '\0');
    ck_assert_str_eq(text->data, want);
    bytes_release(text);
}
