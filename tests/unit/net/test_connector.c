// SPDX-License-Identifier: BSD-3-Clause
// Tests of connecting: addresses and names, refusals, the address to connect from, and giving up in between.
#include "net/connector.h"

#include "base/clock.h"
#include "base/memory.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_US UINT64_C(30000000)

static struct loop *loop;
static size_t used_before;
static int listening;
static int port;
static int calls;
static int connected_fd;
static char last_reason[256];

static void set_up(void)
{
    used_before = mem_used();
    loop = loop_new();
    calls = 0;
    connected_fd = -1;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listening, 8), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
}

static void tear_down(void)
{
    if (connected_fd >= 0)
        close(connected_fd);
    close(listening);
    loop_free(loop);
    ck_assert_uint_eq(mem_used(), used_before);
}

static void on_connected(void *udata, int fd, const char *reason)
{
    ck_assert_ptr_eq(udata, &calls);
    ck_assert(fd >= 0 ? reason == NULL : reason != NULL);
    connected_fd = fd;
    strncpy(last_reason, reason ? reason : "", sizeof(last_reason) - 1);
    calls++;
}

static struct connector *begin(const char *host, const char *source)
{
    const struct connector_options options = { .host = host, .port = port, .source = source };
    return connector_start(loop, &options, on_connected, &calls);
}

static void await_call(void)
{
    uint64_t end_us = clock_mono_us_now() + PATIENCE_US;
    while (!calls) {
        ck_assert_uint_lt(clock_mono_us_now(), end_us);
        loop_poll(loop);
    }
    ck_assert_int_eq(calls, 1);
}

// The peer's address of the connection that the listener has.
static uint32_t accepted_from(void)
{
    struct sockaddr_in address = { 0 };
    socklen_t len = sizeof(address);
    int fd = accept(listening, (struct sockaddr *)&address, &len);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return ntohl(address.sin_addr.s_addr);
}

START_TEST(an_address)
{
    begin("127.0.0.1", NULL);
    ck_assert_int_eq(calls, 0);
    await_call();
    ck_assert_int_ge(connected_fd, 0);
    ck_assert(fcntl(connected_fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(connected_fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_uint_eq(accepted_from(), INADDR_LOOPBACK);
}
END_TEST

START_TEST(a_name_whose_first_address_may_not_answer)
{
    begin("localhost", NULL);
    await_call();
    ck_assert_msg(connected_fd >= 0, "%s", last_reason);
    accepted_from();
}
END_TEST

START_TEST(nobody_listens)
{
    close(listening);
    begin("127.0.0.1", "");
    ck_assert_int_eq(calls, 0);
    await_call();
    ck_assert_int_eq(connected_fd, -1);
    ck_assert_str_eq(last_reason, "Connection refused");
    listening = -1;
}
END_TEST

START_TEST(from_an_address)
{
    begin("127.0.0.1", "127.0.0.3");
    await_call();
    ck_assert_msg(connected_fd >= 0, "%s", last_reason);
    ck_assert_uint_eq(accepted_from(), 0x7f000003);
}
END_TEST

START_TEST(from_what_is_no_address_of_this_machine)
{
    static const char *const sources[] = { "192.0.2.1", "nonsense", "::1" };
    for (int i = 0; i < 3; i++) {
        calls = 0;
        begin("127.0.0.1", sources[i]);
        await_call();
        ck_assert_int_eq(connected_fd, -1);
        ck_assert_uint_gt(strlen(last_reason), 0);
    }
}
END_TEST

START_TEST(given_up)
{
    connector_cancel(NULL);
    for (int i = 0; i < 20; i++) {
        struct connector *connector = begin(i % 2 ? "localhost" : "127.0.0.1", NULL);
        for (int turns = 0; turns < i / 4 && !calls; turns++)
            loop_poll(loop);
        if (!calls)
            connector_cancel(connector);
        else if (connected_fd >= 0)
            close(connected_fd);
        calls = 0;
        connected_fd = -1;
    }
    for (int turns = 0; turns < 100; turns++)
        loop_poll(loop);
    ck_assert_int_eq(calls, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("connector");
    TCase *tcase = tcase_create("connector");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_address);
    tcase_add_test(tcase, a_name_whose_first_address_may_not_answer);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, from_an_address);
    tcase_add_test(tcase, from_what_is_no_address_of_this_machine);
    tcase_add_test(tcase, given_up);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
