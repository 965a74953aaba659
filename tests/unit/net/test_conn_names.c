// SPDX-License-Identifier: BSD-3-Clause
// Tests of what a connection tells of its ends, and of the options of TCP sockets.
#include "net/conn.h"

#include "base/memory.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// A connection's two ends, the ports they have, and the socket that accepted.
struct ends {
    int server;
    int client;
    int server_port;
    int client_port;
};

static void ignore(struct conn *conn)
{
    (void)conn;
}

static const struct conn_ops ops = { .readable = ignore, .writable = ignore };
static struct loop *loop;
static struct outq_pool pool;

static void set_up(void)
{
    loop = loop_new();
}

static void tear_down(void)
{
    loop_free(loop);
}

static int port_of(int fd)
{
    struct sockaddr_in6 address = { 0 };
    socklen_t len = sizeof(address);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    // At the same place in both families.
    return ntohs(address.sin6_port);
}

// False: this machine has no such address.
static bool connect_ends(struct ends *ends, const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_storage bound;
    socklen_t bound_len = len;
    int listening = socket(address->sa_family, SOCK_STREAM, 0);
    if (listening < 0)
        return false;
    if (bind(listening, address, len) != 0) {
        close(listening);
        return false;
    }
    ck_assert_int_eq(listen(listening, 1), 0);
    memcpy(&bound, address, len);
    if (address->sa_family != AF_UNIX)
        ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&bound, &bound_len), 0);
    ends->client = socket(address->sa_family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(ends->client, (struct sockaddr *)&bound, bound_len), 0);
    ends->server = accept(listening, NULL, NULL);
    ck_assert_int_ge(ends->server, 0);
    if (address->sa_family != AF_UNIX) {
        ends->server_port = port_of(ends->server);
        ends->client_port = port_of(ends->client);
    }
    close(listening);
    return true;
}

static void expect_names(const struct conn *conn, const struct ends *ends, const char *format)
{
    char want[CONN_NAME_MAX];
    char have[CONN_NAME_MAX];
    snprintf(want, sizeof(want), format, ends->client_port);
    conn_peer_name(conn, have);
    ck_assert_str_eq(have, want);
    snprintf(want, sizeof(want), format, ends->server_port);
    conn_local_name(conn, have);
    ck_assert_str_eq(have, want);
}

START_TEST(ends_over_ipv4)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    struct ends ends = { 0 };
    struct conn conn;
    ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    ck_assert(connect_ends(&ends, (struct sockaddr *)&address, sizeof(address)));
    conn_init(&conn, loop, &pool, ends.server, &ops);
    expect_names(&conn, &ends, "127.0.0.1:%d");
    ck_assert(conn_is_local(&conn));
    ck_assert(!conn_is_unix(&conn));
    conn_close(&conn);
    close(ends.client);
}
END_TEST

START_TEST(ends_over_ipv6)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct ends ends = { 0 };
    struct conn conn;
    if (!connect_ends(&ends, (struct sockaddr *)&address, sizeof(address)))
        return;
    conn_init(&conn, loop, &pool, ends.server, &ops);
    expect_names(&conn, &ends, "[::1]:%d");
    ck_assert(conn_is_local(&conn));
    ck_assert(!conn_is_unix(&conn));
    conn_close(&conn);
    close(ends.client);
}
END_TEST

// A socket for both families shows an IPv4 peer as an IPv6 address.
START_TEST(a_mapped_loopback_address_is_local)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
    struct ends ends = { 0 };
    struct conn conn;
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr), 1);
    if (!connect_ends(&ends, (struct sockaddr *)&address, sizeof(address)))
        return;
    conn_init(&conn, loop, &pool, ends.server, &ops);
    expect_names(&conn, &ends, "[::ffff:127.0.0.1]:%d");
    ck_assert(conn_is_local(&conn));
    conn_close(&conn);
    close(ends.client);
}
END_TEST

static void unix_ends(size_t name_len)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char folder[] = "/tmp/respite-conn-XXXXXX";
    char want[CONN_NAME_MAX];
    char have[CONN_NAME_MAX];
    struct ends ends = { 0 };
    struct conn conn;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/", folder);
    while ((size_t)len < name_len)
        address.sun_path[len++] = 's';
    ck_assert(connect_ends(&ends, (struct sockaddr *)&address, sizeof(address)));
    snprintf(want, sizeof(want), "%.108s:0", address.sun_path);

    conn_init(&conn, loop, &pool, ends.server, &ops);
    conn_peer_name(&conn, have);
    ck_assert_str_eq(have, want);
    conn_local_name(&conn, have);
    ck_assert_str_eq(have, want);
    ck_assert(conn_is_local(&conn));
    ck_assert(conn_is_unix(&conn));
    conn_close(&conn);
    close(ends.client);
    snprintf(have, sizeof(have), "%.108s", address.sun_path);
    unlink(have);
    rmdir(folder);
}

START_TEST(ends_over_a_unix_socket)
{
    unix_ends(40);
    // As long as a path can be: no NUL behind it.
    unix_ends(107);
    unix_ends(108);
}
END_TEST

START_TEST(a_peer_that_is_gone_has_no_name)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    char have[CONN_NAME_MAX];
    struct ends ends = { 0 };
    struct conn conn;
    ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    ck_assert(connect_ends(&ends, (struct sockaddr *)&address, sizeof(address)));
    conn_init(&conn, loop, &pool, ends.server, &ops);
    const struct linger reset = { .l_onoff = 1 };
    setsockopt(ends.client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(ends.client);
    // The reset arrives before anything that follows on the loopback device.
    conn_peer_name(&conn, have);
    ck_assert_str_eq(have, "?:0");
    ck_assert(!conn_is_local(&conn));
    conn_close(&conn);
}
END_TEST

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

START_TEST(options_of_a_tcp_socket)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    conn_set_tcp_options(fd, 0);
    ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    conn_set_tcp_options(fd, 300);
    ck_assert_int_ne(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 300);
    ck_assert_int_gt(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 0);
    ck_assert_int_lt(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 300);
    conn_set_tcp_options(fd, 1);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 1);
    close(fd);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("names of connections");
    TCase *tcase = tcase_create("names");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, ends_over_ipv4);
    tcase_add_test(tcase, ends_over_ipv6);
    tcase_add_test(tcase, a_mapped_loopback_address_is_local);
    tcase_add_test(tcase, ends_over_a_unix_socket);
    tcase_add_test(tcase, a_peer_that_is_gone_has_no_name);
    tcase_add_test(tcase, options_of_a_tcp_socket);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
