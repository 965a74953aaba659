// SPDX-License-Identifier: BSD-3-Clause
// Tests of what the commands say to the effect stream: as they came, or made independent of when and
// where they are repeated.
#include "server/effects.h"

#include "base/numbers.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "support/unit.h"
#include "unit/server/rig.h"

static struct bytes fed;
static int fd;

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    effects_add_sink(server->effects, feed, &fed);
    fd = rig_connect();
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

// Sends words, split at blanks, as an array. Names are sent as they are.
static void send_words(const char *words)
{
    char copy[512];
    struct slice argv[16];
    size_t argc = 0;
    char *rest = NULL;
    struct bytes request = { 0 };
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = slice_of(word);
    bytes_printf(&request, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++)
        bytes_printf(&request, "$%zu\r\n%s\r\n", argv[i].len, argv[i].ptr);
    rig_send(fd, request.data, request.len);
    bytes_release(&request);
}

// Waits for a whole reply of one line or one bulk; its text must begin like this.
static void run(const char *words, const char *reply)
{
    send_words(words);
    rig_expect(fd, reply);
}

// Reads a line of a type and a number; returns what lies behind it.
static const char *take_number(const char *at, const char *end, char type, int64_t *number)
{
    const char *line = at;
    while (line < end && *line != '\r')
        line++;
    ck_assert_int_ge(end - line, 2);
    ck_assert_int_eq(*at, type);
    const struct slice digits = { .ptr = at + 1, .len = (size_t)(line - at - 1) };
    ck_assert(parse_int64(digits, number));
    ck_assert(line[1] == '\n');
    return line + 2;
}

// Reads one command of the stream as words with blanks between; returns what lies behind it.
static const char *take_command(const char *at, const char *end, struct bytes *out)
{
    int64_t argc;
    at = take_number(at, end, '*', &argc);
    for (int64_t i = 0; i < argc; i++) {
        int64_t len;
        at = take_number(at, end, '$', &len);
        ck_assert_int_le(len + 2, end - at);
        bytes_printf(out, "%s%.*s", i ? " " : "", (int)len, at);
        ck_assert_mem_eq(at + len, "\r\n", 2);
        at += len + 2;
    }
    return at;
}

// The commands fed since the last look, words with blanks between, "; " between commands.
static void read_fed(struct bytes *out)
{
    const char *at = fed.data;
    const char *end = fed.data + fed.len;
    while (at < end) {
        if (out->len)
            bytes_append_text(out, "; ");
        at = take_command(at, end, out);
    }
    bytes_append_char(out, '\0');
    bytes_clear(&fed);
}

static void expect_fed(const char *want)
{
    struct bytes have = { 0 };
    read_fed(&have);
    ck_assert_str_eq(have.data, want);
    bytes_release(&have);
}

// The same with a time at the end of what is expected, which must be `from_now_ms` from now: after
// `since`, a clock_wall_ms() before the command, and not later than now.
static void expect_fed_until(const char *want, int64_t from_now_ms, int64_t since_ms)
{
    struct bytes have = { 0 };
    int64_t at_ms;
    read_fed(&have);
    char *time = strrchr(have.data, ' ');
    ck_assert_ptr_nonnull(time);
    ck_assert_msg(parse_int64(slice_of(time + 1), &at_ms), "no time in '%s'", have.data);
    time[1] = '\0';
    ck_assert_str_eq(have.data, want);
    ck_assert_int_ge(at_ms, since_ms + from_now_ms);
    ck_assert_int_le(at_ms, clock_wall_ms() + from_now_ms);
    bytes_release(&have);
}

// Drops what has arrived.
static void drain(void)
{
    char rest[256];
    ssize_t got;
    do {
        got = recv(fd, rest, sizeof(rest), 0);
    } while (got > 0);
}

static int64_t now_ms(void)
{
    clock_update();
    return clock_wall_ms();
}

// Clears the SELECT that begins the stream.
static void begin(void)
{
    run("SET first 1", "+OK\r\n");
    expect_fed("SELECT 0; SET first 1");
}

START_TEST(verbatim)
{
    begin();
    run("sEt k v", "+OK\r\n");
    expect_fed("sEt k v");
    run("SET k v NX", "$-1\r\n");
    run("SET k v XX", "+OK\r\n");
    run("SET k v KEEPTTL", "+OK\r\n");
    expect_fed("SET k v XX; SET k v KEEPTTL");
    run("SETNX n 1", ":1\r\n");
    run("INCR n", ":2\r\n");
    run("DECR n", ":1\r\n");
    run("INCRBY n 10", ":11\r\n");
    run("DECRBY n 3", ":8\r\n");
    run("APPEND k more", ":5\r\n");
    run("MSET a 1 b 2", "+OK\r\n");
    expect_fed("SETNX n 1; INCR n; DECR n; INCRBY n 10; DECRBY n 3; APPEND k more; MSET a 1 b 2");
    run("DEL a nobody", ":1\r\n");
    run("UNLINK b", ":1\r\n");
    expect_fed("DEL a nobody; UNLINK b");
    run("SETRANGE k 1 xyz", ":5\r\n");
    run("MSETNX c 1 d 2", ":1\r\n");
    run("RENAME c e", "+OK\r\n");
    run("RENAMENX d f", ":1\r\n");
    run("COPY e g", ":1\r\n");
    expect_fed("SETRANGE k 1 xyz; MSETNX c 1 d 2; RENAME c e; RENAMENX d f; COPY e g");
}
END_TEST

START_TEST(lists)
{
    begin();
    run("RPUSH k a b c d e f g h i j", ":10\r\n");
    run("LPUSHX k x", ":11\r\n");
    run("LPOP k", "$1\r\nx\r\n");
    run("RPOP k 2", "*2\r\n$1\r\nj\r\n$1\r\ni\r\n");
    run("LMOVE k l LEFT RIGHT", "$1\r\na\r\n");
    run("RPOPLPUSH k l", "$1\r\nh\r\n");
    expect_fed("RPUSH k a b c d e f g h i j; LPUSHX k x; LPOP k; RPOP k 2; LMOVE k l LEFT RIGHT; "
               "RPOPLPUSH k l");
    run("LSET k 0 B", "+OK\r\n");
    run("LINSERT k AFTER B bb", ":7\r\n");
    run("LREM k 0 c", ":1\r\n");
    run("LTRIM k 0 4", "+OK\r\n");
    expect_fed("LSET k 0 B; LINSERT k AFTER B bb; LREM k 0 c; LTRIM k 0 4");
}
END_TEST

// What waits, or chooses among keys, has the effect of what it found to do.
START_TEST(pops_from_several_lists)
{
    begin();
    run("RPUSH k a b c d e f g h i", ":9\r\n");
    run("LMPOP 2 none k LEFT COUNT 2", "*2\r\n$1\r\nk\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    run("BLMPOP 0 2 none k RIGHT", "*2\r\n$1\r\nk\r\n*1\r\n$1\r\ni\r\n");
    run("BLPOP none k 0", "*2\r\n$1\r\nk\r\n$1\r\nc\r\n");
    run("BRPOP none k 0", "*2\r\n$1\r\nk\r\n$1\r\nh\r\n");
    run("BLMOVE k l LEFT RIGHT 0", "$1\r\nd\r\n");
    run("BRPOPLPUSH k l 0", "$1\r\ng\r\n");
    expect_fed("RPUSH k a b c d e f g h i; LPOP k 2; RPOP k 1; LPOP k; RPOP k; "
               "LMOVE k l LEFT RIGHT; RPOPLPUSH k l");
}
END_TEST

START_TEST(what_was_waited_for_follows_what_woke_it)
{
    begin();
    int other = rig_connect();
    send_words("BLMOVE k l LEFT RIGHT 0");
    rig_turns(3);
    expect_fed("");
    rig_ask(other, "SELECT 1\r\n", "+OK\r\n");
    rig_ask(other, "RPUSH k z\r\n", ":1\r\n");
    rig_ask(other, "SELECT 0\r\n", "+OK\r\n");
    rig_ask(other, "RPUSH k a b\r\n", ":2\r\n");
    rig_expect(fd, "$1\r\na\r\n");
    expect_fed("SELECT 1; RPUSH k z; SELECT 0; RPUSH k a b; LMOVE k l LEFT RIGHT");
}
END_TEST

START_TEST(sort_says_what_it_was_asked)
{
    begin();
    run("RPUSH k 3 1 2", ":3\r\n");
    run("SORT k", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    run("SORT_RO k LIMIT 0 1", "*1\r\n$1\r\n1\r\n");
    run("SORT none STORE d", ":0\r\n");
    expect_fed("RPUSH k 3 1 2");
    run("SORT k DESC STORE d", ":3\r\n");
    run("SORT none STORE d", ":0\r\n");
    run("SORT k STORE k", ":3\r\n");
    expect_fed("SORT k DESC STORE d; SORT none STORE d; SORT k STORE k");
}
END_TEST

START_TEST(the_bytes_are_the_clients)
{
    begin();
    static const char request[] = "*3\r\n$3\r\nSeT\r\n$3\r\na\r\n\r\n$4\r\n\0\r\n\xff\r\n";
    rig_send(fd, request, sizeof(request) - 1);
    rig_expect(fd, "+OK\r\n");
    ck_assert_uint_eq(fed.len, sizeof(request) - 1);
    ck_assert_mem_eq(fed.data, request, sizeof(request) - 1);
}
END_TEST

START_TEST(inline_commands_are_arrays)
{
    begin();
    rig_ask(fd, "set k \"a b\"\r\n", "+OK\r\n");
    ck_assert_uint_eq(fed.len, 29);
    ck_assert_mem_eq(fed.data, "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$3\r\na b\r\n", 29);
}
END_TEST

START_TEST(what_changes_nothing_has_no_effect)
{
    static const char *const nothing[][2] = {
        { "GET first", "$1\r\n1\r\n" },
        { "GET nobody", "$-1\r\n" },
        { "SETNX first 2", ":0\r\n" },
        { "SET first 2 NX", "$-1\r\n" },
        { "SET nobody 2 XX", "$-1\r\n" },
        { "SET first 2 NX GET", "$1\r\n1\r\n" },
        { "DEL nobody", ":0\r\n" },
        { "UNLINK nobody", ":0\r\n" },
        { "GETDEL nobody", "$-1\r\n" },
        { "EXPIRE nobody 10", ":0\r\n" },
        { "PERSIST first", ":0\r\n" },
        { "EXPIRE first 10 XX", ":0\r\n" },
        { "EXPIRE first 10 GT", ":0\r\n" },
        { "GETEX first", "$1\r\n1\r\n" },
        { "GETEX first PERSIST", "$1\r\n1\r\n" },
        { "GETEX nobody EX 10", "$-1\r\n" },
        { "MSETNX first 1 other 2", ":0\r\n" },
        { "RENAMENX first first", ":0\r\n" },
        { "COPY nobody other", ":0\r\n" },
        { "MOVE nobody 1", ":0\r\n" },
        { "TOUCH first", ":1\r\n" },
        { "EXISTS first", ":1\r\n" },
        { "TTL first", ":-1\r\n" },
        { "TYPE first", "+string\r\n" },
        { "STRLEN first", ":1\r\n" },
        { "LPUSHX nobody a", ":0\r\n" },
        { "LPOP nobody", "$-1\r\n" },
        { "LREM nobody 0 a", ":0\r\n" },
        { "LTRIM nobody 0 -1", "+OK\r\n" },
        { "LINSERT nobody AFTER a b", ":0\r\n" },
        { "RPOPLPUSH nobody nobody", "$-1\r\n" },
        { "LMPOP 1 nobody LEFT", "*-1\r\n" },
        { "DBSIZE", ":1\r\n" },
        { "SELECT 0", "+OK\r\n" },
    };
    begin();
    uint64_t changes = server->changes;
    for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++) {
        run(nothing[i][0], nothing[i][1]);
        drain();
        ck_assert_msg(fed.len == 0, "%s: %.*s", nothing[i][0], (int)fed.len, fed.data);
    }
    ck_assert_uint_eq(server->changes, changes);
}
END_TEST

START_TEST(errors_have_no_effect)
{
    begin();
    run("SET k text", "+OK\r\n");
    run("SET big 9223372036854775807", "+OK\r\n");
    expect_fed("SET k text; SET big 9223372036854775807");
    run("INCR k", "-ERR value is not an integer or out of range\r\n");
    run("INCR big", "-ERR increment or decrement would overflow\r\n");
    run("INCRBYFLOAT k 1", "-ERR value is not a valid float\r\n");
    run("SET k v EX 0", "-ERR invalid expire time in 'set' command\r\n");
    run("SET k v PX x", "-ERR value is not an integer or out of range\r\n");
    run("SETEX k -1 v", "-ERR invalid expire time in 'setex' command\r\n");
    run("SET k v EX 1 PX 1", "-ERR syntax error\r\n");
    run("EXPIRE k 1 NX GT",
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
    run("RENAME nobody k", "-ERR no such key\r\n");
    run("SETRANGE k -1 x", "-ERR offset is out of range\r\n");
    run("MSET a", "-ERR wrong number of arguments for 'mset' command\r\n");
    run("SELECT 99", "-ERR DB index is out of range\r\n");
    expect_fed("");
}
END_TEST

START_TEST(times_become_absolute)
{
    static const struct {
        const char *command;
        const char *effect;
        int64_t ms;
    } cases[] = {
        { "SET k v EX 100", "SET k v PXAT ", 100000 },
        { "SET k v PX 100500", "SET k v PXAT ", 100500 },
        { "SET k v XX PX 100500", "SET k v PXAT ", 100500 },
        { "SETEX k 100 v", "SET k v PXAT ", 100000 },
        { "PSETEX k 100500 v", "SET k v PXAT ", 100500 },
    };
    begin();
    run("SET k v", "+OK\r\n");
    expect_fed("SET k v");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int64_t since_ms = now_ms();
        run(cases[i].command, "+OK\r\n");
        expect_fed_until(cases[i].effect, cases[i].ms, since_ms);
    }
    int64_t since_ms = now_ms();
    run("EXPIRE k 100", ":1\r\n");
    expect_fed_until("PEXPIREAT k ", 100000, since_ms);
    run("PEXPIRE k 100500", ":1\r\n");
    expect_fed_until("PEXPIREAT k ", 100500, since_ms);
    // Conditions go along.
    run("PEXPIRE k 200500 GT", ":1\r\n");
    struct bytes have = { 0 };
    read_fed(&have);
    ck_assert_ptr_nonnull(strstr(have.data, "PEXPIREAT k 1"));
    ck_assert_str_eq(strrchr(have.data, ' '), " GT");
    bytes_release(&have);
    run("GETEX k EX 7", "$1\r\nv\r\n");
    expect_fed_until("PEXPIREAT k ", 7000, since_ms);
}
END_TEST

START_TEST(absolute_times_stay)
{
    begin();
    run("SET k v EXAT 33177117420", "+OK\r\n");
    run("SET k v PXAT 33177117420123", "+OK\r\n");
    run("EXPIREAT k 33177117421", ":1\r\n");
    run("PEXPIREAT k 33177117420124", ":1\r\n");
    run("GETEX k EXAT 33177117422", "$1\r\nv\r\n");
    run("GETEX k PXAT 33177117420125", "$1\r\nv\r\n");
    run("GETEX k PERSIST", "$1\r\nv\r\n");
    expect_fed("SET k v PXAT 33177117420000; SET k v PXAT 33177117420123; "
               "PEXPIREAT k 33177117421000; PEXPIREAT k 33177117420124; "
               "PEXPIREAT k 33177117422000; PEXPIREAT k 33177117420125; PERSIST k");
    run("EXPIREAT k 33177117421", ":1\r\n");
    run("PERSIST k", ":1\r\n");
    expect_fed("PEXPIREAT k 33177117421000; PERSIST k");
}
END_TEST

START_TEST(times_in_the_past_delete)
{
    static const char *const commands[] = { "EXPIRE k -1",   "EXPIRE k 0",      "PEXPIRE k -1",
                                            "EXPIREAT k 1",  "PEXPIREAT k -1",  "PEXPIREAT k 0",
                                            "EXPIREAT k -1", "EXPIREAT k 1 NX", "PEXPIRE k -5 LT" };
    begin();
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        run("SET k v", "+OK\r\n");
        run(commands[i], ":1\r\n");
        expect_fed("SET k v; UNLINK k");
        run("EXISTS k", ":0\r\n");
    }
    run("SET k v", "+OK\r\n");
    run("GETEX k PXAT 1", "$1\r\nv\r\n");
    expect_fed("SET k v; UNLINK k");
}
END_TEST

START_TEST(old_values_are_not_asked_for)
{
    begin();
    run("SET k v GET", "$-1\r\n");
    expect_fed("SET k v");
    run("SET k w XX GET", "$1\r\nv\r\n");
    expect_fed("SET k w XX");
    run("SET n w NX GET", "$-1\r\n");
    expect_fed("SET n w NX");
    run("SET k w GET KEEPTTL", "$1\r\nw\r\n");
    expect_fed("SET k w KEEPTTL");
    int64_t since_ms = now_ms();
    run("SET k w GET EX 10", "$1\r\nw\r\n");
    expect_fed_until("SET k w PXAT ", 10000, since_ms);
    run("GETSET k x", "$1\r\nw\r\n");
    expect_fed("SET k x");
    run("GETDEL k", "$1\r\nx\r\n");
    expect_fed("UNLINK k");
}
END_TEST

START_TEST(what_machines_may_round_otherwise_is_said)
{
    begin();
    run("SET f 10.5", "+OK\r\n");
    run("INCRBYFLOAT f 0.1", "$4\r\n10.6\r\n");
    expect_fed("SET f 10.5; SET f 10.6 KEEPTTL");
    run("INCRBYFLOAT new 3", "$1\r\n3\r\n");
    expect_fed("SET new 3 KEEPTTL");
}
END_TEST

START_TEST(hashes_say_what_they_changed)
{
    begin();
    run("HSET h f 1 g 2", ":2\r\n");
    run("HSETNX h f 2", ":0\r\n");
    run("HINCRBY h f 5", ":6\r\n");
    expect_fed("HSET h f 1 g 2; HINCRBY h f 5");
    // Another machine might round otherwise.
    run("HINCRBYFLOAT h f 0.5", "$3\r\n6.5\r\n");
    expect_fed("HSET h f 6.5");
    run("HINCRBY h f 1", "-ERR hash value is not an integer\r\n");
    run("HDEL h x", ":0\r\n");
    run("HDEL missing x", ":0\r\n");
    run("HGET h f", "$3\r\n6.5\r\n");
    expect_fed("");
    run("HDEL h f x g", ":2\r\n");
    run("EXISTS h", ":0\r\n");
    expect_fed("HDEL h f x g");
}
END_TEST

#define NO_MEMORY "-OOM command not allowed: the server has no memory for a value of this size\r\n"

// The client may ask for any number of them.
START_TEST(more_random_fields_than_there_is_memory_for)
{
    begin();
    char words[400];
    char field[301] = { 0 };
    memset(field, 'f', sizeof(field) - 1);
    snprintf(words, sizeof(words), "HSET h %s 1", field);
    run(words, ":1\r\n");
    run("HRANDFIELD h -9223372036854775807", NO_MEMORY);
    run("HRANDFIELD h -4611686018427387903 WITHVALUES", NO_MEMORY);
    size_t used = mem_used();
    run("HRANDFIELD h -1000000", NO_MEMORY);
    // A pool may keep some chunks.
    ck_assert_uint_lt(mem_used(), used + (16 << 20));
    run("HLEN h", ":1\r\n");
}
END_TEST

START_TEST(the_database_is_selected)
{
    begin();
    run("SELECT 5", "+OK\r\n");
    expect_fed("");
    run("SET k v", "+OK\r\n");
    run("SET k v", "+OK\r\n");
    expect_fed("SELECT 5; SET k v; SET k v");
    run("MOVE k 6", ":1\r\n");
    expect_fed("MOVE k 6");
    run("SELECT 6", "+OK\r\n");
    run("COPY k l DB 7", ":1\r\n");
    expect_fed("SELECT 6; COPY k l DB 7");
    run("SWAPDB 6 7", "+OK\r\n");
    run("GET l", "$1\r\nv\r\n");
    run("FLUSHDB", "+OK\r\n");
    run("FLUSHALL ASYNC", "+OK\r\n");
    // Even with nothing to delete: elsewhere there may be something.
    run("FLUSHDB", "+OK\r\n");
    expect_fed("SWAPDB 6 7; FLUSHDB; FLUSHALL ASYNC; FLUSHDB");
}
END_TEST

static void set_short_lived(const char *key)
{
    char words[64];
    snprintf(words, sizeof(words), "SET %s v PX 1000", key);
    run(words, "+OK\r\n");
    bytes_clear(&fed);
}

START_TEST(expired_keys_are_deletions_ahead)
{
    static const char *const cases[][3] = {
        { "GET k", "$-1\r\n", "UNLINK k" },
        { "EXISTS k k", ":0\r\n", "UNLINK k" },
        { "SET k w", "+OK\r\n", "MULTI; UNLINK k; SET k w; EXEC" },
        { "SET k w NX", "+OK\r\n", "MULTI; UNLINK k; SET k w NX; EXEC" },
        { "SET k w XX", "$-1\r\n", "UNLINK k" },
        { "INCR k", ":1\r\n", "MULTI; UNLINK k; INCR k; EXEC" },
        { "APPEND k x", ":1\r\n", "MULTI; UNLINK k; APPEND k x; EXEC" },
        { "DEL k", ":0\r\n", "UNLINK k" },
        { "EXPIRE k 100", ":0\r\n", "UNLINK k" },
        { "PERSIST k", ":0\r\n", "UNLINK k" },
        { "MSET k 1 l 2", "+OK\r\n", "MULTI; UNLINK k; MSET k 1 l 2; EXEC" },
        { "GETDEL k", "$-1\r\n", "UNLINK k" },
        { "RENAME first k", "+OK\r\n", "MULTI; UNLINK k; RENAME first k; EXEC" },
        { "TTL k", ":-2\r\n", "UNLINK k" },
    };
    begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        set_short_lived("k");
        clock_shift_ms(2000);
        run(cases[i][0], cases[i][1]);
        struct bytes have = { 0 };
        read_fed(&have);
        ck_assert_msg(strcmp(have.data, cases[i][2]) == 0, "%s: %s", cases[i][0], have.data);
        bytes_release(&have);
        run("DEL k", ":");
        rig_turns(2);
        drain();
        bytes_clear(&fed);
    }
}
END_TEST

START_TEST(expired_keys_of_another_database)
{
    begin();
    run("SELECT 2", "+OK\r\n");
    set_short_lived("k");
    run("SELECT 0", "+OK\r\n");
    run("SET k v", "+OK\r\n");
    bytes_clear(&fed);
    clock_shift_ms(2000);
    // Finding the target to be due says so of its database, and the command of its own.
    run("MOVE k 2", ":1\r\n");
    expect_fed("SELECT 2; MULTI; UNLINK k; SELECT 0; MOVE k 2; EXEC");
}
END_TEST

START_TEST(several_expired_keys_at_once)
{
    begin();
    set_short_lived("a");
    set_short_lived("b");
    clock_shift_ms(2000);
    run("MGET a b first", "*3\r\n$-1\r\n$-1\r\n$1\r\n1\r\n");
    expect_fed("MULTI; UNLINK a; UNLINK b; EXEC");
    set_short_lived("a");
    set_short_lived("b");
    clock_shift_ms(2000);
    run("MSET b 1 c 2 a 3", "+OK\r\n");
    // Each ahead of the command.
    expect_fed("MULTI; UNLINK b; UNLINK a; MSET b 1 c 2 a 3; EXEC");
}
END_TEST

// The bytes of large arguments are kept by the values they became: also when a later one of the same
// command takes its place.
START_TEST(large_arguments_of_one_key)
{
    enum { BYTES = 50000 };
    static char value[BYTES];
    struct bytes request = { 0 };
    begin();
    bytes_append_text(&request, "*5\r\n$4\r\nMSET\r\n");
    for (int i = 0; i < 2; i++) {
        memset(value, 'a' + i, sizeof(value));
        bytes_printf(&request, "$1\r\nk\r\n$%d\r\n", BYTES);
        bytes_append(&request, value, sizeof(value));
        bytes_append_text(&request, "\r\n");
    }
    for (size_t sent = 0; sent < request.len; sent += 10000) {
        size_t left = request.len - sent;
        rig_send(fd, request.data + sent, left < 10000 ? left : 10000);
        rig_turns(2);
    }
    rig_expect(fd, "+OK\r\n");
    ck_assert_uint_eq(fed.len, request.len);
    ck_assert_msg(memcmp(fed.data, request.data, request.len) == 0, "other bytes than were sent");
    bytes_release(&request);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("effects of commands");
    TCase *content = tcase_create("content");
    tcase_add_checked_fixture(content, set_up, tear_down);
    tcase_set_timeout(content, 30);
    tcase_add_test(content, verbatim);
    tcase_add_test(content, lists);
    tcase_add_test(content, pops_from_several_lists);
    tcase_add_test(content, what_was_waited_for_follows_what_woke_it);
    tcase_add_test(content, sort_says_what_it_was_asked);
    tcase_add_test(content, the_bytes_are_the_clients);
    tcase_add_test(content, inline_commands_are_arrays);
    tcase_add_test(content, what_changes_nothing_has_no_effect);
    tcase_add_test(content, errors_have_no_effect);
    tcase_add_test(content, old_values_are_not_asked_for);
    tcase_add_test(content, what_machines_may_round_otherwise_is_said);
    tcase_add_test(content, hashes_say_what_they_changed);
    tcase_add_test(content, more_random_fields_than_there_is_memory_for);
    tcase_add_test(content, the_database_is_selected);
    tcase_add_test(content, large_arguments_of_one_key);
    suite_add_tcase(suite, content);

    TCase *times = tcase_create("times");
    tcase_add_checked_fixture(times, set_up, tear_down);
    tcase_set_timeout(times, 30);
    tcase_add_test(times, times_become_absolute);
    tcase_add_test(times, absolute_times_stay);
    tcase_add_test(times, times_in_the_past_delete);
    tcase_add_test(times, expired_keys_are_deletions_ahead);
    tcase_add_test(times, expired_keys_of_another_database);
    tcase_add_test(times, several_expired_keys_at_once);
    suite_add_tcase(suite, times);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
