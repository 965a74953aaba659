// SPDX-License-Identifier: BSD-3-Clause
// Tests of a replica inside a whole server, with a primary that is this test: connecting again, what is applied, and
// offsets and the stream to the byte.
#include "base/outq.h"
#include "base/random.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "repl/repl.h"
#include "repl/repl_internal.h"
#include "server/info.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define PATIENCE_US UINT64_C(30000000)
#define ID_A        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define GETACK      "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
#define SET_A_1     "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
#define INCR_N      "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"
#define MULTI       "*1\r\n$5\r\nMULTI\r\n"
#define EXEC        "*1\r\n$4\r\nEXEC\r\n"

static int listening;
static int port;
static int primary;  // our end of the connection; -1
static int talker;
static struct bytes streamed;  // of the stream, from the offset of the data set on
static uint64_t sent_from;

// What is to be done inside of the next turn.
static void (*action)(void);

static void end_turn(void *udata)
{
    loop_stop(udata);
}

static void on_tick(void *udata)
{
    (void)udata;
    void (*now)(void) = action;
    action = NULL;
    if (now)
        now();
}

// One turn, and what is to be done between turns.
static void turn(void)
{
    loop_run(server->loop);
}

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    repl_register(server);
    commands_register(server->registry);
    rig_start();
    loop_on_ready(server->loop, end_turn, server->loop);
    loop_every(server->loop, 1, on_tick, NULL);
    action = NULL;
    primary = -1;
    streamed = (struct bytes){ 0 };
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listening, 8), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
    talker = rig_connect();
}

static void hang_up(void)
{
    if (primary >= 0)
        close(primary);
    primary = -1;
}

static void tear_down(void)
{
    hang_up();
    close(listening);
    bytes_release(&streamed);
    rig_stop();
}

static void follow(void)
{
    ck_assert(repl_follow(server->repl, SLICE("127.0.0.1"), port));
}

// --- Being the primary --------------------------------------------------------------------------

static void await_connection(void)
{
    uint64_t end_us = clock_mono_us_now() + PATIENCE_US;
    while ((primary = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) < 0) {
        ck_assert_uint_lt(clock_mono_us_now(), end_us);
        turn();
    }
}

static void hear(const char *want)
{
    char got[1024] = "";
    size_t len = strlen(want);
    uint64_t end_us = clock_mono_us_now() + PATIENCE_US;
    ck_assert_uint_lt(len, sizeof(got));
    for (size_t at = 0; at < len;) {
        ck_assert_msg(clock_mono_us_now() < end_us, "heard '%s', not '%s'", got, want);
        ssize_t n = recv(primary, got + at, len - at, 0);
        ck_assert_msg(n != 0, "closed behind '%s', not '%s'", got, want);
        if (n > 0)
            at += (size_t)n;
        else
            turn();
    }
    ck_assert_str_eq(got, want);
}

static void say(const void *bytes, size_t len)
{
    for (const char *at = bytes; len > 0;) {
        ssize_t n = send(primary, at, len, MSG_NOSIGNAL);
        ck_assert(n > 0 || errno == EAGAIN);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
        turn();
    }
}

static void say_text(const char *text)
{
    say(text, strlen(text));
}

// A part of the stream.
static void feed(const char *bytes, size_t len)
{
    bytes_append(&streamed, bytes, len);
    say(bytes, len);
}

static void feed_text(const char *text)
{
    feed(text, strlen(text));
}

// Up to PSYNC, of which these are the arguments.
static void shake_hands(const char *id, uint64_t offset)
{
    char psync[128];
    char number[24];
    await_connection();
    hear("*1\r\n$4\r\nPING\r\n");
    say_text("+PONG\r\n");
    hear("*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$1\r\n0\r\n"
         "*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n");
    say_text("+OK\r\n+OK\r\n");
    int digits = snprintf(number, sizeof(number), "%lld", (long long)offset);
    snprintf(psync, sizeof(psync), "*3\r\n$5\r\nPSYNC\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", strlen(id),
             id, digits, number);
    hear(psync);
}

// The number behind it ends with CRLF.
static uint64_t hear_number(void)
{
    uint64_t number = 0;
    char digit[2] = "";
    for (;;) {
        ssize_t n = recv(primary, digit, 1, 0);
        ck_assert(n > 0 || (n < 0 && errno == EAGAIN));
        if (n < 0)
            turn();
        else if (digit[0] == '\r')
            break;
        else
            number = number * 10 + (uint64_t)(digit[0] - '0');
    }
    hear("\n");
    return number;
}

// There may be earlier ones, as time passes.
static void hear_ack(uint64_t offset)
{
    uint64_t acked;
    do {
        hear("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$");
        (void)hear_number();
        acked = hear_number();
        ck_assert_uint_le(acked, offset);
    } while (acked < offset);
}

// Follows us, from this offset of history A on.
static void be_primary_of(uint64_t offset)
{
    char line[96];
    char id[RUN_ID_LEN + 1];
    memcpy(id, server->replication_id, sizeof(id));
    follow();
    shake_hands(id, 1);
    int len = snprintf(line, sizeof(line), "+FULLRESYNC " ID_A " %llu\r\n",
                       (unsigned long long)offset);
    // The empty data set; a checksum of zero is none.
    static const char data_set[] = "$18\r\nREDIS0010\xff\0\0\0\0\0\0\0\0";
    memcpy(line + len, data_set, sizeof(data_set) - 1);
    say(line, (size_t)len + sizeof(data_set) - 1);
    hear_ack(offset);
    sent_from = offset;
}

// All that the primary has sent has been run, and is in the stream as it was sent.
static void expect_applied(void)
{
    struct repl *repl = server->repl;
    uint64_t end_us = clock_mono_us_now() + PATIENCE_US;
    while (repl_offset(repl) < sent_from + streamed.len && clock_mono_us_now() < end_us)
        turn();
    ck_assert_uint_eq(repl_offset(repl), sent_from + streamed.len);
    ck_assert(stream_has(&repl->stream, sent_from));
    struct outq_pool pool = { 0 };
    struct outq q;
    outq_init(&q, &pool);
    stream_queue(&repl->stream, sent_from, &q);
    for (size_t at = 0; q.bytes;) {
        struct iovec part;
        ck_assert_int_eq(outq_vectors(&q, &part, 1), 1);
        ck_assert_int_eq(memcmp(part.iov_base, streamed.data + at, part.iov_len), 0);
        at += part.iov_len;
        outq_consume(&q, part.iov_len);
    }
    outq_pool_release(&pool);
}

static void expect_info(const char *section, const char *line)
{
    struct bytes text = { 0 };
    const struct slice name = slice_of(section);
    info_write(server->info, &name, 1, &text);
    bytes_append_char(&text, '\0');
    ck_assert_msg(strstr(text.data, line) != NULL, "no '%s' in %s", line, text.data);
    bytes_release(&text);
}

// --- Tests --------------------------------------------------------------------------------------

START_TEST(a_data_set_and_the_stream_behind_it)
{
    be_primary_of(100);
    ck_assert_str_eq(server->replication_id, ID_A);
    expect_info("replication", "master_link_status:up\r\n");
    feed_text(SET_A_1);
    feed_text(GETACK);
    hear_ack(100 + strlen(SET_A_1));
    expect_applied();
    rig_ask(talker, "GET a\r\n", "$1\r\n1\r\n");
    rig_ask(talker, "SET a 2\r\n", "-READONLY You can't write against a read only replica.\r\n");
    rig_ask(talker, "ROLE\r\n", "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n");
    // Once a second, without being asked.
    hear_ack(100 + strlen(SET_A_1 GETACK));
}
END_TEST

START_TEST(a_link_that_breaks_goes_on_where_it_was)
{
    be_primary_of(0);
    feed_text("*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n" INCR_N);
    expect_applied();
    hang_up();
    shake_hands(ID_A, streamed.len + 1);
    expect_info("replication", "master_link_status:down\r\n");
    expect_info("replication", "master_link_down_since_seconds:0\r\n");
    say_text("+CONTINUE\r\n");
    hear_ack(streamed.len);
    feed_text(INCR_N);
    expect_applied();
    rig_ask(talker, "SELECT 3\r\nGET n\r\n", "+OK\r\n$1\r\n2\r\n");
}
END_TEST

START_TEST(a_transaction_is_resumed_at_its_beginning)
{
    be_primary_of(10);
    feed_text(SET_A_1);
    size_t before = streamed.len;
    feed_text(MULTI INCR_N);
    say_text("*2\r\n$4\r\nINC");
    for (int i = 0; i < 50; i++)
        turn();
    ck_assert_uint_eq(repl_offset(server->repl), 10 + before);
    hang_up();
    streamed.len = before;
    shake_hands(ID_A, 10 + before + 1);
    say_text("+CONTINUE\r\n");
    feed_text(MULTI INCR_N INCR_N EXEC);
    expect_applied();
    rig_ask(talker, "GET n\r\n", "$1\r\n2\r\n");
    expect_info("stats", "unexpected_error_replies:0\r\n");
}
END_TEST

START_TEST(a_history_that_gets_a_new_name)
{
    be_primary_of(0);
    feed_text(SET_A_1);
    expect_applied();
    hang_up();
    shake_hands(ID_A, streamed.len + 1);
    say_text("+CONTINUE " ID_B "\r\n");
    hear_ack(streamed.len);
    ck_assert_str_eq(server->replication_id, ID_B);
    ck_assert_str_eq(server->repl->second_id, ID_A);
    ck_assert_int_eq(server->repl->second_end, (int64_t)streamed.len + 1);
    feed_text(INCR_N);
    expect_applied();
}
END_TEST

static void append_set(struct bytes *out, const char *key, size_t value_len)
{
    bytes_printf(out, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(key), key, value_len);
    memset(bytes_reserve(out, value_len), 'v', value_len);
    out->len += value_len;
    bytes_append_text(out, "\r\n");
}

START_TEST(large_arguments_alone_and_in_a_transaction)
{
    struct bytes text = { 0 };
    append_set(&text, "big", 200000);
    bytes_append_text(&text, MULTI);
    append_set(&text, "bigger", 300000);
    bytes_append_text(&text, INCR_N EXEC);
    be_primary_of(0);
    feed(text.data, text.len);
    bytes_release(&text);
    expect_applied();
    rig_ask(talker, "STRLEN big\r\nSTRLEN bigger\r\nGET n\r\n",
            ":200000\r\n:300000\r\n$1\r\n1\r\n");
}
END_TEST

START_TEST(limits_are_for_clients)
{
    struct bytes text = { 0 };
    ck_assert_int_eq(rig_config_set("proto-max-bulk-len", "1mb"), STATUS_OK);
    ck_assert_int_eq(rig_config_set("client-query-buffer-limit", "1mb"), STATUS_OK);
    ck_assert_int_eq(rig_config_set("repl-backlog-size", "16mb"), STATUS_OK);
    append_set(&text, "big", 2u << 20);
    bytes_append_text(&text, MULTI);
    for (int i = 0; i < 100; i++)
        append_set(&text, "part", 20000);
    bytes_append_text(&text, EXEC);
    be_primary_of(0);
    feed(text.data, text.len);
    bytes_release(&text);
    expect_applied();
    rig_ask(talker, "STRLEN big\r\nSTRLEN part\r\n", ":2097152\r\n:20000\r\n");
}
END_TEST

START_TEST(blanks_and_lines_count_where_they_stand)
{
    be_primary_of(0);
    feed_text(SET_A_1 "\r\n" INCR_N "\n*0\r\n" INCR_N "PING\r\n\r\n" MULTI "\r\n" INCR_N EXEC "\n");
    expect_applied();
    rig_ask(talker, "GET n\r\n", "$1\r\n3\r\n");
}
END_TEST

START_TEST(pieces_and_breaks_at_random)
{
    static const char transaction[] = MULTI INCR_N SET_A_1 EXEC;
    static const char *const commands[] = {
        SET_A_1,
        INCR_N,
        transaction,
        "\n",
        "*1\r\n$4\r\nPING\r\n",
        GETACK,
        "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n",
        "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n",
    };
    struct random seeded;
    random_seed(&seeded, 4711);
    be_primary_of(0);
    for (int i = 0; i < 3000; i++) {
        const char *command = commands[random_below(&seeded, 8)];
        bytes_append(&streamed, command, strlen(command));
    }
    for (int breaks = 0; repl_offset(server->repl) < streamed.len; breaks++) {
        ck_assert_int_lt(breaks, 1000);
        size_t at = repl_offset(server->repl);
        for (int i = 0; i < 60 && at < streamed.len; i++) {
            size_t len = (size_t)random_below(&seeded, 400) + 1;
            len = len < streamed.len - at ? len : streamed.len - at;
            say(streamed.data + at, len);
            at += len;
        }
        if (at == streamed.len)
            break;
        hang_up();
        for (int i = 0; i < 20; i++)
            turn();
        shake_hands(ID_A, repl_offset(server->repl) + 1);
        say_text("+CONTINUE\r\n");
    }
    expect_applied();
    expect_info("stats", "unexpected_error_replies:0\r\n");
}
END_TEST

START_TEST(nonsense_ends_in_a_new_data_set)
{
    static const char *const nonsense[] = { "*3\r\n$-7\r\n", "*3\r\n!\r\n", "*99999999999\r\n",
                                            "*1\r\n$99999999999\r\n" };
    be_primary_of(0);
    feed_text(SET_A_1);
    expect_applied();
    say_text(nonsense[_i]);
    for (int i = 0; i < 20; i++)
        turn();
    hang_up();
    shake_hands("?", (uint64_t)-1);
    ck_assert_uint_eq(repl_offset(server->repl), streamed.len);
    rig_ask(talker, "GET a\r\n", "$1\r\n1\r\n");
}
END_TEST

START_TEST(errors_are_counted)
{
    be_primary_of(0);
    feed_text("*2\r\n$5\r\nLPUSH\r\n$1\r\na\r\n" SET_A_1 "*2\r\n$4\r\nLPOP\r\n$1\r\na\r\n"
              "*3\r\n$5\r\nBLPOP\r\n$4\r\nnone\r\n$1\r\n0\r\n" INCR_N);
    expect_applied();
    expect_info("stats", "unexpected_error_replies:2\r\n");
}
END_TEST

START_TEST(a_primary_that_ends_our_following)
{
    char port_text[8];
    be_primary_of(0);
    snprintf(port_text, sizeof(port_text), "%d", port);
    say_text("*3\r\n$9\r\nREPLICAOF\r\n$2\r\nNO\r\n$3\r\nONE\r\n" INCR_N);
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert(!repl_is_replica(server->repl));
    ck_assert_str_eq(server->repl->second_id, ID_A);
    rig_ask(talker, "EXISTS n\r\nSET n 5\r\n", ":0\r\n+OK\r\n");
}
END_TEST

static void lead_now(void)
{
    repl_lead(server->repl);
}

START_TEST(following_ends_in_every_phase)
{
    char id[RUN_ID_LEN + 1];
    memcpy(id, server->replication_id, sizeof(id));
    follow();
    if (_i >= 1)
        await_connection();
    if (_i >= 2) {
        hear("*1\r\n$4\r\nPING\r\n");
        hang_up();
        repl_lead(server->repl);
        follow();
        memcpy(id, server->replication_id, sizeof(id));
        shake_hands(id, 1);
    }
    if (_i >= 3) {
        // Only half of it comes: it is waited for between turns, until a talker has enough.
        action = lead_now;
        say_text("+FULLRESYNC " ID_A " 5\r\n$18\r\nREDIS");
    } else {
        repl_lead(server->repl);
    }
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert(!repl_is_replica(server->repl));
    rig_ask(talker, "SET a 1\r\nGET a\r\n", "+OK\r\n$1\r\n1\r\n");
}
END_TEST

START_TEST(nobody_answers_without_data_that_are_fresh)
{
    ck_assert_int_eq(rig_config_set("replica-serve-stale-data", "no"), STATUS_OK);
    be_primary_of(0);
    rig_ask(talker, "GET a\r\n", "$-1\r\n");
    hang_up();
    await_connection();
    rig_ask(talker, "GET a\r\nSELECT 1\r\n",
            "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"
            "+OK\r\n");
}
END_TEST

START_TEST(an_expired_key_is_hidden_until_a_write_meets_it)
{
    rig_ask(talker, "SET a 1 PX 100\r\nSET b 1 PX 100\r\n", "+OK\r\n+OK\r\n");
    follow();
    clock_shift_ms(1000);
    rig_ask(talker, "GET a\r\nEXISTS a\r\nDBSIZE\r\nKEYS *\r\n", "$-1\r\n:0\r\n:2\r\n*0\r\n");
    ck_assert_int_eq(rig_config_set("replica-read-only", "no"), STATUS_OK);
    rig_ask(talker, "GET a\r\nDBSIZE\r\nINCR a\r\nTTL a\r\nDBSIZE\r\nDEL a\r\nDBSIZE\r\n",
            "$-1\r\n:2\r\n:1\r\n:-1\r\n:2\r\n:1\r\n:1\r\n");
    clock_shift_ms(-1000);
}
END_TEST

static void await_keys(int count)
{
    char want[32];
    snprintf(want, sizeof(want), ":%d\r\n", count);
    uint64_t end_us = clock_mono_us_now() + PATIENCE_US;
    uint64_t keys;
    while ((keys = db_size(&server->keyspace->dbs[0])) != (uint64_t)count) {
        ck_assert_msg(clock_mono_us_now() < end_us, "%llu keys", (unsigned long long)keys);
        turn();
    }
    rig_ask(talker, "DBSIZE\r\n", want);
}

// What clients have written here goes by itself; what the primary has written, or written over, does not.
START_TEST(local_keys_of_a_writable_replica_go_when_they_are_due)
{
    be_primary_of(0);
    ck_assert_int_eq(rig_config_set("replica-read-only", "no"), STATUS_OK);
    rig_ask(talker,
            "SET mine 1 PX 500\r\nSET later 1 PX 500000\r\nSET both 1\r\nPEXPIRE both 500\r\n",
            "+OK\r\n+OK\r\n+OK\r\n:1\r\n");
    feed_text("*5\r\n$3\r\nSET\r\n$6\r\ntheirs\r\n$1\r\n1\r\n$2\r\nPX\r\n$3\r\n500\r\n"
              "*5\r\n$3\r\nSET\r\n$4\r\nboth\r\n$1\r\n2\r\n$2\r\nPX\r\n$3\r\n500\r\n");
    await_keys(4);
    expect_applied();
    clock_shift_ms(1000);
    rig_ask(talker, "EXISTS mine later both theirs\r\n", ":1\r\n");
    await_keys(3);
    // A primary's sweep takes the rest.
    repl_lead(server->repl);
    await_keys(1);
    clock_shift_ms(-1000);
}
END_TEST

START_TEST(who_waits_is_told_of_the_new_role)
{
    int waiting = rig_connect();
    rig_say(waiting, "BLPOP q 0\r\n");
    rig_turns(3);
    follow();
    rig_expect(waiting, "-UNBLOCKED force unblock from blocking operation, instance state changed "
                        "(master -> replica?)\r\n");
    rig_expect_closed(waiting);
    char request[64];
    snprintf(request, sizeof(request), "REPLICAOF 127.0.0.1 %d\r\n", port);
    rig_ask(talker, request, "+OK Already connected to specified master\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("replica");
    TCase *tcase = tcase_create("replica");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_data_set_and_the_stream_behind_it);
    tcase_add_test(tcase, a_link_that_breaks_goes_on_where_it_was);
    tcase_add_test(tcase, a_transaction_is_resumed_at_its_beginning);
    tcase_add_test(tcase, a_history_that_gets_a_new_name);
    tcase_add_test(tcase, large_arguments_alone_and_in_a_transaction);
    tcase_add_test(tcase, limits_are_for_clients);
    tcase_add_test(tcase, blanks_and_lines_count_where_they_stand);
    tcase_add_test(tcase, pieces_and_breaks_at_random);
    tcase_add_loop_test(tcase, nonsense_ends_in_a_new_data_set, 0, 4);
    tcase_add_test(tcase, errors_are_counted);
    tcase_add_test(tcase, a_primary_that_ends_our_following);
    tcase_add_loop_test(tcase, following_ends_in_every_phase, 0, 4);
    tcase_add_test(tcase, nobody_answers_without_data_that_are_fresh);
    tcase_add_test(tcase, an_expired_key_is_hidden_until_a_write_meets_it);
    tcase_add_test(tcase, local_keys_of_a_writable_replica_go_when_they_are_due);
    tcase_add_test(tcase, who_waits_is_told_of_the_new_role);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
