// SPDX-License-Identifier: BSD-3-Clause
// Tests of where a server listens: `bind` with its optional addresses, `port`, `unixsocket`.
#include "server/network.h"

#include "rig.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

static char port_text[8];
static int port;

// A port that nobody listens on.
static void find_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    port = ntohs(address.sin_port);
    snprintf(port_text, sizeof(port_text), "%d", port);
}

static void set_up(void)
{
    rig_make(NULL);
    find_port();
}

// Starts with these directives, ended by NULL.
static enum status start_with(char *const *args)
{
    struct config_error error;
    int count = 0;
    while (args[count])
        count++;
    ck_assert_msg(config_load_args(server->config, count, (char **)args, &error) == STATUS_OK, "%s",
                  error.text);
    log_set_level(LOG_NOTHING);
    return server_start(server);
}

#define START(...) start_with((char *const[]){ "--loglevel", "nothing", __VA_ARGS__, NULL })

// Connects over the loopback device and is taken in by the server.
static void expect_connected(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size_t before = server->clients->count;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    rig_turn();
    ck_assert_uint_eq(server->clients->count, before + 1);
    ck_assert(!(rig_last_client()->flags & CLIENT_UNIX));
    close(fd);
}

START_TEST(one_address)
{
    ck_assert_int_eq(START("--bind", "127.0.0.1", "--port", port_text), STATUS_OK);
    ck_assert_int_eq(network_port(server->network), port);
    expect_connected();
}
END_TEST

START_TEST(an_optional_address_may_be_missing)
{
    // Reserved for documentation: no machine has it.
    ck_assert_int_eq(START("--bind", "-192.0.2.1", "127.0.0.1", "--port", port_text), STATUS_OK);
    expect_connected();
}
END_TEST

START_TEST(other_addresses_must_be_there)
{
    ck_assert_int_eq(START("--bind", "127.0.0.1", "192.0.2.1", "--port", port_text), STATUS_IO);
}
END_TEST

// Being missing is forgiven, being taken is not.
START_TEST(an_optional_address_that_is_taken)
{
    ck_assert_int_eq(START("--bind", "127.0.0.1", "-127.0.0.1", "--port", port_text), STATUS_IO);
}
END_TEST

START_TEST(optional_addresses_alone)
{
    ck_assert_int_eq(START("--bind", "-192.0.2.1", "--port", port_text), STATUS_IO);
}
END_TEST

START_TEST(a_unix_socket_beside_tcp)
{
    struct stat info;
    ck_assert_int_eq(START("--bind", "127.0.0.1", "--port", port_text, "--unixsocket", rig_path,
                           "--unixsocketperm", "700"),
                     STATUS_OK);
    ck_assert_int_eq(stat(rig_path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
    expect_connected();
}
END_TEST

START_TEST(a_unix_socket_alone)
{
    ck_assert_int_eq(START("--port", "0", "--unixsocket", rig_path), STATUS_OK);
    ck_assert_int_eq(network_port(server->network), 0);
}
END_TEST

START_TEST(a_unix_socket_that_can_not_be)
{
    ck_assert_int_eq(START("--port", "0", "--unixsocket", "/nonexistent/folder/socket"), STATUS_IO);
}
END_TEST

START_TEST(nothing_to_listen_on)
{
    ck_assert_int_eq(START("--port", "0"), STATUS_IO);
}
END_TEST

START_TEST(too_many_addresses)
{
    char *args[20] = { "--bind" };
    struct config_error error;
    for (int i = 1; i < 20; i++)
        args[i] = "127.0.0.1";
    ck_assert_int_eq(config_load_args(server->config, 20, args, &error), STATUS_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "Too many bind addresses"));
    ck_assert_int_eq(START("--bind", "127.0.0.1", "--port", port_text), STATUS_OK);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("network");
    TCase *tcase = tcase_create("network");
    tcase_add_checked_fixture(tcase, set_up, rig_stop);
    tcase_add_test(tcase, one_address);
    tcase_add_test(tcase, an_optional_address_may_be_missing);
    tcase_add_test(tcase, other_addresses_must_be_there);
    tcase_add_test(tcase, an_optional_address_that_is_taken);
    tcase_add_test(tcase, optional_addresses_alone);
    tcase_add_test(tcase, a_unix_socket_beside_tcp);
    tcase_add_test(tcase, a_unix_socket_alone);
    tcase_add_test(tcase, a_unix_socket_that_can_not_be);
    tcase_add_test(tcase, nothing_to_listen_on);
    tcase_add_test(tcase, too_many_addresses);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
