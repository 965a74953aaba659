// SPDX-License-Identifier: BSD-3-Clause
// Tests of a primary that hands its role over, or ends, while a replica lags behind. The replica is made up: what it
// acknowledges and how it answers is said by hand.
#include "repl/failover.h"

#include "base/clock.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "repl/replicas_internal.h"
#include "server/effects.h"
#include "server/info.h"
#include "server/process.h"
#include "store/expire.h"
#include "support/unit.h"
#include "unit/server/rig.h"

static int fd;
static int writer;
static struct replica replica;

static void add_replica(void)
{
    (void)rig_connect();
    replica = (struct replica){
        .replicas = server->repl->replicas,
        .client = rig_last_client(),
        .state = REPLICA_ONLINE,
        .announced_ip = "127.0.0.1",
        .port = 1,
        .queued = server->repl->stream.end,
        .acked = server->repl->stream.end,
        .acked_ms = (int64_t)(clock_mono_us() / 1000),
    };
    list_append(replicas_all(server->repl->replicas), &replica.link);
}

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    repl_register(server);
    commands_register(server->registry);
    rig_start();
    process_ready(server->process);
    fd = rig_connect();
    writer = rig_connect();
    repl_listen(server->repl, true);
    add_replica();
    rig_ask(fd, "SET a 1\r\n", "+OK\r\n");
    ck_assert_uint_lt(replica.acked, server->repl->stream.end);
}

static void tear_down(void)
{
    list_remove(&replica.link);
    rig_stop();
}

static void expect_state(const char *state)
{
    ck_assert_str_eq(failover_state_name(server->repl->failover), state);
    struct bytes text = { 0 };
    info_write(server->info, &SLICE("replication"), 1, &text);
    bytes_append_char(&text, '\0');
    char line[64];
    snprintf(line, sizeof(line), "\r\nmaster_failover_state:%s\r\n", state);
    ck_assert_ptr_nonnull(strstr(text.data, line));
    bytes_release(&text);
}

static void acknowledge(void)
{
    replica.acked = server->repl->stream.end;
}

// Everything has been acknowledged: the target is asked to take over.
static void await_asking(void)
{
    acknowledge();
    // Not a turn more: nobody listens at the target's address.
    for (int turns = 0; turns < 5 && !repl_is_replica(server->repl); turns++)
        rig_turn();
    expect_state("failover-in-progress");
    ck_assert(repl_is_replica(server->repl));
    ck_assert_str_eq(server->repl->primary_host, "127.0.0.1");
    ck_assert_int_eq(server->repl->primary_port, 1);
}

static void hold_a_write(void)
{
    rig_say(writer, "SET b 1\r\n");
    rig_turns(3);
    rig_expect_silence(writer);
}

START_TEST(the_target_takes_over)
{
    char id[RUN_ID_LEN + 1];
    memcpy(id, server->replication_id, sizeof(id));
    rig_ask(fd, "FAILOVER\r\n", "+OK\r\n");
    expect_state("waiting-for-sync");
    hold_a_write();
    rig_ask(fd, "GET a\r\n", "$1\r\n1\r\n");
    rig_ask(fd, "FAILOVER\r\n", "-ERR FAILOVER already in progress.\r\n");
    rig_ask(fd, "REPLICAOF NO ONE\r\n", "-ERR REPLICAOF not allowed while failing over.\r\n");
    // CLIENT PAUSE is another matter.
    rig_ask(fd, "CLIENT UNPAUSE\r\n", "+OK\r\n");
    rig_expect_silence(writer);

    await_asking();
    ck_assert_str_eq(server->replication_id, id);
    failover_answered(server->repl->failover, true);
    expect_state("no-failover");
    rig_expect(writer, "-READONLY You can't write against a read only replica.\r\n");
    rig_ask(fd, "REPLICAOF NO ONE\r\n", "+OK\r\n");
    rig_ask(writer, "SET b 1\r\n", "+OK\r\n");
}
END_TEST

START_TEST(the_target_refuses)
{
    uint64_t end = server->repl->stream.end;
    char id[RUN_ID_LEN + 1];
    memcpy(id, server->replication_id, sizeof(id));
    rig_ask(fd, "FAILOVER TO 127.0.0.1 1\r\n", "+OK\r\n");
    hold_a_write();
    await_asking();
    failover_answered(server->repl->failover, false);
    rig_turn();
    expect_state("no-failover");
    ck_assert(!repl_is_replica(server->repl));
    // A primary whose history continues the old one, up to which replicas may go on.
    ck_assert_str_eq(server->repl->second_id, id);
    ck_assert_int_eq(server->repl->second_end, (int64_t)end + 1);
    rig_expect(writer, "+OK\r\n");
    rig_ask(fd, "GET b\r\n", "$1\r\n1\r\n");
    ck_assert_uint_gt(server->repl->stream.end, end);
}
END_TEST

START_TEST(aborted)
{
    rig_ask(fd, "FAILOVER\r\n", "+OK\r\n");
    hold_a_write();
    rig_ask(fd, "FAILOVER ABORT\r\n", "+OK\r\n");
    rig_expect(writer, "+OK\r\n");
    expect_state("no-failover");
    rig_ask(fd, "FAILOVER ABORT\r\n", "-ERR No failover in progress.\r\n");

    rig_ask(fd, "FAILOVER\r\n", "+OK\r\n");
    await_asking();
    rig_say(writer, "SET b 2\r\n");
    rig_ask(fd, "FAILOVER ABORT\r\n", "+OK\r\n");
    ck_assert(!repl_is_replica(server->repl));
    rig_expect(writer, "+OK\r\n");
    // Too late.
    failover_answered(server->repl->failover, true);
    expect_state("no-failover");
    ck_assert(!repl_is_replica(server->repl));
}
END_TEST

// Waits for a time that is over soon.
static void await_state(const char *state)
{
    for (int turns = 0; strcmp(failover_state_name(server->repl->failover), state) != 0; turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        usleep(1000);
        rig_turn();
    }
}

START_TEST(the_replica_never_catches_up)
{
    rig_ask(fd, "FAILOVER TIMEOUT 20\r\n", "+OK\r\n");
    rig_say(writer, "SET b 1\r\n");
    await_state("no-failover");
    rig_expect(writer, "+OK\r\n");
    ck_assert(!repl_is_replica(server->repl));

    rig_ask(fd, "FAILOVER TO 127.0.0.1 1 FORCE TIMEOUT 20\r\n", "+OK\r\n");
    expect_state("waiting-for-sync");
    await_state("failover-in-progress");
    ck_assert(repl_is_replica(server->repl));
    failover_answered(server->repl->failover, true);
}
END_TEST

START_TEST(who_is_no_target)
{
    static const char no_replica[] = "-ERR FAILOVER target HOST and PORT is not a replica.\r\n";
    static const char force[] =
        "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.\r\n";
    rig_ask(fd, "FAILOVER TO localhost 1\r\n", no_replica);
    rig_ask(fd, "FAILOVER TO 127.0.0.1 2\r\n", no_replica);
    rig_ask(fd, "FAILOVER TO '' 1\r\n", no_replica);
    rig_ask(fd, "FAILOVER TO 127.0.0.1 1 FORCE\r\n", force);
    rig_ask(fd, "FAILOVER TIMEOUT 10 FORCE\r\n", force);
    replica.state = REPLICA_LOADING;
    rig_ask(fd, "FAILOVER TO 127.0.0.1 1\r\n", "-ERR FAILOVER target replica is not online.\r\n");
    // Of several only one that is online and can be connected to is waited for.
    rig_ask(fd, "FAILOVER\r\n", "+OK\r\n");
    acknowledge();
    rig_turns(3);
    expect_state("waiting-for-sync");
    replica.state = REPLICA_ONLINE;
    replica.port = 0;
    rig_turns(3);
    expect_state("waiting-for-sync");
    replica.port = 1;
    await_asking();
}
END_TEST

// Its deletion would go into the stream, which no acknowledgement would ever be the end of.
START_TEST(no_key_goes_meanwhile)
{
    rig_ask(fd, "SET short 1 PX 30\r\n", "+OK\r\n");
    rig_ask(fd, "FAILOVER\r\n", "+OK\r\n");
    uint64_t end = server->repl->stream.end;
    for (int turns = 0; turns < RIG_PATIENCE; turns++) {
        rig_ask(fd, "EXISTS short\r\n", ":");
        char reply[3];
        rig_receive(fd, reply, sizeof(reply));
        if (reply[0] == '0')
            break;
        usleep(1000);
    }
    rig_turns(5);
    ck_assert_uint_eq(server->repl->stream.end, end);
    ck_assert(expire_due(server->keyspace) > clock_wall_ms());
    rig_ask(fd, "FAILOVER ABORT\r\n", "+OK\r\n");
    rig_ask(fd, "GET short\r\n", "$-1\r\n");
    ck_assert_uint_gt(server->repl->stream.end, end);
}
END_TEST

// --- The end ------------------------------------------------------------------------------------

static bool info_says_stopping(void)
{
    struct bytes text = { 0 };
    info_write(server->info, &SLICE("server"), 1, &text);
    bytes_append_char(&text, '\0');
    bool says = strstr(text.data, "\r\nshutdown_in_milliseconds:") != NULL;
    bytes_release(&text);
    return says;
}

START_TEST(the_end_waits_for_replicas)
{
    int second = rig_connect();
    rig_say(fd, "SHUTDOWN NOSAVE\r\n");
    rig_say(second, "SHUTDOWN\r\n");
    rig_turns(3);
    hold_a_write();
    rig_expect_silence(fd);
    ck_assert(info_says_stopping());
    int third = rig_connect();
    rig_ask(third, "GET a\r\n", "$1\r\n1\r\n");
    ck_assert(!process_stopping(server->process));
    acknowledge();
    rig_turns(2);
    ck_assert(process_stopping(server->process));
    rig_expect_closed(fd);
    rig_expect_closed(second);
}
END_TEST

START_TEST(the_end_waits_for_a_failover)
{
    rig_ask(fd, "FAILOVER\r\n", "+OK\r\n");
    ck_assert_int_eq(process_stop(server->process, STOP_NOSAVE), STOP_WAITS);
    await_asking();
    ck_assert(!process_stopping(server->process));
    failover_answered(server->repl->failover, true);
    rig_turns(2);
    ck_assert(process_stopping(server->process));
}
END_TEST

START_TEST(the_end_is_called_off)
{
    static const char refusal[] = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";
    int second = rig_connect();
    rig_say(second, "SHUTDOWN\r\n");
    rig_turns(3);
    hold_a_write();
    rig_ask(fd, "SHUTDOWN ABORT\r\n", "+OK\r\n");
    rig_expect(second, refusal);
    rig_expect(writer, "+OK\r\n");
    ck_assert(!info_says_stopping());
    rig_ask(fd, "SHUTDOWN ABORT\r\n", "-ERR No shutdown in progress.\r\n");
    // And once more, by the same client.
    rig_say(second, "SHUTDOWN\r\n");
    rig_turns(3);
    rig_ask(fd, "CLIENT LIST TYPE master\r\nSHUTDOWN ABORT\r\n", "$0\r\n\r\n+OK\r\n");
    rig_expect(second, refusal);
    // Who waits may be woken, or go.
    rig_say(second, "SHUTDOWN\r\n");
    rig_turns(3);
    rig_disconnect(second);
    rig_turns(3);
    rig_ask(fd, "SHUTDOWN ABORT\r\n", "+OK\r\n");
    ck_assert(!process_stopping(server->process));
}
END_TEST

START_TEST(the_end_waits_no_longer)
{
    rig_say(writer, "SHUTDOWN NOSAVE\r\n");
    rig_turns(3);
    ck_assert(!process_stopping(server->process));
    rig_say(fd, "SHUTDOWN NOSAVE NOW\r\n");
    rig_expect_closed(fd);
    rig_expect_closed(writer);
    ck_assert(process_stopping(server->process));
}
END_TEST

START_TEST(the_time_is_over)
{
    ck_assert_int_eq(rig_config_set("shutdown-timeout", "1"), STATUS_OK);
    rig_say(fd, "SHUTDOWN NOSAVE\r\n");
    rig_turns(3);
    ck_assert(!process_stopping(server->process));
    for (int turns = 0; !process_stopping(server->process); turns++) {
        ck_assert_int_lt(turns, RIG_PATIENCE);
        usleep(1000);
        rig_turn();
    }
    rig_expect_closed(fd);
}
END_TEST

START_TEST(who_is_not_waited_for)
{
    if (_i == 0)
        ck_assert_int_eq(rig_config_set("shutdown-timeout", "0"), STATUS_OK);
    replica.old_protocol = _i == 1;
    replica.rdb_only = _i == 2;
    if (_i == 3)
        acknowledge();
    rig_say(fd, "SHUTDOWN NOSAVE\r\n");
    rig_expect_closed(fd);
    ck_assert(process_stopping(server->process));
}
END_TEST

// A server that is freed while a client waits for its end.
START_TEST(freed_while_it_waits)
{
    rig_say(fd, "SHUTDOWN NOSAVE\r\n");
    rig_turns(3);
    ck_assert(process_stop_waits(server->process));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("failover");
    TCase *tcase = tcase_create("failover");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_target_takes_over);
    tcase_add_test(tcase, the_target_refuses);
    tcase_add_test(tcase, aborted);
    tcase_add_test(tcase, the_replica_never_catches_up);
    tcase_add_test(tcase, who_is_no_target);
    tcase_add_test(tcase, no_key_goes_meanwhile);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("the end");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_end_waits_for_replicas);
    tcase_add_test(tcase, the_end_waits_for_a_failover);
    tcase_add_test(tcase, the_end_is_called_off);
    tcase_add_test(tcase, the_end_waits_no_longer);
    tcase_add_test(tcase, the_time_is_over);
    tcase_add_loop_test(tcase, who_is_not_waited_for, 0, 4);
    tcase_add_test(tcase, freed_while_it_waits);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
