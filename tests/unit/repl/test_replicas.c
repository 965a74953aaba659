// SPDX-License-Identifier: BSD-3-Clause
// Replicas of a server inside the test, played by sockets: what they are sent, what they may ask for, who waits for
// them, and when they are cut.
#include "repl/replicas_internal.h"

#include "base/numbers.h"
#include "base/random.h"
#include "persist/snapshot.h"
#include "server/block.h"
#include "server/ctx.h"
#include "server/effects.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#include <string.h>

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define GETACK   "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"

// What a second of the server's may take on a busy machine.
#define PATIENCE_MS 20000

static struct repl *repl;

// WRITE key value
static void cmd_write(struct cmd_ctx *ctx)
{
    struct entry_ref ref = db_find(ctx->db, &ctx->keys[0]);
    string_set(ctx->db, &ctx->keys[0], &ref, ctx->argv[2], EXPIRY_NONE);
    ctx_written(ctx, 0, NOTIFY_STRING, "write");
    reply_ok(ctx);
}

// SAY word
static void cmd_say(struct cmd_ctx *ctx)
{
    resp_simple(&ctx->reply, ctx->argv[1]);
}

// AWAIT replicas timeout_ms on_disk
static void cmd_await(struct cmd_ctx *ctx)
{
    int64_t wanted;
    int64_t timeout_ms;
    uint64_t offset = replicas_offset_of(repl, ctx->client);
    if (!arg_int64(ctx, 1, &wanted) || !arg_int64(ctx, 2, &timeout_ms))
        return;
    int64_t reached = (int64_t)replicas_reached(repl, offset, arg_is(ctx, 3, "1"));
    if (reached < wanted && !ctx->must_not_wait)
        replicas_wait(ctx, timeout_ms);
    else
        reply_int(ctx, reached);
}

static struct list disk_waiters;
static bool is_on_disk;

// AWAITBOTH: the disk, and then a replica.
static void cmd_await_both(struct cmd_ctx *ctx)
{
    uint64_t offset = replicas_offset_of(repl, ctx->client);
    if (!is_on_disk)
        (void)block_in_queue(ctx, &disk_waiters, 0);
    else if (!replicas_reached(repl, offset, false))
        replicas_wait(ctx, 0);
    else
        reply_ok(ctx);
}

static void cmd_replicas(struct cmd_ctx *ctx)
{
    replicas_reply_role(ctx);
}

static const struct command commands[] = {
    { .name = "write",
      .arity = 3,
      .flags = CMD_WRITE,
      .handler = cmd_write,
      .keys = { KEYS_FIRST(KEY_OW) } },
    { .name = "say", .arity = 2, .handler = cmd_say },
    { .name = "await", .arity = 4, .barrier = true, .handler = cmd_await },
    { .name = "awaitboth", .arity = 1, .barrier = true, .handler = cmd_await_both },
    { .name = "replicas", .arity = 1, .handler = cmd_replicas },
    { .name = "replconf", .arity = -1, .handler = replicas_replconf },
    { .name = "psync", .arity = -3, .handler = replicas_psync },
    { .name = "sync", .arity = 1, .handler = replicas_sync },
    { 0 },
};

static void set_up(void)
{
    rig_make(NULL);
    snapshot_register(server);
    repl_register(server);
    registry_add(server->registry, commands);
    rig_start();
    // Nobody is sent a data set but by hand.
    ck_assert_int_eq(rig_config_set("repl-diskless-sync-delay", "1000"), STATUS_OK);
    repl = server->repl;
    repl_listen(repl, true);
    list_init(&disk_waiters);
    is_on_disk = false;
}

static void tear_down(void)
{
    rig_stop();
}

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(rig_config_set(name, value), STATUS_OK);
}

// PSYNC from this offset of the history on; the answer is read.
static int follow(uint64_t offset)
{
    char line[128];
    int fd = rig_connect();
    snprintf(line, sizeof(line), "PSYNC %s %llu\r\n", server->replication_id,
             (unsigned long long)offset);
    rig_ask(fd, line, "+CONTINUE\r\n");
    return fd;
}

static void acknowledge(int fd, uint64_t offset)
{
    char line[64];
    snprintf(line, sizeof(line), "REPLCONF ACK %llu\r\n", (unsigned long long)offset);
    rig_say(fd, line);
    rig_turns(3);
}

static const struct replica *last_replica(void)
{
    const struct replica *replica = rig_last_client()->replica;
    ck_assert_ptr_nonnull(replica);
    return replica;
}

static size_t drain(int fd)
{
    static char buffer[1 << 16];
    size_t total = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
        idle = got > 0 ? 0 : idle + 1;
        total += got > 0 ? (size_t)got : 0;
        rig_turn();
    }
    return total;
}

// Turns the loop, in real time, until it holds.
static bool comes_true(bool (*holds)(void))
{
    uint64_t end_us = clock_mono_us_now() + PATIENCE_MS * UINT64_C(1000);
    while (!holds() && clock_mono_us_now() < end_us) {
        rig_turn();
        usleep(1000);
    }
    return holds();
}

static bool is_alone(void)
{
    return replicas_count(repl->replicas) == 0;
}

// Writes a value of so many bytes, and reads the reply if there is to be one.
static void write_value(int fd, size_t len, bool answered)
{
    char *value = malloc(len + 1);
    char head[64];
    memset(value, 'v', len);
    int head_len = snprintf(head, sizeof(head), "*3\r\n$5\r\nwrite\r\n$1\r\nk\r\n$%zu\r\n", len);
    rig_send(fd, head, (size_t)head_len);
    rig_send(fd, value, len);
    rig_say(fd, "\r\n");
    if (answered)
        rig_expect(fd, "+OK\r\n");
    free(value);
}

// --- The stream ---------------------------------------------------------------------------------

START_TEST(replicas_get_what_is_written)
{
    int writer = rig_connect();
    int first = follow(1);
    rig_ask(writer, "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\n", "+OK\r\n");
    rig_expect(first, SELECT_0 "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\n");
    int second = follow(strlen(SELECT_0) + 1);
    rig_expect(second, "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\n");
    rig_ask(writer, "*2\r\n$3\r\nSAY\r\n$1\r\nx\r\n", "+x\r\n");
    rig_ask(writer, "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n", "+OK\r\n");
    rig_expect(first, "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n");
    rig_expect(second, "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n");
    rig_expect_silence(first);
    ck_assert_uint_eq(replicas_count(repl->replicas), 2);
    ck_assert_uint_eq(repl->replicas->partial_syncs, 2);
    rig_disconnect(first);
    rig_turns(3);
    ck_assert_uint_eq(replicas_count(repl->replicas), 1);
}
END_TEST

START_TEST(one_that_knows_psync2_is_told_the_id)
{
    char line[128];
    char answer[128];
    int fd = rig_connect();
    rig_ask(fd, "REPLCONF listening-port 7001 capa eof capa psync2\r\n", "+OK\r\n");
    snprintf(line, sizeof(line), "PSYNC %s 1\r\n", server->replication_id);
    snprintf(answer, sizeof(answer), "+CONTINUE %s\r\n", server->replication_id);
    rig_ask(fd, line, answer);
    ck_assert_int_eq(last_replica()->port, 7001);
    ck_assert_uint_eq(last_replica()->capabilities, CAPABLE_EOF | CAPABLE_PSYNC2);
}
END_TEST

START_TEST(more_than_the_backlog_in_one_turn_arrives)
{
    set("repl-backlog-size", "20000");
    int writers[40];
    int fd = follow(1);
    for (int i = 0; i < 40; i++) {
        writers[i] = rig_connect();
        write_value(writers[i], 60000, false);
    }
    for (int i = 0; i < 40; i++)
        rig_expect(writers[i], "+OK\r\n");
    ck_assert_uint_eq(drain(fd), repl->stream.end);
    ck_assert_uint_eq(replicas_count(repl->replicas), 1);
    // And the backlog is what it is to be again.
    ck_assert_uint_le(repl->stream.end - repl->stream.begin, 20000 + 65536);
    ck_assert_uint_eq(server->repl_buffer_bytes, stream_memory(&repl->stream));
}
END_TEST

START_TEST(what_only_queues_hold_goes_with_them)
{
    set("repl-backlog-size", "20000");
    int writer = rig_connect();
    int fd = follow(1);
    for (int i = 0; i < 50; i++)
        write_value(writer, 100000, true);
    size_t backlog = stream_memory(&repl->stream);
    ck_assert_uint_gt(repl->replicas->only_queued_bytes, 3000000);
    ck_assert_uint_gt(server->repl_buffer_bytes, backlog + 3000000);
    rig_disconnect(fd);
    rig_turns(3);
    ck_assert_uint_eq(repl->replicas->only_queued_bytes, 0);
    ck_assert_uint_eq(server->repl_buffer_bytes, stream_memory(&repl->stream));
    write_value(writer, 100000, true);
    ck_assert_uint_le(repl->stream.end - repl->stream.begin, 20000 + 65536);
}
END_TEST

START_TEST(queues_do_not_count_as_data)
{
    char limit[32];
    snprintf(limit, sizeof(limit), "%zu", mem_used() + 1000000);
    int writer = rig_connect();
    int fd = follow(1);
    (void)fd;
    set("maxmemory", limit);
    set("maxmemory-policy", "allkeys-lru");
    rig_ask(writer, "WRITE kept 1\r\n", "+OK\r\n");
    for (int i = 0; i < 50; i++)
        write_value(writer, 100000, true);
    ck_assert_uint_gt(server->repl_buffer_bytes, 4000000);
    // Only two values, one of them small: nothing had to go.
    ck_assert_uint_eq(server->keyspace->dbs[0].table.count, 2);
}
END_TEST

// --- Who may go on ------------------------------------------------------------------------------

// Whether this request is granted; if not, everything is to be sent.
static bool is_granted(const char *id, long long offset)
{
    char line[128];
    uint64_t full = repl->replicas->full_syncs;
    uint64_t partial = repl->replicas->partial_syncs;
    int fd = rig_connect();
    rig_ask(fd, "REPLCONF capa eof\r\n", "+OK\r\n");
    snprintf(line, sizeof(line), "PSYNC %s %lld\r\n", id, offset);
    rig_say(fd, line);
    rig_turns(3);
    ck_assert_uint_eq(repl->replicas->full_syncs + repl->replicas->partial_syncs,
                      full + partial + 1);
    bool granted = repl->replicas->partial_syncs > partial;
    ck_assert_int_eq(last_replica()->state, granted ? REPLICA_ONLINE : REPLICA_WAITING);
    rig_disconnect(fd);
    rig_turns(3);
    return granted;
}

START_TEST(who_has_a_prefix_of_ours_goes_on)
{
    char old[RUN_ID_LEN + 1];
    int writer = rig_connect();
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    memcpy(old, server->replication_id, sizeof(old));
    long long end = (long long)repl->stream.end;
    ck_assert(is_granted(old, 1));
    ck_assert(is_granted(old, end + 1));
    ck_assert(!is_granted(old, end + 2));
    ck_assert(!is_granted(old, 0));
    ck_assert(!is_granted(old, -1));
    ck_assert(!is_granted(old, INT64_MAX));
    ck_assert(!is_granted(old, INT64_MIN));
    ck_assert(!is_granted("?", -1));
    ck_assert_uint_eq(repl->replicas->partial_refusals, 5);

    repl_begin_history(repl);
    rig_ask(writer, "WRITE a 2\r\n", "+OK\r\n");
    ck_assert(is_granted(old, 1));
    ck_assert(is_granted(old, end + 1));
    ck_assert(!is_granted(old, end + 2));
    ck_assert(is_granted(server->replication_id, end + 2));
    ck_assert(!is_granted("0000000000000000000000000000000000000000", 1));
}
END_TEST

START_TEST(what_the_backlog_has_lost_is_lost)
{
    set("repl-backlog-size", "20000");
    int writer = rig_connect();
    for (int i = 0; i < 10; i++)
        write_value(writer, 50000, true);
    ck_assert(!is_granted(server->replication_id, 1));
    ck_assert(!is_granted(server->replication_id, (long long)repl->stream.begin));
    ck_assert(is_granted(server->replication_id, (long long)repl->stream.begin + 1));
}
END_TEST

START_TEST(the_first_replica_begins_a_history)
{
    char old[RUN_ID_LEN + 1];
    repl_listen(repl, false);
    memcpy(old, server->replication_id, sizeof(old));
    // Nobody knows what was written meanwhile.
    ck_assert(!is_granted(old, (long long)repl->stream.end + 1));
    ck_assert_int_ne(memcmp(server->replication_id, old, sizeof(old)), 0);
    ck_assert(repl->stream_on);
    memcpy(old, server->replication_id, sizeof(old));
    ck_assert(!is_granted("?", -1));
    ck_assert_int_eq(memcmp(server->replication_id, old, sizeof(old)), 0);
}
END_TEST

START_TEST(a_new_primary_keeps_what_its_replicas_will_ask_for)
{
    static const char *const history = "1111111111111111111111111111111111111111";
    set("repl-backlog-ttl", "2");
    // It has been a replica for longer than that.
    repl_listen(repl, false);
    repl_name_primary(repl, SLICE("127.0.0.1"), 1);
    repl->replicas->alone_since_ms = -1000000;
    uint64_t end_us = clock_mono_us_now() + 1500000;
    while (clock_mono_us_now() < end_us) {
        rig_turn();
        usleep(1000);
    }
    repl_take_history(repl, history, 1000);
    repl_lead(repl);
    ck_assert(is_granted(history, 1001));
}
END_TEST

static bool backlog_is_gone(void)
{
    return !repl->stream_on;
}

START_TEST(a_backlog_that_nobody_wants_is_forgotten)
{
    char old[RUN_ID_LEN + 1];
    int writer = rig_connect();
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    memcpy(old, server->replication_id, sizeof(old));
    uint64_t end = repl->stream.end;
    set("repl-backlog-ttl", "1");
    ck_assert(comes_true(backlog_is_gone));
    ck_assert_int_ne(memcmp(server->replication_id, old, sizeof(old)), 0);
    ck_assert_uint_eq(repl->stream.end, end);
    ck_assert_uint_eq(repl->stream.count, 0);
}
END_TEST

// --- Whole data sets ----------------------------------------------------------------------------

// As sync.c does it; it is not asked.
static struct replica *begin_whole(int fd, const char *request)
{
    rig_ask(fd, "REPLCONF capa eof\r\n", "+OK\r\n");
    rig_say(fd, request);
    rig_turns(3);
    struct replica *replica = rig_last_client()->replica;
    ck_assert_int_eq(replica->state, REPLICA_WAITING);
    sync_remove(repl->replicas->sync, replica);
    ck_assert(replica_begin_receiving(replica));
    return replica;
}

START_TEST(behind_a_data_set_nothing_comes_before_the_acknowledgement)
{
    char line[128];
    int writer = rig_connect();
    int fd = rig_connect();
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    uint64_t at = repl->stream.end;
    struct replica *replica = begin_whole(fd, "PSYNC ? -1\r\n");
    snprintf(line, sizeof(line), "+FULLRESYNC %s %llu\r\n", server->replication_id,
             (unsigned long long)at);
    rig_expect(fd, line);
    rig_ask(writer, "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n", "+OK\r\n");
    rig_expect_silence(fd);
    replica_received(replica);
    ck_assert_int_eq(replica->state, REPLICA_LOADING);
    rig_say(fd, "\n\n");
    rig_expect_silence(fd);
    acknowledge(fd, at);
    ck_assert_int_eq(replica->state, REPLICA_ONLINE);
    // It doesn't know yet which database it is in.
    rig_expect(fd, SELECT_0 "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n");
    ck_assert_uint_eq(replicas_reached(repl, at, false), 1);
    ck_assert_uint_eq(replicas_reached(repl, at + 1, false), 0);
}
END_TEST

// It has it before the end of the child that has sent it is known here.
START_TEST(an_early_acknowledgement_counts)
{
    int writer = rig_connect();
    int fd = rig_connect();
    char line[128];
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    uint64_t at = repl->stream.end;
    struct replica *replica = begin_whole(fd, "PSYNC ? -1\r\n");
    snprintf(line, sizeof(line), "+FULLRESYNC %s %llu\r\n", server->replication_id,
             (unsigned long long)at);
    rig_expect(fd, line);
    acknowledge(fd, at);
    ck_assert_int_eq(replica->state, REPLICA_RECEIVING);
    rig_expect_silence(fd);
    replica_received(replica);
    ck_assert_int_eq(replica->state, REPLICA_ONLINE);
}
END_TEST

START_TEST(the_old_protocol_has_no_acknowledgement)
{
    int writer = rig_connect();
    int fd = rig_connect();
    struct replica *replica = begin_whole(fd, "SYNC\r\n");
    rig_expect_silence(fd);
    rig_ask(writer, "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n", "+OK\r\n");
    replica_received(replica);
    ck_assert_int_eq(replica->state, REPLICA_ONLINE);
    rig_expect(fd, SELECT_0 "*3\r\n$5\r\nWRITE\r\n$1\r\nb\r\n$1\r\n2\r\n");
}
END_TEST

START_TEST(who_wants_the_data_only_is_sent_home)
{
    char line[128];
    int fd = rig_connect();
    rig_ask(fd, "REPLCONF rdb-only 1 rdb-filter-only functions\r\n", "+OK\r\n");
    struct replica *replica = begin_whole(fd, "PSYNC ? -1\r\n");
    ck_assert(replica->rdb_only && replica->without_data);
    snprintf(line, sizeof(line), "+FULLRESYNC %s 0\r\n", server->replication_id);
    rig_expect(fd, line);
    replica_received(replica);
    rig_expect_closed(fd);
    rig_turns(2);
    ck_assert_uint_eq(replicas_count(repl->replicas), 0);
}
END_TEST

// --- Waiting ------------------------------------------------------------------------------------

START_TEST(wait_ends_with_the_acknowledgement)
{
    int writer = rig_connect();
    int fd = follow(1);
    rig_say(writer, "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\nAWAIT 1 0 0\r\nSAY done\r\n");
    rig_expect(writer, "+OK\r\n");
    rig_expect(fd, SELECT_0 "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\n" GETACK);
    rig_expect_silence(writer);
    uint64_t written = strlen(SELECT_0 "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\n");
    acknowledge(fd, written - 1);
    rig_expect_silence(writer);
    // It is asked once.
    rig_expect_silence(fd);
    acknowledge(fd, written);
    rig_expect(writer, ":1\r\n+done\r\n");
    // Who has written nothing since waits for nothing.
    rig_ask(writer, "AWAIT 1 0 0\r\n", ":1\r\n");
    int other = rig_connect();
    rig_ask(other, "AWAIT 1 0 0\r\n", ":1\r\n");
    rig_ask(other, "AWAIT 2 1 0\r\n", ":1\r\n");
}
END_TEST

START_TEST(all_who_wait_ask_together)
{
    int fd = follow(1);
    int writers[10];
    for (int i = 0; i < 10; i++) {
        writers[i] = rig_connect();
        rig_say(writers[i], "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\nAWAIT 1 0 0\r\n");
    }
    rig_turns(3);
    rig_expect(fd, SELECT_0);
    for (int i = 0; i < 10; i++)
        rig_expect(fd, "*3\r\n$5\r\nWRITE\r\n$1\r\na\r\n$1\r\n1\r\n");
    rig_expect(fd, GETACK);
    rig_expect_silence(fd);
    acknowledge(fd, repl->stream.end);
    for (int i = 0; i < 10; i++)
        rig_expect(writers[i], "+OK\r\n:1\r\n");
}
END_TEST

START_TEST(what_is_on_disk_is_acknowledged_apart)
{
    char line[128];
    int writer = rig_connect();
    int fd = follow(1);
    rig_say(writer, "WRITE a 1\r\nAWAIT 1 0 1\r\n");
    rig_expect(writer, "+OK\r\n");
    rig_turns(3);
    unsigned long long end = repl->stream.end;
    acknowledge(fd, end);
    rig_expect_silence(writer);
    snprintf(line, sizeof(line), "REPLCONF ACK %llu FACK %llu\r\n", end, end + 1000);
    // More than there is: no replica can have that.
    rig_say(fd, line);
    rig_expect_silence(writer);
    snprintf(line, sizeof(line), "REPLCONF ACK %llu FACK %llu\r\n", end, end);
    rig_say(fd, line);
    rig_expect(writer, ":1\r\n");
}
END_TEST

START_TEST(one_thing_is_waited_for_after_the_other)
{
    int writer = rig_connect();
    int fd = follow(1);
    rig_say(writer, "WRITE a 1\r\nAWAITBOTH\r\n");
    rig_expect(writer, "+OK\r\n");
    rig_turns(3);
    ck_assert(!list_empty(&disk_waiters) && list_empty(&repl->replicas->waiters));
    drain(fd);
    is_on_disk = true;
    blocks_retry(&disk_waiters);
    rig_turns(3);
    ck_assert(list_empty(&disk_waiters) && !list_empty(&repl->replicas->waiters));
    rig_expect(fd, GETACK);
    acknowledge(fd, repl->stream.end);
    rig_expect(writer, "+OK\r\n");
    ck_assert(list_empty(&repl->replicas->waiters));
}
END_TEST

START_TEST(a_gone_client_waits_no_more)
{
    int writer = rig_connect();
    int fd = follow(1);
    rig_say(writer, "WRITE a 1\r\nAWAIT 1 0 0\r\n");
    rig_expect(writer, "+OK\r\n");
    rig_disconnect(writer);
    rig_turns(3);
    ck_assert(list_empty(&repl->replicas->waiters));
    acknowledge(fd, repl->stream.end);
}
END_TEST

// --- Limits -------------------------------------------------------------------------------------

START_TEST(who_reads_nothing_is_cut_at_its_limit)
{
    set("client-output-buffer-limit", "replica 2mb 0 0");
    int writer = rig_connect();
    follow(1);
    for (int i = 0; i < 15; i++)
        write_value(writer, 100000, true);
    ck_assert_uint_eq(replicas_count(repl->replicas), 1);
    for (int i = 0; i < 15; i++)
        write_value(writer, 100000, true);
    ck_assert_uint_eq(replicas_count(repl->replicas), 0);
    ck_assert_uint_eq(server->stats.output_limit_disconnections, 1);
}
END_TEST

START_TEST(the_limit_is_not_below_the_backlog)
{
    set("client-output-buffer-limit", "replica 10 0 0");
    int writer = rig_connect();
    follow(1);
    for (int i = 0; i < 9; i++)
        write_value(writer, 100000, true);
    ck_assert_uint_eq(replicas_count(repl->replicas), 1);
    set("repl-backlog-size", "100000");
    write_value(writer, 100000, true);
    rig_turns(2);
    ck_assert_uint_eq(replicas_count(repl->replicas), 0);
}
END_TEST

static bool writers_are_free(void)
{
    return !(server->holds & repl->replicas->hurry_gate);
}

// Of a replica that goes on reading.
static int taker;

static bool writers_are_held(void)
{
    char buffer[4096];
    (void)!recv(taker, buffer, sizeof(buffer), 0);
    return !writers_are_free();
}

START_TEST(writers_wait_for_one_that_takes)
{
    set("client-output-buffer-limit", "replica 4mb 0 0");
    int writer = rig_connect();
    int reader = rig_connect();
    taker = follow(1);
    for (int i = 0; i < 30; i++)
        write_value(writer, 100000, true);
    // It takes, and is past half of its limit.
    ck_assert(comes_true(writers_are_held));
    rig_say(writer, "WRITE a 1\r\n");
    rig_ask(reader, "SAY x\r\n", "+x\r\n");
    // Their turn comes although nothing has changed.
    rig_expect(writer, "+OK\r\n");
    drain(taker);
    ck_assert(comes_true(writers_are_free));
    for (int i = 0; i < 20; i++)
        write_value(writer, 100000, true);
    ck_assert_uint_eq(replicas_count(repl->replicas), 1);
}
END_TEST

// For longer than anybody waits.
static bool nothing_is_taken(void)
{
    const struct list_link *link = list_first(&repl->replicas->all);
    const struct replica *replica = LIST_ITEM(link, struct replica, link);
    return (int64_t)(clock_mono_us_now() / 1000) - replica->took_ms > 500;
}

START_TEST(writers_do_not_wait_for_one_that_takes_nothing)
{
    set("client-output-buffer-limit", "replica 4mb 0 0");
    int writer = rig_connect();
    follow(1);
    for (int i = 0; i < 25; i++)
        write_value(writer, 100000, true);
    ck_assert(comes_true(nothing_is_taken));
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    rig_turns(2);
    ck_assert(writers_are_free());
}
END_TEST

START_TEST(who_does_not_acknowledge_is_cut)
{
    set("repl-timeout", "1");
    follow(1);
    ck_assert(comes_true(is_alone));
}
END_TEST

static bool writes_are_refused(void)
{
    return server->gates & repl->few_replicas_gate;
}

static bool writes_are_accepted(void)
{
    return !writes_are_refused();
}

START_TEST(too_few_replicas_and_writes_are_refused)
{
    int writer = rig_connect();
    set("min-replicas-to-write", "1");
    rig_ask(writer, "WRITE a 1\r\n", "-NOREPLICAS Not enough good replicas to write.\r\n");
    int fd = follow(1);
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    set("min-replicas-to-write", "2");
    rig_ask(writer, "WRITE a 1\r\n", "-NOREPLICAS Not enough good replicas to write.\r\n");
    set("min-replicas-to-write", "1");
    set("min-replicas-max-lag", "1");
    ck_assert(comes_true(writes_are_refused));
    acknowledge(fd, repl->stream.end);
    ck_assert(comes_true(writes_are_accepted));
    set("min-replicas-max-lag", "0");
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
}
END_TEST

// --- Manners ------------------------------------------------------------------------------------

START_TEST(a_replica_is_not_answered)
{
    int fd = follow(1);
    rig_say(fd, "PSYNC ? -1\r\nSYNC\r\nREPLCONF GETACK *\r\n\r\n\r\n");
    rig_expect_silence(fd);
    rig_say(fd, "SAY x\r\n");
    rig_expect_closed(fd);
    fd = follow(1);
    rig_say(fd, "REPLCONF capa eof\r\n");
    rig_expect_closed(fd);
    fd = follow(1);
    rig_say(fd, "no-such-command\r\n");
    rig_expect_closed(fd);
    fd = follow(1);
    rig_say(fd, "*1\r\n$x\r\n");
    rig_expect_closed(fd);
    rig_turns(2);
    ck_assert(is_alone());
}
END_TEST

START_TEST(names_can_not_break_a_line)
{
    static const char request[] =
        "*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$13\r\na,b=c\r\nd e\x01\xff"
        "f\r\n";
    int fd = rig_connect();
    rig_send(fd, request, sizeof(request) - 1);
    rig_expect(fd, "+OK\r\n");
    ck_assert_str_eq(last_replica()->announced_ip, "a?b?c??d?e??f");
}
END_TEST

START_TEST(disconnecting_all_ends_them)
{
    int first = follow(1);
    int second = follow(1);
    replicas_disconnect_all(repl->replicas);
    // Before they are gone, another history has begun.
    repl_take_history(repl, "1111111111111111111111111111111111111111", 5);
    rig_expect_closed(first);
    rig_expect_closed(second);
    rig_turns(2);
    ck_assert(is_alone());
}
END_TEST

START_TEST(the_server_ends_with_replicas)
{
    int writer = rig_connect();
    int talking = rig_connect();
    int waiting = rig_connect();
    follow(1);
    rig_ask(talking, "REPLCONF ip-address 10.0.0.1\r\n", "+OK\r\n");
    rig_ask(waiting, "REPLCONF capa eof\r\n", "+OK\r\n");
    rig_say(waiting, "PSYNC ? -1\r\n");
    rig_say(writer, "WRITE a 1\r\nAWAIT 5 0 0\r\n");
    rig_expect(writer, "+OK\r\n");
    rig_turns(3);
    ck_assert_uint_eq(replicas_count(repl->replicas), 2);
}
END_TEST

// Arguments that make sense, almost make sense, and make none.
static void say_something(int fd, struct random *random)
{
    static const char *const words[] = { "REPLCONF",
                                         "REPLCONF",
                                         "PSYNC",
                                         "SYNC",
                                         "ACK",
                                         "FACK",
                                         "GETACK",
                                         "*",
                                         "capa",
                                         "eof",
                                         "psync2",
                                         "listening-port",
                                         "ip-address",
                                         "rdb-only",
                                         "rdb-filter-only",
                                         "version",
                                         "functions",
                                         "failover",
                                         "?",
                                         "-1",
                                         "0",
                                         "1",
                                         "18446744073709551615",
                                         "18446744073709551616",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "\\x00\\r\\n\\xff",
                                         "" };
    char line[512];
    size_t len = 0;
    size_t count = 1 + random_below(random, 7);
    const size_t kinds = sizeof(words) / sizeof(*words);
    for (size_t i = 0; i < count; i++) {
        size_t kind = i ? random_below(random, kinds) : random_below(random, 4);
        const char *word = random_below(random, 20) ? words[kind] : server->replication_id;
        len += (size_t)snprintf(line + len, sizeof(line) - len, "\"%s\" ", word);
    }
    len += (size_t)snprintf(line + len, sizeof(line) - len, "\r\n");
    (void)!send(fd, line, len, MSG_NOSIGNAL);
}

START_TEST(nonsense_does_no_harm)
{
    struct random random;
    random_seed(&random, 4711);
    for (int round = 0; round < 300; round++) {
        int fd = rig_connect();
        rig_ask(fd, "REPLCONF capa eof\r\n", "+OK\r\n");
        for (int i = 0; i < 20; i++) {
            say_something(fd, &random);
            rig_turns((int)random_below(&random, 3));
        }
        rig_disconnect(fd);
        rig_turns(3);
    }
    int writer = rig_connect();
    rig_ask(writer, "WRITE a 1\r\n", "+OK\r\n");
    ck_assert(is_alone());
    ck_assert(list_empty(&repl->replicas->talking));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("replicas");
    TCase *tcase = tcase_create("replicas");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, replicas_get_what_is_written);
    tcase_add_test(tcase, one_that_knows_psync2_is_told_the_id);
    tcase_add_test(tcase, more_than_the_backlog_in_one_turn_arrives);
    tcase_add_test(tcase, what_only_queues_hold_goes_with_them);
    tcase_add_test(tcase, queues_do_not_count_as_data);
    tcase_add_test(tcase, who_has_a_prefix_of_ours_goes_on);
    tcase_add_test(tcase, what_the_backlog_has_lost_is_lost);
    tcase_add_test(tcase, the_first_replica_begins_a_history);
    tcase_add_test(tcase, a_new_primary_keeps_what_its_replicas_will_ask_for);
    tcase_add_test(tcase, a_backlog_that_nobody_wants_is_forgotten);
    tcase_add_test(tcase, behind_a_data_set_nothing_comes_before_the_acknowledgement);
    tcase_add_test(tcase, an_early_acknowledgement_counts);
    tcase_add_test(tcase, the_old_protocol_has_no_acknowledgement);
    tcase_add_test(tcase, who_wants_the_data_only_is_sent_home);
    tcase_add_test(tcase, wait_ends_with_the_acknowledgement);
    tcase_add_test(tcase, all_who_wait_ask_together);
    tcase_add_test(tcase, what_is_on_disk_is_acknowledged_apart);
    tcase_add_test(tcase, one_thing_is_waited_for_after_the_other);
    tcase_add_test(tcase, a_gone_client_waits_no_more);
    tcase_add_test(tcase, who_reads_nothing_is_cut_at_its_limit);
    tcase_add_test(tcase, the_limit_is_not_below_the_backlog);
    tcase_add_test(tcase, writers_wait_for_one_that_takes);
    tcase_add_test(tcase, writers_do_not_wait_for_one_that_takes_nothing);
    tcase_add_test(tcase, who_does_not_acknowledge_is_cut);
    tcase_add_test(tcase, too_few_replicas_and_writes_are_refused);
    tcase_add_test(tcase, a_replica_is_not_answered);
    tcase_add_test(tcase, names_can_not_break_a_line);
    tcase_add_test(tcase, disconnecting_all_ends_them);
    tcase_add_test(tcase, the_server_ends_with_replicas);
    tcase_add_test(tcase, nonsense_does_no_harm);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
