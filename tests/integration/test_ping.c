// SPDX-License-Identifier: BSD-3-Clause
// respite-server --ping: it is content with PONG and nothing else.
#include "support/raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 4096

static void forget_passwords(void)
{
    unsetenv("RESPITE_PASSWORD");
    unsetenv("REDISCLI_AUTH");
}

static void expect_healthy(const char *address)
{
    char dir[SERVER_PATH_MAX];
    char output[OUTPUT_MAX];
    server_temp_dir(dir);
    int status = server_run(dir, SERVER_ARGS("--ping", address), output, sizeof(output));
    ck_assert_msg(status == 0 && !output[0], "%s: %d: %s", address, status, output);
}

// With the reason in what it prints.
static void expect_unhealthy(const char *address, const char *seconds, const char *reason)
{
    char dir[SERVER_PATH_MAX];
    char output[OUTPUT_MAX];
    server_temp_dir(dir);
    int status = server_run(dir, SERVER_ARGS("--ping", address, seconds), output, sizeof(output));
    ck_assert_msg(status == 1, "%s: %d: %s", address, status, output);
    ck_assert_msg(strstr(output, reason) != NULL, "%s: \"%s\" is not in: %s", address, reason,
                  output);
}

START_TEST(a_server_that_answers)
{
    char address[SERVER_PATH_MAX + 16];
    struct test_server *server = server_start(NULL);
    snprintf(address, sizeof(address), "127.0.0.1:%d", server->port);
    expect_healthy(address);
    snprintf(address, sizeof(address), "localhost:%d", server->port);
    expect_healthy(address);
    expect_healthy(server->socket_path);
    snprintf(address, sizeof(address), "unix:%s", server->socket_path);
    expect_healthy(address);
    // A password that nobody wants does no harm.
    setenv("RESPITE_PASSWORD", "secret", 1);
    expect_healthy(address);
    server_stop(server);
    expect_unhealthy(address, "3", "No such file or directory");
}
END_TEST

START_TEST(ipv6)
{
    char address[64];
    struct sockaddr_in6 probe = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && bind(fd, (struct sockaddr *)&probe, sizeof(probe)) == 0;
    close(fd);
    if (!there) {
        printf("skipped: this machine has no IPv6\n");
        return;
    }
    struct test_server *server = server_start_with(
        &(struct server_options){ .bind = "127.0.0.1 ::1" });
    snprintf(address, sizeof(address), "[::1]:%d", server->port);
    expect_healthy(address);
    server_stop(server);
}
END_TEST

START_TEST(passwords)
{
    struct test_server *server = server_start(SERVER_ARGS("--requirepass", "a b%s"));
    expect_unhealthy(server->socket_path, "3", "NOAUTH");
    setenv("RESPITE_PASSWORD", "wrong", 1);
    expect_unhealthy(server->socket_path, "3", "WRONGPASS");
    setenv("RESPITE_PASSWORD", "a b%s", 1);
    expect_healthy(server->socket_path);
    unsetenv("RESPITE_PASSWORD");
    setenv("REDISCLI_AUTH", "a b%s", 1);
    expect_healthy(server->socket_path);
    server_stop(server);
}
END_TEST

START_TEST(a_full_server)
{
    char said[64];
    char address[64];
    struct test_server *server = server_start(SERVER_ARGS("--maxclients", "1"));
    int fd = -1;
    for (struct deadline limit = deadline();; deadline_wait(&limit)) {
        fd = raw_connect(server);
        raw_text(fd, "PING\r\n");
        if (raw_read(fd, said, sizeof(said)) > 0 && said[0] == '+')
            break;
        close(fd);
    }
    snprintf(address, sizeof(address), "127.0.0.1:%d", server->port);
    expect_unhealthy(address, "3", "no PONG from ");
    close(fd);
    server_stop(server);
}
END_TEST

START_TEST(a_closed_port)
{
    char address[64];
    snprintf(address, sizeof(address), "127.0.0.1:%d", server_free_port());
    expect_unhealthy(address, "3", "Connection refused");
}
END_TEST

static int listen_somewhere(char address[64])
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    socklen_t len = sizeof(any);
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, len), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    snprintf(address, 64, "127.0.0.1:%d", ntohs(any.sin_port));
    return fd;
}

START_TEST(a_listener_that_never_answers)
{
    char address[64];
    int fd = listen_somewhere(address);
    expect_unhealthy(address, "0.1", "no answer in time");
    close(fd);
}
END_TEST

static const struct {
    const char *says;
    const char *reason;
    const char *password;
} strangers[] = {
    { "-LOADING Redis is loading the dataset in memory\r\n", "LOADING", NULL },
    { "-NOAUTH Authentication required.\r\n", "NOAUTH", NULL },
    { "+PONGO\r\n", "+PONGO", NULL },
    { "+OK\r\n", "+OK", NULL },
    { "$4\r\nPONG\r\n", "$4", NULL },
    { "+PONG", "the connection was closed", NULL },
    { "", "the connection was closed", NULL },
    { "\x1b[2J\r\n", "?[2J", NULL },
    { "+OK\r\n-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN", "x" },
    { "-ERR max number of clients reached\r\n", "max number of clients", "x" },
    { "+OK\r\n", "the connection was closed", "x" },
};

// A server of another kind, which says one thing to the first who comes.
START_TEST(a_stranger)
{
    char address[64];
    int fd = listen_somewhere(address);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char request[256];
        int client = accept(fd, NULL, NULL);
        ssize_t got = recv(client, request, sizeof(request), 0);
        ssize_t sent = send(client, strangers[_i].says, strlen(strangers[_i].says), 0);
        _exit(got < 0 || sent < 0);
    }
    close(fd);
    if (strangers[_i].password)
        setenv("RESPITE_PASSWORD", strangers[_i].password, 1);
    expect_unhealthy(address, "10", strangers[_i].reason);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(addresses_that_are_none)
{
    static const char *const addresses[] = { "",          ":6379",      "[::1", "[::1]x",
                                             "[::1]:",    "localhost:", "x:0",  "x:65536",
                                             "x:6379abc", "[]:6379",    "x:-1", "x:+1" };
    for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++)
        expect_unhealthy(addresses[i], "3", "an address is host:port");
    expect_unhealthy("unix:", "3", "no PONG from unix:");
    static const char *const seconds[] = { "", "x", "0", "-1", "nan", "inf", "1e9" };
    for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++)
        expect_unhealthy("/nosuchdir/s", seconds[i], "the seconds are");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("ping");
    TCase *tcase = server_tcase(suite, "ping");
    tcase_add_checked_fixture(tcase, forget_passwords, forget_passwords);
    tcase_add_test(tcase, a_server_that_answers);
    tcase_add_test(tcase, ipv6);
    tcase_add_test(tcase, passwords);
    tcase_add_test(tcase, a_full_server);
    tcase_add_test(tcase, a_closed_port);
    tcase_add_test(tcase, a_listener_that_never_answers);
    tcase_add_loop_test(tcase, a_stranger, 0, sizeof(strangers) / sizeof(*strangers));
    tcase_add_test(tcase, addresses_that_are_none);
    return suite;
}

SERVER_TEST_MAIN(make_suite)
