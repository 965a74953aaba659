// SPDX-License-Identifier: BSD-3-Clause
// Where the server listens, whom it lets in, and how it ends: sockets, protected mode, signals.
#include "support/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define OUTPUT_MAX 4096

// Of networks for documentation: one that no machine has, one that a test gives itself.
#define NO_ADDRESS  "198.51.100.77"
#define OWN_ADDRESS "203.0.113.77"

static void expect_ping(const char *address, int port)
{
    int fd = raw_connect_to(address, port);
    ck_assert_msg(fd >= 0, "no connection to %s: %s", address, strerror(errno));
    raw_ask(fd, "PING", "+PONG\r\n");
    close(fd);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

// Puts this test into a network of its own, of a loopback interface that also has OWN_ADDRESS: what
// listens on all addresses there can be reached by nobody else. False: not allowed here.
static bool enter_own_network(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        printf("skipped: no network of its own: %s\n", strerror(errno));
        return false;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    struct ifreq alias = { .ifr_name = "lo:1" };
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&alias.ifr_addr;
    address->sin_family = AF_INET;
    ck_assert_int_eq(inet_pton(AF_INET, OWN_ADDRESS, &address->sin_addr), 1);
    ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &alias), 0);
    close(fd);
    return true;
}

// --- UNIX socket --------------------------------------------------------------------------------

static mode_t socket_mode(const struct test_server *server)
{
    struct stat info;
    ck_assert_int_eq(stat(server->socket_path, &info), 0);
    ck_assert(S_ISSOCK(info.st_mode));
    return info.st_mode & 0777;
}

START_TEST(unix_socket)
{
    const mode_t modes[] = { 0700, 0777, 0750 };
    const char *words[] = { "700", "777", "750" };
    for (int i = 0; i < 3; i++) {
        char path[SERVER_PATH_MAX];
        char want[32];
        struct test_server *server = server_start(SERVER_ARGS("--unixsocketperm", words[i]));
        ck_assert_int_eq(socket_mode(server), modes[i]);
        redisContext *c = client_connect_unix(server);
        expect_status(c, "PONG", "PING");
        snprintf(want, sizeof(want), "unixsocketperm %s", words[i]);
        expect_list(c, want, "CONFIG GET unixsocketperm");
        redisFree(c);
        snprintf(path, sizeof(path), "%s", server->socket_path);
        server_stop(server);
        ck_assert_int_ne(access(path, F_OK), 0);
    }
}
END_TEST

START_TEST(unix_socket_only)
{
    struct test_server *server = server_start(SERVER_ARGS("--port", "0"));
    redisContext *c = client_connect_unix(server);
    expect_ok(c, "SET a 1");
    expect_text(c, "1", "GET a");
    ck_assert_int_lt(raw_connect_to("127.0.0.1", server->port), 0);
    redisFree(c);
    server_stop(server);
}
END_TEST

// A server that was killed leaves its socket behind; the next one takes its place.
START_TEST(stale_unix_socket)
{
    char dir[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX];
    server_temp_dir(dir);
    snprintf(path, sizeof(path), "%.80s/s", dir);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    ck_assert_int_eq(access(path, F_OK), 0);
    struct test_server *server = server_start_with(&(struct server_options){ .socket_path = path });
    redisContext *c = client_connect_unix(server);
    expect_status(c, "PONG", "PING");
    redisFree(c);
    server_stop(server);
    rmdir(dir);
}
END_TEST

START_TEST(bad_unix_socket)
{
    char dir[SERVER_PATH_MAX];
    char output[OUTPUT_MAX];
    server_temp_dir(dir);
    int status = server_run(dir, SERVER_ARGS("--port", "0", "--unixsocket", "/nosuchdir/s"), output,
                            sizeof(output));
    ck_assert_int_eq(status, 1);
    ck_assert_msg(strstr(output, "/nosuchdir/s") != NULL &&
                      strstr(output, "No such file or directory") != NULL,
                  "%s", output);
    // A file that is no socket is nobody's to take away.
    char path[SERVER_PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/file", dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    status = server_run(dir, SERVER_ARGS("--port", "0", "--unixsocket", path), output,
                        sizeof(output));
    ck_assert_msg(status == 1, "%s", output);
    ck_assert_int_eq(access(path, F_OK), 0);
    remove(path);
}
END_TEST

// --- bind and port ------------------------------------------------------------------------------

START_TEST(several_addresses)
{
    if (!has_ipv6()) {
        printf("skipped: this machine has no IPv6\n");
        return;
    }
    struct test_server *server = server_start_with(
        &(struct server_options){ .bind = "127.0.0.1 ::1" });
    expect_ping("127.0.0.1", server->port);
    expect_ping("::1", server->port);
    char line[1024];
    int fd = raw_connect_to("::1", server->port);
    raw_text(fd, "CLIENT INFO\r\n");
    raw_line(fd, line, sizeof(line));
    raw_line(fd, line, sizeof(line));
    ck_assert_msg(strstr(line, " addr=[::1]:") != NULL, "%s", line);
    close(fd);
    server_stop(server);
}
END_TEST

START_TEST(all_addresses)
{
    if (!enter_own_network())
        return;
    struct test_server *server = server_start_with(&(struct server_options){
        .args = SERVER_ARGS("--bind", "*", "-::*", "--protected-mode", "no") });
    expect_ping("127.0.0.1", server->port);
    expect_ping("127.0.0.2", server->port);
    expect_ping(OWN_ADDRESS, server->port);
    if (has_ipv6())
        expect_ping("::1", server->port);
    server_stop(server);
}
END_TEST

START_TEST(addresses_that_do_not_exist)
{
    struct test_server *server = server_start_with(
        &(struct server_options){ .bind = "127.0.0.1 -" NO_ADDRESS });
    expect_ping("127.0.0.1", server->port);
    server_stop(server);

    char dir[SERVER_PATH_MAX];
    char port[8];
    char output[OUTPUT_MAX];
    server_temp_dir(dir);
    snprintf(port, sizeof(port), "%d", server_free_port());
    int status = server_run(dir, SERVER_ARGS("--port", port, "--bind", "127.0.0.1", NO_ADDRESS),
                            output, sizeof(output));
    ck_assert_int_eq(status, 1);
    ck_assert_msg(strstr(output, NO_ADDRESS) != NULL &&
                      strstr(output, "Cannot assign requested address") != NULL,
                  "%s", output);
}
END_TEST

START_TEST(port_in_use)
{
    char port[8];
    char output[OUTPUT_MAX];
    struct test_server *server = server_start(NULL);
    snprintf(port, sizeof(port), "%d", server->port);
    int status = server_run(server->dir, SERVER_ARGS("--port", port, "--bind", "127.0.0.1"), output,
                            sizeof(output));
    ck_assert_int_eq(status, 1);
    ck_assert_msg(strstr(output, port) != NULL && strstr(output, "Address already in use") != NULL,
                  "%s", output);
    expect_ping("127.0.0.1", server->port);
    // The '-' is for addresses that do not exist, not for ports that are taken.
    status = server_run(server->dir, SERVER_ARGS("--port", port, "--bind", "-127.0.0.1"), output,
                        sizeof(output));
    ck_assert_msg(status == 1, "%s", output);
    server_stop(server);
}
END_TEST

START_TEST(nowhere_to_listen)
{
    char dir[SERVER_PATH_MAX];
    char output[OUTPUT_MAX];
    server_temp_dir(dir);
    ck_assert_int_eq(server_run(dir, SERVER_ARGS("--port", "0"), output, sizeof(output)), 1);
    ck_assert_msg(strstr(output, "listen") != NULL, "%s", output);
}
END_TEST

// --- CONFIG SET port and bind -------------------------------------------------------------------

#define SET_FAILED(NAME) "ERR CONFIG SET failed (possibly related to argument '" NAME "') - "
#define PORT_TAKEN       SET_FAILED("port") "Unable to listen on this port. Check server logs."
#define BIND_FAILED      SET_FAILED("bind") "Failed to bind to specified addresses."

static void expect_nobody(const char *address, int port)
{
    int fd = raw_connect_to(address, port);
    ck_assert_msg(fd < 0, "somebody listens on %s:%d", address, port);
}

START_TEST(port_is_changed)
{
    struct test_server *server = server_start(NULL);
    struct test_server *other = server_start(NULL);
    redisContext *c = client_connect(server);
    int port = server_free_port();
    expect_ok(c, "CONFIG SET port %d", port);
    expect_ping("127.0.0.1", port);
    expect_nobody("127.0.0.1", server->port);
    ck_assert_int_eq(server_info(server, "tcp_port"), port);

    // Taken: all stays as it is.
    expect_error(c, PORT_TAKEN, "CONFIG SET port %d", other->port);
    expect_ping("127.0.0.1", port);
    expect_error(c, PORT_TAKEN, "CONFIG SET timeout 7 port %d", other->port);
    expect_list(c, "timeout 0", "CONFIG GET timeout");

    expect_ok(c, "CONFIG SET port 0");
    expect_nobody("127.0.0.1", port);
    expect_ok(c, "CONFIG SET port %d", server->port);
    expect_ping("127.0.0.1", server->port);
    expect_status(c, "PONG", "PING");
    redisFree(c);
    server_stop(other);
    server_stop(server);
}
END_TEST

START_TEST(bind_is_changed)
{
    struct test_server *server = server_start(NULL);
    redisContext *c = client_connect(server);
    redisContext *local = client_connect_unix(server);
    expect_ok(c, "CONFIG SET bind %s", "127.0.0.1 127.0.0.2 -" NO_ADDRESS);
    expect_ping("127.0.0.1", server->port);
    expect_ping("127.0.0.2", server->port);
    expect_error(c, BIND_FAILED, "CONFIG SET bind %s", "127.0.0.3 " NO_ADDRESS);
    expect_error(c, BIND_FAILED, "CONFIG SET bind %s", "127.0.0.3 127.0.0.3");
    expect_nobody("127.0.0.3", server->port);
    expect_ping("127.0.0.1", server->port);
    expect_ping("127.0.0.2", server->port);
    expect_list(c, "bind 127.0.0.1 127.0.0.2 -" NO_ADDRESS, "CONFIG GET bind");

    expect_ok(c, "CONFIG SET bind %s", "127.0.0.2");
    expect_nobody("127.0.0.1", server->port);
    expect_ping("127.0.0.2", server->port);
    expect_ok(c, "CONFIG SET bind %s", "");
    expect_nobody("127.0.0.2", server->port);
    expect_ok(local, "CONFIG SET bind %s", "127.0.0.1");
    expect_ping("127.0.0.1", server->port);
    expect_status(c, "PONG", "PING");
    redisFree(local);
    redisFree(c);
    server_stop(server);
}
END_TEST

// All addresses can not be had beside one of them: then the old socket goes first.
START_TEST(all_addresses_instead_of_one)
{
    if (!enter_own_network())
        return;
    struct test_server *server = server_start(SERVER_ARGS("--protected-mode", "no"));
    redisContext *c = client_connect(server);
    expect_ok(c, "CONFIG SET bind *");
    expect_ping(OWN_ADDRESS, server->port);
    expect_ping("127.0.0.1", server->port);
    // It does not help here, and what was there comes back.
    expect_error(c, BIND_FAILED, "CONFIG SET bind %s", "127.0.0.1 127.0.0.1");
    expect_ping(OWN_ADDRESS, server->port);
    expect_list(c, "bind *", "CONFIG GET bind");
    expect_ok(c, "CONFIG SET bind 127.0.0.1");
    expect_nobody(OWN_ADDRESS, server->port);
    expect_ping("127.0.0.1", server->port);
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- protected-mode -----------------------------------------------------------------------------

START_TEST(protected_mode)
{
    char said[OUTPUT_MAX];
    if (!enter_own_network())
        return;
    struct test_server *server = server_start_with(
        &(struct server_options){ .bind = "127.0.0.1 " OWN_ADDRESS });
    redisContext *c = client_connect(server);
    int fd = raw_connect_to(OWN_ADDRESS, server->port);
    ck_assert_int_ge(fd, 0);
    (void)raw_send_some(fd, "PING\r\n", 6);
    raw_read_all(fd, said, sizeof(said));
    close(fd);
    ck_assert_msg(strncmp(said, "-DENIED Redis is running in protected mode", 42) == 0, "%s", said);
    ck_assert_str_eq(said + strlen(said) - 2, "\r\n");
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
    ck_assert_int_eq(server_info(server, "rejected_connections"), 1);
    ck_assert(
        server_logged(server, "* Refused 1 connection(s) from other machines: protected-mode"));
    expect_status(c, "PONG", "PING");

    expect_ok(c, "CONFIG SET protected-mode no");
    expect_ping(OWN_ADDRESS, server->port);
    expect_ok(c, "CONFIG SET protected-mode yes requirepass secret");
    fd = raw_connect_to(OWN_ADDRESS, server->port);
    raw_ask(fd, "PING", "-NOAUTH Authentication required.\r\n");
    raw_ask(fd, "AUTH secret", "+OK\r\n");
    raw_ask(fd, "PING", "+PONG\r\n");
    close(fd);
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Signals ------------------------------------------------------------------------------------

// With clients in every state.
static void stop_with_clients(int signal_number)
{
    static const char *const texts[] = { "PING\r\n", "*3\r\n$3\r\nSET\r\n", "",
                                         "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\nsome",
                                         "PING\r\nPING\r\nPING\r\nPI" };
    enum { COUNT = 50 };
    int fds[COUNT];
    struct test_server *server = server_start(NULL);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect(server);
        raw_text(fds[i], texts[i % 5]);
    }
    redisContext *c = client_connect(server);
    client_fill(c, "key:", 1000);
    server_stop_with(server, signal_number);
    for (int i = 0; i < COUNT; i++) {
        char said[256];
        raw_read_all(fds[i], said, sizeof(said));
        close(fds[i]);
    }
    redisFree(c);
}

START_TEST(sigterm_ends_cleanly)
{
    stop_with_clients(SIGTERM);
}
END_TEST

START_TEST(sigint_ends_cleanly)
{
    stop_with_clients(SIGINT);
}
END_TEST

START_TEST(other_signals_are_ignored)
{
    struct test_server *server = server_start(NULL);
    redisContext *c = client_connect(server);
    kill(server->pid, SIGHUP);
    kill(server->pid, SIGPIPE);
    expect_status(c, "PONG", "PING");
    redisFree(c);
    server_stop(server);
}
END_TEST

// --- Connections that come and go ---------------------------------------------------------------

// Closes with a reset instead of a goodbye.
static void slam(int fd)
{
    const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static void wait_until_alone(const struct test_server *server)
{
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        // The connection of server_info() itself and the fixture's.
        if (server_info(server, "connected_clients") == 2)
            return;
    }
}

START_TEST(disconnects_in_the_middle)
{
    enum { ROUNDS = 1500, LEN = 40000 };
    static char pipeline[LEN];
    size_t len = 0;
    while (len < LEN - 100)
        len += (size_t)snprintf(pipeline + len, LEN - len,
                                "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$20\r\n%020zu\r\n"
                                "*2\r\n$3\r\nGET\r\n$1\r\na\r\n",
                                len);
    redisContext *c = plain();
    expect_status(c, "PONG", "PING");
    long long before = server_info(plain_server(), "used_memory");
    for (int i = 0; i < ROUNDS; i++) {
        int fd = raw_connect(plain_server());
        // Some are not even accepted when they go.
        if (i % 4 < 2)
            raw_ask(fd, "PING", "+PONG\r\n");
        // Cut wherever it happens to be.
        (void)raw_send_some(fd, pipeline, (size_t)i * 7919 % len);
        if (i % 2)
            slam(fd);
        else
            close(fd);
    }
    wait_until_alone(plain_server());
    expect_status(c, "PONG", "PING");
    long long after = server_info(plain_server(), "used_memory");
    ck_assert_msg(after - before < 1000000, "%lld bytes stayed", after - before);
    ck_assert_int_ge(server_info(plain_server(), "total_connections_received"), ROUNDS / 2);
}
END_TEST

// Leaves with 10 MB of replies unread, many times.
static void leave_replies(void)
{
    for (int i = 0; i < 100; i++) {
        int fd = raw_connect(plain_server());
        for (int k = 0; k < 100; k++)
            raw_text(fd, "GET v\r\n");
        if (i % 2)
            slam(fd);
        else
            close(fd);
    }
    wait_until_alone(plain_server());
}

// Replies that nobody reads any more are let go. The first round fills what the server keeps for
// later.
START_TEST(disconnects_with_replies_waiting)
{
    static char value[100001];
    redisContext *c = plain();
    memset(value, 'v', sizeof(value) - 1);
    expect_ok(c, "SET v %s", value);
    leave_replies();
    long long before = server_info(plain_server(), "used_memory");
    ck_assert_int_lt(before, 50000000);
    leave_replies();
    expect_int(c, 100000, "STRLEN v");
    long long after = server_info(plain_server(), "used_memory");
    ck_assert_msg(after - before < 10000000, "%lld bytes stayed", after - before);
}
END_TEST

// One that has said all it wants to say still gets its answers.
START_TEST(half_closed)
{
    enum { COMMANDS = 5000 };
    int fd = raw_connect(plain_server());
    for (int i = 0; i < COMMANDS; i++)
        raw_text(fd, "INCR n\r\n");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    for (int i = 0; i < COMMANDS; i++) {
        char want[16];
        snprintf(want, sizeof(want), ":%d\r\n", i + 1);
        raw_expect(fd, want);
    }
    raw_expect_closed(fd);
    close(fd);
    wait_until_alone(plain_server());
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("network");
    TCase *tcase = server_tcase(suite, "unixsocket");
    tcase_add_test(tcase, unix_socket);
    tcase_add_test(tcase, unix_socket_only);
    tcase_add_test(tcase, stale_unix_socket);
    tcase_add_test(tcase, bad_unix_socket);
    tcase = server_tcase(suite, "bind");
    tcase_add_test(tcase, several_addresses);
    tcase_add_test(tcase, all_addresses);
    tcase_add_test(tcase, addresses_that_do_not_exist);
    tcase_add_test(tcase, port_in_use);
    tcase_add_test(tcase, nowhere_to_listen);
    tcase = server_tcase(suite, "config_set");
    tcase_add_test(tcase, port_is_changed);
    tcase_add_test(tcase, bind_is_changed);
    tcase_add_test(tcase, all_addresses_instead_of_one);
    tcase = server_tcase(suite, "protected");
    tcase_add_test(tcase, protected_mode);
    tcase = server_tcase(suite, "signals");
    tcase_add_test(tcase, sigterm_ends_cleanly);
    tcase_add_test(tcase, sigint_ends_cleanly);
    tcase_add_test(tcase, other_signals_are_ignored);
    tcase = plain_tcase(suite, "coming_and_going");
    tcase_add_test(tcase, disconnects_in_the_middle);
    tcase_add_test(tcase, disconnects_with_replies_waiting);
    tcase_add_test(tcase, half_closed);
    return suite;
}

SERVER_TEST_MAIN(make_suite)
