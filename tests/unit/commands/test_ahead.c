// SPDX-License-Identifier: BSD-3-Clause
// Tests of commands in batches that go into large collections, whose elements are fetched beforehand: what
// the batch itself changes, what is not there, and arguments that name no element.
#include "commands/families.h"
#include "persist/snapshot.h"
#include "support/unit.h"
#include "unit/server/rig.h"

// Enough for fetching to be worth it.
#define LARGE 20000

static int fd;

// Sends one command, in words between blanks, as it is sent by the batch.
static void add(struct bytes *request, const char *command)
{
    bytes_printf(request, "%s\r\n", command);
}

static void fill(const char *format)
{
    struct bytes request = { 0 };
    char line[64];
    for (int i = 0; i < LARGE; i++) {
        // The format is the test's own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(line, sizeof(line), format, i, i);
#pragma GCC diagnostic pop
        add(&request, line);
        if (request.len < 4096 && i + 1 < LARGE)
            continue;
        rig_send(fd, request.data, request.len);
        bytes_clear(&request);
    }
    bytes_release(&request);
    char reply[4];
    for (int i = 0; i < LARGE; i++) {
        rig_receive(fd, reply, sizeof(reply));
        EXPECT(memcmp(reply, ":1\r\n", sizeof(reply)) == 0);
    }
}

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
    fd = rig_connect();
    fill("ZADD zset %d member:%d");
    fill("HSET hash field:%d %d");
    fill("SADD set member:%d");
}

START_TEST(elements_are_found)
{
    rig_ask(fd,
            "ZSCORE zset member:5\r\nZADD zset 7.5 member:5\r\nZSCORE zset member:5\r\n"
            "ZRANK zset member:5\r\nZREM zset member:5 nobody\r\nZSCORE zset member:5\r\n"
            "ZINCRBY zset 3 member:6\r\nZADD zset XX CH 1 nobody 2 member:7\r\n"
            "HGET hash field:9\r\nHSET hash field:9 x\r\nHGET hash field:9\r\nHGET hash none\r\n"
            "HDEL hash field:9\r\nHEXISTS hash field:9\r\nHINCRBY hash field:3 4\r\n"
            "SISMEMBER set member:4\r\nSREM set member:4\r\nSISMEMBER set member:4\r\n"
            "SADD set member:4 member:5\r\n",
            "$1\r\n5\r\n:0\r\n$3\r\n7.5\r\n:7\r\n:1\r\n$-1\r\n$1\r\n9\r\n:1\r\n"
            "$1\r\n9\r\n:0\r\n$1\r\nx\r\n$-1\r\n:1\r\n:0\r\n:7\r\n"
            ":1\r\n:1\r\n:0\r\n:1\r\n");
}
END_TEST

START_TEST(the_batch_changes_what_it_looked_into)
{
    rig_ask(fd,
            "ZRANK zset member:1\r\nDEL zset\r\nZADD zset 1 member:1\r\nZRANK zset member:1\r\n"
            "DEL hash\r\nHGET hash field:1\r\nSADD hash field:1\r\nSISMEMBER hash field:1\r\n"
            "HGET hash field:1\r\nFLUSHALL\r\nSISMEMBER set member:1\r\nSADD set member:1\r\n",
            ":1\r\n:1\r\n:1\r\n:0\r\n:1\r\n$-1\r\n:1\r\n:1\r\n"
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
            "+OK\r\n:0\r\n:1\r\n");
}
END_TEST

START_TEST(expired_values_and_other_databases)
{
    rig_ask(fd,
            "PEXPIREAT set 1\r\nSISMEMBER set member:1\r\nSELECT 1\r\nZRANK zset member:1\r\n"
            "SADD set member:1\r\nSELECT 0\r\nZRANK zset member:1\r\nSADD set member:1\r\n",
            ":1\r\n:0\r\n+OK\r\n$-1\r\n:1\r\n+OK\r\n:1\r\n:1\r\n");
}
END_TEST

START_TEST(arguments_that_name_no_element)
{
    rig_ask(fd,
            "ZRANK zset\r\nZADD zset\r\nZADD\r\nHGET hash\r\nSADD set\r\nHGET set member:1\r\n"
            "ZADD zset 1\r\nZRANK zset member:2\r\n",
            "-ERR wrong number of arguments for 'zrank' command\r\n"
            "-ERR wrong number of arguments for 'zadd' command\r\n"
            "-ERR wrong number of arguments for 'zadd' command\r\n"
            "-ERR wrong number of arguments for 'hget' command\r\n"
            "-ERR wrong number of arguments for 'sadd' command\r\n"
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
            "-ERR wrong number of arguments for 'zadd' command\r\n:2\r\n");
}
END_TEST

static void check_row(const struct command_entry *command)
{
    int at = command->row->element;
    if (at == 0)
        return;
    int least = command->arity < 0 ? -command->arity : command->arity;
    ck_assert_msg(command->key_first == 1 && command->key_last == 1, "%s", command->full_name);
    ck_assert_msg(at < least && -at < least - 1, "%s", command->full_name);
}

START_TEST(rows_name_an_argument_that_is_there)
{
    for (size_t i = 0; i < registry_count(server->registry); i++)
        check_row(registry_at(server->registry, i));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ahead");
    TCase *tcase = tcase_create("ahead");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, elements_are_found);
    tcase_add_test(tcase, the_batch_changes_what_it_looked_into);
    tcase_add_test(tcase, expired_values_and_other_databases);
    tcase_add_test(tcase, arguments_that_name_no_element);
    tcase_add_test(tcase, rows_name_an_argument_that_is_there);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
