// SPDX-License-Identifier: BSD-3-Clause
// Every command with arguments that make no sense, alone and inside a transaction: each request gets one
// well-formed reply in the protocol that was chosen, and the server lives on.
#include "base/numbers.h"
#include "base/random.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "repl/repl.h"
#include "server/block.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define REQUESTS   15000
#define REPLY_MAX  (4u << 20)
#define MARKER     "*2\r\n$4\r\nECHO\r\n$6\r\nmarker\r\n"
#define ECHOED     "$6\r\nmarker\r\n"
#define ECHOED_LEN (sizeof(ECHOED) - 1)

static struct random dice;
static char *reply;
static size_t reply_len;
static int fd;
static struct client *served;

static void set_up(void)
{
    random_seed(&dice, 12);
    rig_make(NULL);
    snapshot_register(server);
    repl_register(server);
    commands_register(server->registry);
    rig_start();
    reply = malloc(REPLY_MAX);
    reply_len = 0;
    fd = rig_connect();
    served = rig_last_client();
}

static void tear_down(void)
{
    free(reply);
    rig_stop();
}

// ---- reading replies ----------------------------------------------------------------------------

// The number of a header line at `at`; `*end` is where the line's end stands.
static bool header_number(const char *at, const char *limit, int64_t *number, const char **end)
{
    *end = memchr(at, '\r', (size_t)(limit - at));
    if (!*end)
        return false;
    struct slice digits = { .ptr = at + 1, .len = (size_t)(*end - at - 1) };
    return parse_int64(digits, number);
}

// Elements that a header announces, as values that follow; -1 if it is none of an aggregate.
static int64_t elements_of(char type, int64_t number)
{
    switch (type) {
    case '*':
    case '~':
    case '>': return number < 0 ? 0 : number;
    case '%': return 2 * number;
    default: return -1;
    }
}

// Where the value at `at` ends, or NULL if it is not well-formed.
static const char *skip_value(const char *at, const char *limit)
{
    int64_t pending = 1;
    for (; pending > 0; pending--) {
        const char *end = memchr(at, '\r', (size_t)(limit - at));
        int64_t number = 0;
        if (at == limit || !end || end + 1 >= limit || end[1] != '\n' || end == at)
            return NULL;
        if (*at && strchr("+-:,#(_", *at)) {
            at = end + 2;
            continue;
        }
        if (!*at || !strchr("$=*~>%", *at) || !header_number(at, limit, &number, &end))
            return NULL;
        int64_t elements = elements_of(*at, number);
        at = end + 2;
        if (elements >= 0) {
            pending += elements;
        } else if (number >= 0) {
            if (limit - at < number + 2 || memcmp(at + number, "\r\n", 2) != 0)
                return NULL;
            at += number + 2;
        }
    }
    return at;
}

static bool marker_arrived(void)
{
    return reply_len >= ECHOED_LEN &&
           memcmp(reply + reply_len - ECHOED_LEN, ECHOED, ECHOED_LEN) == 0;
}

// Waits for the marker; so many values stand before it. A command that waits is told not to.
static void expect_replies(int count, const struct bytes *request)
{
    reply_len = 0;
    for (int turns = 0; !marker_arrived(); turns++) {
        rig_turn();
        (void)block_end(served, random_below(&dice, 2));
        ssize_t got = recv(fd, reply + reply_len, REPLY_MAX - reply_len, 0);
        ck_assert_msg(got > 0 || (got < 0 && errno == EAGAIN && turns < RIG_PATIENCE),
                      "no reply to %.*s", (int)request->len, request->data);
        reply_len += got > 0 ? (size_t)got : 0;
    }
    const char *limit = reply + reply_len - ECHOED_LEN;
    const char *end = reply;
    for (int i = 0; i < count && end; i++)
        end = skip_value(end, limit);
    ck_assert_msg(end == limit, "not one well-formed reply:\n%.*s\nto\n%.*s", (int)reply_len, reply,
                  (int)request->len, request->data);
}

// ---- making requests ----------------------------------------------------------------------------

static struct slice some_word(void)
{
    static char large[70000];
    static const struct slice words[] = {
        SLICE(""),        SLICE("k1"),
        SLICE("k2"),      SLICE("k3"),
        SLICE("0"),       SLICE("1"),
        SLICE("-1"),      SLICE("10"),
        SLICE("1000000"), SLICE("9223372036854775807"),
        SLICE("1.5"),     SLICE("-9223372036854775808"),
        SLICE("nan"),     SLICE("18446744073709551615"),
        SLICE("inf"),     SLICE("0x10"),
        SLICE("*"),       SLICE("[a"),
        SLICE("\\"),      SLICE("a*a*a*a*a*b"),
        SLICE("a\r\nb"),  SLICE("\0\0"),
        SLICE("\xff"),    SLICE("%s%n"),
        SLICE("get"),     SLICE("client|list"),
        SLICE("|"),       SLICE("default"),
        SLICE("EX"),      SLICE("PX"),
        SLICE("NX"),      SLICE("XX"),
        SLICE("GET"),     SLICE("KEEPTTL"),
        SLICE("COUNT"),   SLICE("MATCH"),
        SLICE("TYPE"),    SLICE("string"),
        SLICE("DB"),      SLICE("REPLACE"),
        SLICE("ID"),      SLICE("ADDR"),
        SLICE("LEN"),     SLICE("IDX"),
        SLICE("AUTH"),    SLICE("SETNAME"),
        SLICE("2"),       SLICE("3"),
        SLICE("name"),    SLICE("FILTERBY"),
        SLICE("ACLCAT"),  SLICE("PATTERN"),
        SLICE("GT"),      SLICE("LT"),
        SLICE("ASYNC"),   SLICE("PERSIST"),
    };
    size_t count = sizeof(words) / sizeof(*words);
    if (random_below(&dice, 100) == 0)
        return (struct slice){ .ptr = large, .len = random_below(&dice, sizeof(large)) };
    return words[random_below(&dice, count)];
}

// Commands that end the connection, take time, shut the door, or change how many replies there are. Those that
// make the connection or the server a replica have tests of their own.
static bool is_left_out(const struct command_entry *command)
{
    static const char *const names[] = {
        "quit",       "shutdown",     "debug",   "client|kill", "client|pause",
        "config|set", "client|reply", "monitor", "multi",       "client|tracking",
        "replconf",   "psync",        "sync",    "replicaof",   "slaveof"
    };
    // Confirmations are one a channel.
    if (command->row->while_subscribed && command->flags & CMD_PUBSUB)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(command->full_name, names[i]) == 0)
            return true;
    }
    return false;
}

static const struct command_entry *some_command(void)
{
    const struct registry *registry = server->registry;
    for (;;) {
        const struct command_entry *command = registry_at(
            registry, random_below(&dice, registry_count(registry)));
        if (command->subcommand_count && random_below(&dice, 8))
            command =
                &command->subcommands[random_below(&dice, (uint64_t)command->subcommand_count)];
        if (!is_left_out(command))
            return command;
    }
}

static void add_word(struct bytes *out, struct slice word)
{
    bytes_printf(out, "$%zu\r\n", word.len);
    bytes_append_slice(out, word);
    bytes_append_text(out, "\r\n");
}

static void make_request(struct bytes *out)
{
    const struct command_entry *command = some_command();
    size_t own = command->parent ? 2 : 1;
    size_t least = (size_t)abs(command->arity);
    // As many as it wants as a rule, else any number.
    size_t argc = random_below(&dice, 8) ? least : own;
    argc = argc < own ? own : argc;
    if (command->arity < 0 || random_below(&dice, 8) == 0)
        argc += random_below(&dice, 5);
    bytes_printf(out, "*%zu\r\n", argc);
    if (command->parent)
        add_word(out, slice_of(command->parent->row->name));
    add_word(out, slice_of(command->row->name));
    for (size_t i = own; i < argc; i++)
        add_word(out, some_word());
}

START_TEST(every_request_gets_one_reply)
{
    struct bytes request = { 0 };
    for (int i = 0; i < REQUESTS; i++) {
        bytes_clear(&request);
        make_request(&request);
        rig_send(fd, request.data, request.len);
        rig_say(fd, MARKER);
        expect_replies(1, &request);
        if (random_below(&dice, 100) == 0)
            clock_shift_ms((int64_t)random_below(&dice, 5000));
    }
    bytes_release(&request);
}
END_TEST

START_TEST(every_request_inside_a_transaction_gets_one_reply)
{
    struct bytes request = { 0 };
    for (int i = 0; i < REQUESTS / 2; i++) {
        bytes_clear(&request);
        bytes_append_text(&request, "*1\r\n$5\r\nMULTI\r\n");
        make_request(&request);
        make_request(&request);
        bytes_append_text(&request, "*1\r\n$4\r\nEXEC\r\n");
        rig_send(fd, request.data, request.len);
        rig_say(fd, MARKER);
        expect_replies(4, &request);
    }
    bytes_release(&request);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("hostile requests");
    TCase *tcase = tcase_create("hostile requests");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, every_request_gets_one_reply);
    tcase_add_test(tcase, every_request_inside_a_transaction_gets_one_reply);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
