// SPDX-License-Identifier: BSD-3-Clause
// Tests of listening sockets: TCP and UNIX addresses, permissions, old socket files, bounded accepts.
#include "net/listener.h"

#include "base/log.h"
#include "base/memory.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 300
#define BACKLOG     511

static struct loop *loop;
static size_t used_before;
static char folder[64];
static char path[96];
static int accepted[CLIENTS_MAX];
static int accepted_count;
static int accepted_unix;
static int clients[CLIENTS_MAX];
static int client_count;

static void accept_one(void *udata, int fd, bool is_unix)
{
    ck_assert_ptr_eq(udata, accepted);
    ck_assert_int_lt(accepted_count, CLIENTS_MAX);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    accepted[accepted_count++] = fd;
    accepted_unix += is_unix;
}

static void set_up(void)
{
    log_set_level(LOG_NOTHING);
    snprintf(folder, sizeof(folder), "/tmp/respite-listener-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    accepted_count = accepted_unix = client_count = 0;
    used_before = mem_used();
    loop = loop_new();
}

static void tear_down(void)
{
    while (accepted_count > 0)
        close(accepted[--accepted_count]);
    while (client_count > 0)
        close(clients[--client_count]);
    loop_free(loop);
    ck_assert_uint_eq(mem_used(), used_before);
    unlink(path);
    rmdir(folder);
}

static void turn(void)
{
    ev_run(loop_ev(loop), EVRUN_NOWAIT);
}

static enum status open_tcp(const char *address, int port, struct listener **out)
{
    const struct listener_tcp options = { .address = address, .port = port, .backlog = BACKLOG };
    return listener_open_tcp(loop, &options, accept_one, accepted, out);
}

static enum status open_unix(unsigned mode, struct listener **out)
{
    return listener_open_unix(loop, path, mode, BACKLOG, accept_one, accepted, out);
}

// Connects to a loopback address of either family; -1 with errno if that fails.
static int connect_tcp(int family, int port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons((uint16_t)port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(family, SOCK_STREAM, 0);
    int failed = family == AF_INET ? connect(fd, (struct sockaddr *)&in, sizeof(in))
                                   : connect(fd, (struct sockaddr *)&in6, sizeof(in6));
    if (failed) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    clients[client_count++] = fd;
    return fd;
}

static int connect_unix(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    clients[client_count++] = fd;
    return fd;
}

// What the client sends arrives at the connection that was accepted last.
static void expect_connected(int client)
{
    char byte = 0;
    ck_assert_int_ge(client, 0);
    int before = accepted_count;
    turn();
    ck_assert_int_eq(accepted_count, before + 1);
    ck_assert_int_eq(write(client, "x", 1), 1);
    ck_assert_int_eq(read(accepted[before], &byte, 1), 1);
    ck_assert_int_eq(byte, 'x');
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

// False: this machine has no IPv6.
static bool have_ipv6(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool have = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return have;
}

START_TEST(an_ipv4_address)
{
    struct listener *listener;
    ck_assert_int_eq(open_tcp("127.0.0.1", 0, &listener), STATUS_OK);
    int port = listener_port(listener);
    ck_assert_int_gt(port, 0);
    expect_connected(connect_tcp(AF_INET, port));
    ck_assert_int_eq(accepted_unix, 0);
    listener_close(listener);
    ck_assert_int_eq(connect_tcp(AF_INET, port), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    // The port can be had again at once, although connections linger.
    ck_assert_int_eq(open_tcp("127.0.0.1", port, &listener), STATUS_OK);
    ck_assert_int_eq(listener_port(listener), port);
    listener_close(listener);
}
END_TEST

START_TEST(an_ipv6_address)
{
    struct listener *listener;
    if (!have_ipv6())
        return;
    ck_assert_int_eq(open_tcp("::1", 0, &listener), STATUS_OK);
    int port = listener_port(listener);
    ck_assert_int_gt(port, 0);
    expect_connected(connect_tcp(AF_INET6, port));
    ck_assert_int_eq(connect_tcp(AF_INET, port), -1);
    listener_close(listener);
}
END_TEST

// Both families at one port, as "bind * ::*" wants it.
START_TEST(all_addresses_of_a_family)
{
    struct listener *all4;
    struct listener *all6;
    ck_assert_int_eq(open_tcp("*", 0, &all4), STATUS_OK);
    int port = listener_port(all4);
    expect_connected(connect_tcp(AF_INET, port));
    if (have_ipv6()) {
        ck_assert_int_eq(connect_tcp(AF_INET6, port), -1);
        ck_assert_int_eq(open_tcp("::*", port, &all6), STATUS_OK);
        expect_connected(connect_tcp(AF_INET6, port));
        expect_connected(connect_tcp(AF_INET, port));
        listener_close(all6);
    }
    listener_close(all4);
}
END_TEST

START_TEST(a_port_that_is_taken)
{
    struct listener *first;
    struct listener *second = NULL;
    ck_assert_int_eq(open_tcp("127.0.0.1", 0, &first), STATUS_OK);
    int before = open_descriptors();
    ck_assert_int_eq(open_tcp("127.0.0.1", listener_port(first), &second), STATUS_IO);
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(open_descriptors(), before);
    listener_close(first);
}
END_TEST

START_TEST(an_address_of_another_machine)
{
    // Reserved for documentation.
    struct listener *listener = NULL;
    int before = open_descriptors();
    ck_assert_int_eq(open_tcp("192.0.2.1", 0, &listener), STATUS_IO);
    ck_assert_int_eq(errno, EADDRNOTAVAIL);
    ck_assert_ptr_null(listener);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(a_unix_socket)
{
    struct listener *listener;
    struct stat info;
    ck_assert_int_eq(open_unix(0, &listener), STATUS_OK);
    ck_assert_int_eq(listener_port(listener), 0);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(S_ISSOCK(info.st_mode));
    expect_connected(connect_unix());
    ck_assert_int_eq(accepted_unix, 1);
    listener_close(listener);
    ck_assert_int_eq(stat(path, &info), -1);
}
END_TEST

START_TEST(permissions_of_a_unix_socket)
{
    static const unsigned modes[] = { 0700, 0770, 0777, 0600 };
    struct listener *listener;
    struct stat info;
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        ck_assert_int_eq(open_unix(modes[i], &listener), STATUS_OK);
        ck_assert_int_eq(stat(path, &info), 0);
        ck_assert_uint_eq(info.st_mode & 0777, modes[i]);
        listener_close(listener);
    }
    umask(027);
    ck_assert_int_eq(open_unix(0, &listener), STATUS_OK);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0750);
    listener_close(listener);
}
END_TEST

START_TEST(an_old_socket_file_is_replaced)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct listener *listener;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int old = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(old, (struct sockaddr *)&address, sizeof(address)), 0);
    close(old);
    ck_assert_int_eq(connect_unix(), -1);
    ck_assert_int_eq(open_unix(0, &listener), STATUS_OK);
    expect_connected(connect_unix());
    listener_close(listener);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_kept)
{
    struct listener *listener = NULL;
    struct stat info;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_eq(write(fd, "precious", 8), 8);
    close(fd);
    int before = open_descriptors();
    ck_assert_int_eq(open_unix(0700, &listener), STATUS_IO);
    ck_assert_int_eq(errno, EADDRINUSE);
    ck_assert_ptr_null(listener);
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_size, 8);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
}
END_TEST

START_TEST(paths_that_can_not_be)
{
    char longer[200];
    struct listener *listener = NULL;
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    memcpy(longer, "/tmp/", 5);
    int before = open_descriptors();
    ck_assert_int_eq(listener_open_unix(loop, longer, 0, BACKLOG, accept_one, accepted, &listener),
                     STATUS_IO);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    snprintf(longer, sizeof(longer), "%s/missing/socket", folder);
    ck_assert_int_eq(listener_open_unix(loop, longer, 0, BACKLOG, accept_one, accepted, &listener),
                     STATUS_IO);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_ptr_null(listener);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

// A storm of connections is taken in pieces, and by each listener for itself.
START_TEST(accepts_of_a_turn_are_bounded)
{
    enum { STORM = 150 };
    struct listener *tcp;
    struct listener *local;
    ck_assert_int_eq(open_tcp("127.0.0.1", 0, &tcp), STATUS_OK);
    ck_assert_int_eq(open_unix(0, &local), STATUS_OK);
    for (int i = 0; i < STORM; i++)
        ck_assert_int_ge(connect_tcp(AF_INET, listener_port(tcp)), 0);
    turn();
    ck_assert_int_eq(accepted_count, LISTENER_ACCEPTS_PER_TURN);
    for (int i = 0; i < 20; i++)
        ck_assert_int_ge(connect_unix(), 0);
    turn();
    ck_assert_int_eq(accepted_unix, 20);
    ck_assert_int_eq(accepted_count, 2 * LISTENER_ACCEPTS_PER_TURN + 20);
    turn();
    ck_assert_int_eq(accepted_count, STORM + 20);
    turn();
    ck_assert_int_eq(accepted_count, STORM + 20);
    listener_close(tcp);
    listener_close(local);
}
END_TEST

static unsigned long turns;

static void count_turn(void *udata)
{
    (void)udata;
    turns++;
}

static void stop(void *udata)
{
    (void)udata;
    loop_stop(loop);
}

// A connection that can't be taken, since there are no descriptors, stays in the backlog. The loop
// must not spend its time on asking again and again.
START_TEST(running_out_of_descriptors_does_not_spin)
{
    struct listener *listener;
    struct rlimit limit;
    ck_assert_int_eq(open_unix(0, &listener), STATUS_OK);
    ck_assert_int_ge(connect_unix(), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)clients[0] + 1;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    loop_on_sleep(loop, count_turn, NULL);
    loop_every(loop, 100, stop, NULL);
    loop_run(loop);
    ck_assert_int_eq(accepted_count, 0);
    ck_assert_uint_lt(turns, 1000);

    // It is taken when there are some again.
    limit.rlim_cur = before;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 100 && accepted_count == 0; i++)
        loop_run(loop);
    ck_assert_int_eq(accepted_count, 1);
    listener_close(listener);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("listener");
    TCase *tcp = tcase_create("tcp");
    tcase_add_checked_fixture(tcp, set_up, tear_down);
    tcase_add_test(tcp, an_ipv4_address);
    tcase_add_test(tcp, an_ipv6_address);
    tcase_add_test(tcp, all_addresses_of_a_family);
    tcase_add_test(tcp, a_port_that_is_taken);
    tcase_add_test(tcp, an_address_of_another_machine);
    suite_add_tcase(suite, tcp);

    TCase *local = tcase_create("unix");
    tcase_add_checked_fixture(local, set_up, tear_down);
    tcase_add_test(local, a_unix_socket);
    tcase_add_test(local, permissions_of_a_unix_socket);
    tcase_add_test(local, an_old_socket_file_is_replaced);
    tcase_add_test(local, a_file_that_is_no_socket_is_kept);
    tcase_add_test(local, paths_that_can_not_be);
    suite_add_tcase(suite, local);

    TCase *storms = tcase_create("storms");
    tcase_add_checked_fixture(storms, set_up, tear_down);
    tcase_set_timeout(storms, 30);
    tcase_add_test(storms, accepts_of_a_turn_are_bounded);
    tcase_add_test(storms, running_out_of_descriptors_does_not_spin);
    suite_add_tcase(suite, storms);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
