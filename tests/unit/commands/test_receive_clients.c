// SPDX-License-Identifier: BSD-3-Clause
// Tests of what clients notice of a data set that is received from a primary: old data until the exchange, then all
// of the new data at once; and of the append-only file.
#include "repl/receive.h"

#include "commands/families.h"
#include "persist/aof.h"
#include "persist/aof_worker.h"
#include "server/process.h"
#include "unit/repl/receive_fixture.h"

#include <dirent.h>

static struct keyspace theirs;
static struct bytes data_set;
static bool with_aof;

static void set_up(void)
{
    rig_make(NULL);
    if (with_aof)
        aof_new(server, &aof_system_calls);
    receive_register();
    commands_register(server->registry);
    char *args[] = { "--enable-debug-command", "yes" };
    struct config_error error;
    ck_assert_int_eq(config_load_args(server->config, 2, args, &error), STATUS_OK);
    rig_start();
    open_theirs(&theirs);
    add_string(&theirs, 0, "new", "theirs", EXPIRY_NONE);
    add_string(&theirs, 0, "both", "theirs", EXPIRY_NONE);
    add_string(&theirs, 2, "new2", "theirs", EXPIRY_NONE);
    write_data_set(&data_set, &theirs, 0);
}

static void have_data(void)
{
    add_string(server->keyspace, 0, "old", "ours", EXPIRY_NONE);
    add_string(server->keyspace, 0, "both", "ours", EXPIRY_NONE);
    add_string(server->keyspace, 1, "old1", "ours", EXPIRY_NONE);
}

static void tear_down(void)
{
    keyspace_release(&theirs);
    bytes_release(&data_set);
    receive_release();
    rig_stop();
}

// ---- a conversation in the middle of the data set -----------------------------------------------

struct line {
    const char *ask;
    const char *want;
};

static const struct line *lines;
static int talker;
static char heard[RIG_TEXT_MAX];
static size_t heard_len;
static bool asked;

// The loop is being turned: nothing here may turn it. True: all has been said, and answered as it should be.
static bool talk(void)
{
    if (!lines->ask)
        return true;
    if (!asked) {
        ssize_t len = (ssize_t)strlen(lines->ask);
        ck_assert_int_eq(send(talker, lines->ask, (size_t)len, MSG_NOSIGNAL), len);
        asked = true;
        heard_len = 0;
    }
    ssize_t got = recv(talker, heard + heard_len, sizeof(heard) - 1 - heard_len, 0);
    heard_len += got > 0 ? (size_t)got : 0;
    heard[heard_len] = '\0';
    // A pattern that ends with a star needs the beginning only.
    size_t want_len = strlen(lines->want);
    bool is_beginning = want_len > 0 && lines->want[want_len - 1] == '*';
    want_len -= is_beginning;
    if (heard_len < want_len)
        return false;
    ck_assert_msg(memcmp(heard, lines->want, want_len) == 0 &&
                      (is_beginning || heard_len == want_len),
                  "%s: %s", lines->ask, heard);
    lines++;
    asked = false;
    return !lines->ask;
}

static enum receive_result receive_talking(const struct line *with_lines)
{
    talker = rig_connect();
    lines = with_lines;
    asked = false;
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    primary.hold_at = primary.script.len - 60;
    primary.held = talk;
    enum receive_result result = run_receive(false);
    hang_up();
    ck_assert_ptr_null(lines->ask);
    return result;
}

#define LOADING "-LOADING Redis is loading the dataset in memory\r\n"

START_TEST(old_data_answers_until_all_is_there)
{
    static const struct line with[] = {
        { "GET old\r\n", "$4\r\nours\r\n" },
        { "GET both\r\n", "$4\r\nours\r\n" },
        { "GET new\r\n", "$-1\r\n" },
        { "DBSIZE\r\n", ":2\r\n" },
        { "PING\r\n", "+PONG\r\n" },
        { "KEYS *w*\r\n", "*0\r\n" },
        { "INFO persistence\r\n", "$*" },
        { "BGSAVE\r\n", LOADING },
        { "SAVE\r\n", LOADING },
        { "BGREWRITEAOF\r\n", LOADING },
        { "DEBUG RELOAD\r\n", LOADING },
        { "CONFIG SET maxmemory 0\r\n", "+OK\r\n" },
        { 0 },
    };
    have_data();
    ck_assert_int_eq(receive_talking(with), RECEIVE_DONE);
    rig_ask(talker, "GET old\r\n", "$-1\r\n");
    rig_ask(talker, "GET both\r\n", "$6\r\ntheirs\r\n");
    rig_ask(talker, "GET new\r\n", "$6\r\ntheirs\r\n");
    rig_ask(talker, "SELECT 2\r\n", "+OK\r\n");
    rig_ask(talker, "GET new2\r\n", "$6\r\ntheirs\r\n");
    rig_ask(talker, "SELECT 1\r\n", "+OK\r\n");
    rig_ask(talker, "DBSIZE\r\n", ":0\r\n");
}
END_TEST

static bool says(const char *field)
{
    return strstr(heard, field) != NULL;
}

// INFO has come whole before the next turn.
static bool talk_of_info(void)
{
    bool done = talk();
    if (!done)
        return false;
    ck_assert_msg(says("loading:0\r\nasync_loading:1\r\n"), "%s", heard);
    ck_assert_msg(says("loading_total_bytes:0\r\n") && says("loading_start_time:"), "%s", heard);
    ck_assert_msg(says("loading_loaded_perc:") && says("loading_eta_seconds:"), "%s", heard);
    return true;
}

START_TEST(info_tells_of_it)
{
    static const struct line with[] = { { "INFO persistence\r\n", "$*" }, { 0 } };
    have_data();
    talker = rig_connect();
    lines = with;
    asked = false;
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    primary.hold_at = primary.script.len - 60;
    primary.held = talk_of_info;
    ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
    hang_up();
    rig_say(talker, "INFO persistence\r\n");
    rig_turns(3);
    ck_assert_int_gt(recv(talker, heard, sizeof(heard) - 1, 0), 0);
    ck_assert(says("loading:0\r\nasync_loading:0\r\n") && !says("loading_start_time"));
    ck_assert(says("rdb_last_load_keys_loaded:3\r\n"));
}
END_TEST

// There is nothing to answer with.
START_TEST(without_data_clients_have_to_wait)
{
    static const struct line with[] = {
        { "GET old\r\n", LOADING },
        { "PING\r\n", LOADING },
        { "DEBUG RELOAD\r\n", LOADING },
        { "DEBUG LOADAOF\r\n", LOADING },
        { "SELECT 1\r\n", "+OK\r\n" },
        { "SELECT 0\r\n", "+OK\r\n" },
        { 0 },
    };
    ck_assert_int_eq(receive_talking(with), RECEIVE_DONE);
    rig_ask(talker, "GET new\r\n", "$6\r\ntheirs\r\n");
}
END_TEST

START_TEST(what_clients_do_meanwhile_is_gone)
{
    static const struct line with[] = {
        { "SET new 5\r\n", "+OK\r\n" },
        { "SWAPDB 0 1\r\n", "+OK\r\n" },
        { "FLUSHALL\r\n", "+OK\r\n" },
        { "SET x 5\r\n", "+OK\r\n" },
        { "SELECT 7\r\n", "+OK\r\n" },
        { "RPUSH l 1\r\n", ":1\r\n" },
        { "CONFIG SET maxmemory-policy allkeys-lfu\r\n", "+OK\r\n" },
        { 0 },
    };
    have_data();
    ck_assert_int_eq(receive_talking(with), RECEIVE_DONE);
    rig_ask(talker, "DBSIZE\r\n", ":0\r\n");
    rig_ask(talker, "SELECT 0\r\n", "+OK\r\n");
    rig_ask(talker, "DBSIZE\r\n", ":2\r\n");
    rig_ask(talker, "GET new\r\n", "$6\r\ntheirs\r\n");
}
END_TEST

static bool talk_for_ever(void)
{
    (void)talk();
    return false;
}

START_TEST(the_server_may_be_stopped_meanwhile)
{
    static const struct line with[] = { { "SHUTDOWN NOSAVE\r\n", "" }, { 0 } };
    have_data();
    talker = rig_connect();
    lines = with;
    asked = false;
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    primary.hold_at = primary.script.len - 60;
    primary.held = talk_for_ever;
    ck_assert_int_eq(run_receive(false), RECEIVE_STOPPED);
    ck_assert(process_stopping(server->process));
    ck_assert(has_key(0, "old") && !has_key(0, "new"));
    hang_up();
}
END_TEST

// ---- the exchange -------------------------------------------------------------------------------

static void receive_now(void)
{
    say_data_set(bytes_slice(&data_set), true);
    primary.part = 100000;
    ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
    hang_up();
}

START_TEST(watched_keys_are_touched)
{
    static const char *const touched[] = { "old", "both", "new" };
    for (size_t i = 0; i < 3; i++) {
        have_data();
        int fd = rig_connect();
        char watch[64];
        snprintf(watch, sizeof(watch), "WATCH %s\r\n", touched[i]);
        rig_ask(fd, watch, "+OK\r\n");
        receive_now();
        rig_ask(fd, "MULTI\r\nGET new\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*-1\r\n");
        for (int k = 0; k < 16; k++)
            db_flush(&server->keyspace->dbs[k], REMOVED_NOW);
    }
    have_data();
    int fd = rig_connect();
    rig_ask(fd, "WATCH never\r\n", "+OK\r\n");
    receive_now();
    rig_ask(fd, "MULTI\r\nGET new\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*1\r\n$6\r\ntheirs\r\n");
}
END_TEST

START_TEST(a_broken_transfer_touches_nothing)
{
    have_data();
    int fd = rig_connect();
    rig_ask(fd, "WATCH old both new\r\n", "+OK\r\n");
    say_data_set(bytes_slice(&data_set), true);
    primary.script.len -= 50;
    primary.closes = true;
    ck_assert_int_eq(run_receive(false), RECEIVE_BROKEN);
    hang_up();
    rig_ask(fd, "MULTI\r\nGET old\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*1\r\n$4\r\nours\r\n");
}
END_TEST

START_TEST(waiting_clients_find_new_keys)
{
    struct bytes with_list = { 0 };
    struct keyspace lists;
    const struct key key = key_of(slice_of("l"));
    int fd = rig_connect();
    rig_ask(fd, "SELECT 2\r\nRPUSH l a b\r\n", "+OK\r\n:2\r\n");
    open_theirs(&lists);
    struct entry_ref ref = db_peek(&server->keyspace->dbs[2], &key);
    db_insert(&lists.dbs[2], &key, db_detach(&server->keyspace->dbs[2], &key, ref));
    write_data_set(&with_list, &lists, 0);
    have_data();
    rig_say(fd, "BLPOP l 0\r\n");
    rig_expect_silence(fd);
    say_data_set(bytes_slice(&with_list), true);
    ck_assert_int_eq(run_receive(false), RECEIVE_DONE);
    hang_up();
    rig_expect(fd, "*2\r\n$1\r\nl\r\n$1\r\na\r\n");
    rig_ask(fd, "LLEN l\r\n", ":1\r\n");
    bytes_release(&with_list);
    keyspace_release(&lists);
}
END_TEST

START_TEST(tracking_clients_forget_everything)
{
    have_data();
    int fd = rig_connect();
    rig_say(fd, "HELLO 3\r\n");
    rig_turns(3);
    ck_assert_int_gt(recv(fd, heard, sizeof(heard), 0), 0);
    rig_ask(fd, "CLIENT TRACKING ON\r\nGET old\r\n", "+OK\r\n$4\r\nours\r\n");
    receive_now();
    rig_expect(fd, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    rig_expect_silence(fd);
}
END_TEST

START_TEST(old_data_is_freed_behind_it)
{
    char name[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "key%d", i);
        add_string(server->keyspace, 0, name, "value", EXPIRY_NONE);
    }
    size_t used = mem_used();
    receive_now();
    ck_assert_uint_gt(reclaim_count(&server->keyspace->reclaim), 0);
    for (int i = 0; i < RIG_PATIENCE && reclaim_pending(&server->keyspace->reclaim); i++)
        rig_turn();
    ck_assert(!reclaim_pending(&server->keyspace->reclaim));
    ck_assert_uint_lt(mem_used(), used - 5000 * 16);
    // Or at once, if somebody wants that.
    have_data();
    ck_assert_int_eq(rig_config_set("replica-lazy-flush", "no"), STATUS_OK);
    receive_now();
    ck_assert(!reclaim_pending(&server->keyspace->reclaim));
}
END_TEST

// ---- the append-only file -----------------------------------------------------------------------

static void set_up_aof(void)
{
    with_aof = true;
    set_up();
    with_aof = false;
    ck_assert_int_eq(rig_config_set("appendonly", "yes"), STATUS_OK);
}

static void remove_folder(const char *path)
{
    char name[512];
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    const struct dirent *item;
    while ((item = readdir(dir)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", path, item->d_name);
        unlink(name);
    }
    closedir(dir);
    rmdir(path);
}

static void tear_down_aof(void)
{
    char folder[128];
    snprintf(folder, sizeof(folder), "%s/appendonlydir", rig_folder);
    ck_assert_int_eq(aof_stop(server->aof), STATUS_OK);
    aof_free(server->aof);
    remove_folder(folder);
    tear_down();
}

// Its first base is there.
static bool is_whole(int fd)
{
    rig_say(fd, "DEBUG LOADAOF\r\n");
    char reply[256] = { 0 };
    for (int turns = 0; turns < RIG_PATIENCE && !strchr(reply, '\n'); turns++) {
        rig_turn();
        ssize_t got = recv(fd, reply, sizeof(reply) - 1, 0);
        ck_assert(got > 0 || errno == EAGAIN);
    }
    ck_assert(reply[0] == '+' || reply[0] == '-');
    return reply[0] == '+';
}

static void wait_until_whole(int fd)
{
    for (uint64_t until_us = clock_mono_us_now() + 20000000; !is_whole(fd); usleep(10000))
        ck_assert_uint_lt(clock_mono_us_now(), until_us);
}

START_TEST(the_append_only_file_begins_anew)
{
    int fd = rig_connect();
    wait_until_whole(fd);
    rig_ask(fd, "SET old ours\r\n", "+OK\r\n");
    receive_now();
    // The files have the old data, and do not get effects on the new one.
    ck_assert(!is_whole(fd));
    rig_ask(fd, "SET behind 1\r\n", "+OK\r\n");
    wait_until_whole(fd);
    // What has been read again is the files'.
    rig_ask(fd, "GET old\r\n", "$-1\r\n");
    rig_ask(fd, "GET new\r\n", "$6\r\ntheirs\r\n");
    rig_ask(fd, "GET behind\r\n", "$1\r\n1\r\n");
    rig_ask(fd, "SET last 1\r\n", "+OK\r\n");
    wait_until_whole(fd);
    rig_ask(fd, "GET last\r\n", "$1\r\n1\r\n");
}
END_TEST

START_TEST(with_always_replies_come_before_the_base)
{
    int fd = rig_connect();
    ck_assert_int_eq(rig_config_set("appendfsync", "always"), STATUS_OK);
    wait_until_whole(fd);
    rig_ask(fd, "SET old ours\r\n", "+OK\r\n");
    receive_now();
    rig_ask(fd, "SET behind 1\r\n", "+OK\r\n");
    wait_until_whole(fd);
    rig_ask(fd, "GET behind\r\n", "$1\r\n1\r\n");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("receive: clients");
    TCase *meanwhile = tcase_create("meanwhile");
    tcase_add_checked_fixture(meanwhile, set_up, tear_down);
    tcase_add_test(meanwhile, old_data_answers_until_all_is_there);
    tcase_add_test(meanwhile, info_tells_of_it);
    tcase_add_test(meanwhile, without_data_clients_have_to_wait);
    tcase_add_test(meanwhile, what_clients_do_meanwhile_is_gone);
    tcase_add_test(meanwhile, the_server_may_be_stopped_meanwhile);
    suite_add_tcase(suite, meanwhile);

    TCase *exchange = tcase_create("the exchange");
    tcase_add_checked_fixture(exchange, set_up, tear_down);
    tcase_add_test(exchange, watched_keys_are_touched);
    tcase_add_test(exchange, a_broken_transfer_touches_nothing);
    tcase_add_test(exchange, waiting_clients_find_new_keys);
    tcase_add_test(exchange, tracking_clients_forget_everything);
    tcase_add_test(exchange, old_data_is_freed_behind_it);
    suite_add_tcase(suite, exchange);

    TCase *aof = tcase_create("the append-only file");
    tcase_add_checked_fixture(aof, set_up_aof, tear_down_aof);
    tcase_set_timeout(aof, 60);
    tcase_add_test(aof, the_append_only_file_begins_anew);
    tcase_add_test(aof, with_always_replies_come_before_the_base);
    suite_add_tcase(suite, aof);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
