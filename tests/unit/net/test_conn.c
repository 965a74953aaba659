// SPDX-License-Identifier: BSD-3-Clause
// Tests of connections over socket pairs: receiving, short writes, references, broken peers.
#include "net/conn.h"

#include "base/memory.h"
#include "base/random.h"
#include "support/unit.h"
#include "unit/store/expect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE_BYTES (3u << 20)
#define REFS_MAX    512

static struct loop *loop;
static struct outq_pool pool;
static struct conn conn;
static int peer;
static size_t used_before;
static unsigned readable_calls;
static unsigned writable_calls;
static enum status last_flush;
static size_t total_sent;
static char large[LARGE_BYTES];

// References that were queued, and how often each was let go.
static struct reference {
    int released;
} references[REFS_MAX];
static int next_release;

static void on_readable(struct conn *readable)
{
    ck_assert_ptr_eq(readable, &conn);
    readable_calls++;
}

static void on_writable(struct conn *writable)
{
    size_t sent;
    ck_assert_ptr_eq(writable, &conn);
    writable_calls++;
    last_flush = conn_flush(&conn, &sent);
    total_sent += sent;
}

static const struct conn_ops ops = { .readable = on_readable, .writable = on_writable };

static void release_reference(void *owner)
{
    struct reference *reference = owner;
    reference->released++;
    EXPECT(reference->released == 1);
    // They are sent, and so let go, in their order.
    EXPECT(reference == &references[next_release]);
    next_release++;
}

static void set_up(void)
{
    struct random random;
    random_seed(&random, 9);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        large[i] = (char)random_next(&random);
    memset(references, 0, sizeof(references));
    next_release = 0;
    readable_calls = writable_calls = 0;
    total_sent = 0;
    used_before = mem_used();
    pool = (struct outq_pool){ 0 };
    loop = loop_new();
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer = ends[1];
    conn_init(&conn, loop, &pool, ends[0], &ops);
}

static void close_peer(void)
{
    close(peer);
    peer = -1;
}

static void tear_down(void)
{
    conn_close(&conn);
    if (peer >= 0)
        close_peer();
    loop_free(loop);
    outq_pool_release(&pool);
    ck_assert_uint_eq(mem_used(), used_before);
}

// One turn of the loop that waits for nothing.
static void turn(void)
{
    ev_run(loop_ev(loop), EVRUN_NOWAIT);
}

static void small_buffers(void)
{
    int bytes = 1;
    ck_assert_int_eq(setsockopt(conn.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
}

static enum status flush(size_t *sent)
{
    enum status status = conn_flush(&conn, sent);
    total_sent += *sent;
    return status;
}

// ---- receiving ----------------------------------------------------------------------------------

START_TEST(the_socket_does_not_block)
{
    ck_assert(fcntl(conn.fd, F_GETFL) & O_NONBLOCK);
    char room[8];
    size_t received;
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_AGAIN);
}
END_TEST

START_TEST(bytes_are_received_as_there_is_room)
{
    char room[8];
    size_t received;
    ck_assert_int_eq(write(peer, "hello world", 11), 11);
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_OK);
    ck_assert_uint_eq(received, 8);
    ck_assert_mem_eq(room, "hello wo", 8);
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_OK);
    ck_assert_uint_eq(received, 3);
    ck_assert_mem_eq(room, "rld", 3);
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_AGAIN);
}
END_TEST

START_TEST(a_peer_that_is_done)
{
    char room[8];
    size_t received;
    ck_assert_int_eq(write(peer, "x", 1), 1);
    close_peer();
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_OK);
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_CLOSED);
}
END_TEST

START_TEST(a_connection_that_was_reset)
{
    char room[8];
    size_t received;
    // A UNIX socket is reset when its peer goes with bytes unread.
    ck_assert_int_eq(write(conn.fd, "x", 1), 1);
    close_peer();
    ck_assert_int_eq(conn_recv(&conn, room, sizeof(room), &received), STATUS_IO);
    ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

START_TEST(readiness_to_read_is_told)
{
    turn();
    ck_assert_uint_eq(readable_calls, 0);
    ck_assert_int_eq(write(peer, "x", 1), 1);
    turn();
    ck_assert_uint_eq(readable_calls, 1);
    // Until it is read.
    turn();
    ck_assert_uint_eq(readable_calls, 2);
    char byte;
    size_t received;
    ck_assert_int_eq(conn_recv(&conn, &byte, 1, &received), STATUS_OK);
    turn();
    ck_assert_uint_eq(readable_calls, 2);
    close_peer();
    turn();
    ck_assert_uint_eq(readable_calls, 3);
    ck_assert_uint_eq(writable_calls, 0);
}
END_TEST

START_TEST(reading_can_pause)
{
    ck_assert_int_eq(write(peer, "x", 1), 1);
    conn_pause_reading(&conn);
    conn_pause_reading(&conn);
    turn();
    turn();
    ck_assert_uint_eq(readable_calls, 0);
    conn_resume_reading(&conn);
    conn_resume_reading(&conn);
    turn();
    ck_assert_uint_eq(readable_calls, 1);
}
END_TEST

// ---- sending ------------------------------------------------------------------------------------

START_TEST(nothing_to_send)
{
    size_t sent = 99;
    ck_assert_int_eq(conn_flush(&conn, &sent), STATUS_OK);
    ck_assert_uint_eq(sent, 0);
    // Room that was reserved and not used is nothing.
    outq_reserve(&conn.out, 100);
    ck_assert_int_eq(conn_flush(&conn, &sent), STATUS_OK);
    ck_assert_uint_eq(sent, 0);
}
END_TEST

START_TEST(a_reply_is_sent_at_once)
{
    char room[16];
    size_t sent;
    outq_append(&conn.out, "+PONG\r\n", 7);
    ck_assert_int_eq(conn_flush(&conn, &sent), STATUS_OK);
    ck_assert_uint_eq(sent, 7);
    ck_assert_uint_eq(conn.out.bytes, 0);
    ck_assert_int_eq(read(peer, room, sizeof(room)), 7);
    ck_assert_mem_eq(room, "+PONG\r\n", 7);
    turn();
    ck_assert_uint_eq(writable_calls, 0);
}
END_TEST

START_TEST(an_unused_chunk_may_stand_in_front)
{
    char room[16];
    size_t sent;
    outq_reserve(&conn.out, 100);
    outq_append_ref(&conn.out, "abc", 3, release_reference, &references[0]);
    outq_append(&conn.out, "def", 3);
    ck_assert_int_eq(conn_flush(&conn, &sent), STATUS_OK);
    ck_assert_uint_eq(sent, 6);
    ck_assert_int_eq(references[0].released, 1);
    ck_assert_int_eq(read(peer, room, sizeof(room)), 6);
    ck_assert_mem_eq(room, "abcdef", 6);
}
END_TEST

// More pieces than one system call takes.
START_TEST(many_small_pieces)
{
    static char room[REFS_MAX * 100];
    size_t len = 0;
    size_t sent;
    for (size_t i = 0; i < REFS_MAX; i++) {
        size_t part = 1 + i % 50;
        outq_append_ref(&conn.out, large + len, part, release_reference, &references[i]);
        len += part;
        if (i % 3 == 0) {
            outq_append(&conn.out, large + len, 10);
            len += 10;
        }
    }
    ck_assert_int_eq(flush(&sent), STATUS_OK);
    ck_assert_uint_eq(sent, len);
    ck_assert_int_eq(next_release, REFS_MAX);
    ck_assert_int_eq(recv(peer, room, len, MSG_WAITALL), (ssize_t)len);
    ck_assert_mem_eq(room, large, len);
}
END_TEST

// Queues all of `large`, in copies and references of many sizes; returns how many references.
static int queue_large(void)
{
    struct random random;
    random_seed(&random, 2);
    int refs = 0;
    size_t at = 0;
    while (at < LARGE_BYTES) {
        size_t most = random_below(&random, 4) ? 3000 : 200000;
        size_t part = 1 + random_below(&random, most);
        part = part < LARGE_BYTES - at ? part : LARGE_BYTES - at;
        if (refs < REFS_MAX && random_below(&random, 2))
            outq_append_ref(&conn.out, large + at, part, release_reference, &references[refs++]);
        else
            outq_append(&conn.out, large + at, part);
        at += part;
    }
    return refs;
}

// A few bytes a turn, until all of `large` has arrived.
static void read_slowly(void)
{
    static char room[30000];
    size_t at = 0;
    for (size_t i = 0; at < LARGE_BYTES; i++) {
        turn();
        ssize_t got = recv(peer, room, 1 + i * 131 % sizeof(room), MSG_DONTWAIT);
        if (got < 0) {
            EXPECT(errno == EAGAIN);
            continue;
        }
        EXPECT(got > 0);
        EXPECT(at + (size_t)got <= total_sent);
        EXPECT(memcmp(room, large + at, (size_t)got) == 0);
        at += (size_t)got;
    }
    char byte;
    ck_assert_int_eq(recv(peer, &byte, 1, MSG_DONTWAIT), -1);
}

START_TEST(a_slow_reader_gets_all_in_order)
{
    small_buffers();
    int refs = queue_large();
    size_t sent;
    ck_assert_int_eq(flush(&sent), STATUS_AGAIN);
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_lt(sent, LARGE_BYTES);
    // Nothing more can be sent, and nobody is told so again and again.
    unsigned before = writable_calls;
    turn();
    turn();
    ck_assert_uint_eq(writable_calls, before);
    read_slowly();
    ck_assert_int_eq(last_flush, STATUS_OK);
    ck_assert_uint_eq(total_sent, LARGE_BYTES);
    ck_assert_uint_gt(writable_calls, 10);
    ck_assert_int_eq(next_release, refs);
    ck_assert_uint_eq(conn.out.bytes, 0);
    // And when all is sent, no more is heard.
    before = writable_calls;
    turn();
    turn();
    ck_assert_uint_eq(writable_calls, before);
}
END_TEST

START_TEST(more_may_be_queued_behind_a_short_write)
{
    static char room[LARGE_BYTES + 4];
    small_buffers();
    size_t sent;
    outq_append_ref(&conn.out, large, LARGE_BYTES, release_reference, &references[0]);
    ck_assert_int_eq(flush(&sent), STATUS_AGAIN);
    outq_append(&conn.out, "tail", 4);
    ck_assert_int_eq(flush(&sent), STATUS_AGAIN);
    ck_assert_int_eq(references[0].released, 0);
    for (size_t at = 0; at < sizeof(room);) {
        turn();
        ssize_t got = recv(peer, room + at, sizeof(room) - at, MSG_DONTWAIT);
        at += got > 0 ? (size_t)got : 0;
    }
    ck_assert_mem_eq(room, large, LARGE_BYTES);
    ck_assert_mem_eq(room + LARGE_BYTES, "tail", 4);
    ck_assert_int_eq(references[0].released, 1);
}
END_TEST

// ---- ends ---------------------------------------------------------------------------------------

START_TEST(a_broken_pipe_is_told_and_kills_nobody)
{
    ck_assert_ptr_ne((void *)signal(SIGPIPE, SIG_DFL), (void *)SIG_ERR);
    close_peer();
    size_t sent;
    outq_append(&conn.out, "x", 1);
    ck_assert_int_eq(conn_flush(&conn, &sent), STATUS_IO);
    ck_assert_uint_eq(sent, 0);
    // The same with several pieces.
    outq_append_ref(&conn.out, "abc", 3, release_reference, &references[0]);
    ck_assert_int_eq(conn_flush(&conn, &sent), STATUS_IO);
    ck_assert_int_eq(references[0].released, 0);
    conn_close(&conn);
    ck_assert_int_eq(references[0].released, 1);
}
END_TEST

START_TEST(a_peer_that_leaves_in_the_middle)
{
    small_buffers();
    size_t sent;
    int refs = queue_large();
    ck_assert_int_eq(flush(&sent), STATUS_AGAIN);
    close_peer();
    // That the socket is broken makes it writable; trying tells why.
    turn();
    ck_assert_uint_eq(writable_calls, 1);
    ck_assert_int_eq(last_flush, STATUS_IO);
    conn_close(&conn);
    ck_assert_int_eq(next_release, refs);
}
END_TEST

START_TEST(closing_drops_what_waits)
{
    small_buffers();
    size_t sent;
    int refs = queue_large();
    ck_assert_int_eq(flush(&sent), STATUS_AGAIN);
    int fd = conn.fd;
    ck_assert_int_eq(write(peer, "x", 1), 1);
    conn_close(&conn);
    ck_assert_int_eq(conn.fd, -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ck_assert_int_eq(next_release, refs);
    for (int i = 0; i < refs; i++)
        EXPECT(references[i].released == 1);
    conn_close(&conn);
    turn();
    turn();
    ck_assert_uint_eq(readable_calls, 0);
    ck_assert_uint_eq(writable_calls, 0);
}
END_TEST

static void close_conn(struct conn *closing)
{
    readable_calls++;
    conn_close(closing);
}

// What is told of a turn after the connection was closed in it.
START_TEST(a_connection_may_be_closed_when_it_is_told)
{
    static const struct conn_ops closing = { .readable = close_conn, .writable = close_conn };
    conn.ops = &closing;
    small_buffers();
    size_t sent;
    queue_large();
    ck_assert_int_eq(flush(&sent), STATUS_AGAIN);
    ck_assert_int_eq(write(peer, "x", 1), 1);
    close_peer();
    turn();
    turn();
    ck_assert_uint_eq(readable_calls, 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("conn");
    TCase *receiving = tcase_create("receiving");
    tcase_add_checked_fixture(receiving, set_up, tear_down);
    tcase_add_test(receiving, the_socket_does_not_block);
    tcase_add_test(receiving, bytes_are_received_as_there_is_room);
    tcase_add_test(receiving, a_peer_that_is_done);
    tcase_add_test(receiving, a_connection_that_was_reset);
    tcase_add_test(receiving, readiness_to_read_is_told);
    tcase_add_test(receiving, reading_can_pause);
    suite_add_tcase(suite, receiving);

    TCase *sending = tcase_create("sending");
    tcase_add_checked_fixture(sending, set_up, tear_down);
    tcase_set_timeout(sending, 60);
    tcase_add_test(sending, nothing_to_send);
    tcase_add_test(sending, a_reply_is_sent_at_once);
    tcase_add_test(sending, an_unused_chunk_may_stand_in_front);
    tcase_add_test(sending, many_small_pieces);
    tcase_add_test(sending, a_slow_reader_gets_all_in_order);
    tcase_add_test(sending, more_may_be_queued_behind_a_short_write);
    suite_add_tcase(suite, sending);

    TCase *ends = tcase_create("ends");
    tcase_add_checked_fixture(ends, set_up, tear_down);
    tcase_add_test(ends, a_broken_pipe_is_told_and_kills_nobody);
    tcase_add_test(ends, a_peer_that_leaves_in_the_middle);
    tcase_add_test(ends, closing_drops_what_waits);
    tcase_add_test(ends, a_connection_may_be_closed_when_it_is_told);
    suite_add_tcase(suite, ends);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
