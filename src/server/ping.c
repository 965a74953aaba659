// SPDX-License-Identifier: BSD-3-Clause
// Asking a server for a PONG: see ping.h.
//
// A program of its own that needs no server: it blocks, and one timer bounds all of it, the look-up of
// the name included.
#include "server/ping.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/numbers.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_ADDRESS "127.0.0.1:6379"
#define DEFAULT_PORT    "6379"
#define DEFAULT_S       3

#define HOST_MAX 256
#define LINE_MAX 512

static int unhealthy(const char *address, const char *reason)
{
    fprintf(stderr, "respite-server: no PONG from %s: %s\n", address, reason);
    return 1;
}

// Signal context.
static _Noreturn void on_time_over(int signal_number)
{
    static const char text[] = "respite-server: no PONG: no answer in time\n";
    (void)signal_number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)ignored;
    _exit(1);
}

static bool set_time_limit(const char *text)
{
    double seconds = DEFAULT_S;
    if (text && (!parse_double(slice_of(text), &seconds) || seconds < 0.001 || seconds > 3600))
        return false;
    struct itimerval timer = { .it_value.tv_sec = (time_t)seconds };
    timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
    signal(SIGALRM, on_time_over);
    return setitimer(ITIMER_REAL, &timer, NULL) == 0;
}

// --- Connecting ---------------------------------------------------------------------------------

static int connect_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

// "host:port", "[v6]:port", either without its port, or a bare IPv6 address. False: none of these.
static bool split_address(const char *address, char host[HOST_MAX], const char **port)
{
    const char *begin = address;
    const char *end = address + strlen(address);
    const char *colon = strrchr(address, ':');
    *port = DEFAULT_PORT;
    if (address[0] == '[') {
        begin++;
        end = strchr(address, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        if (end[1])
            *port = end + 2;
    } else if (colon && colon == strchr(address, ':')) {
        end = colon;
        *port = colon + 1;
    }
    size_t len = (size_t)(end - begin);
    int64_t number;
    if (len == 0 || len >= HOST_MAX || !parse_int64(slice_of(*port), &number) || number < 1 ||
        number > 65535)
        return false;
    memcpy(host, begin, len);
    host[len] = '\0';
    return true;
}

// The first of the name's addresses that takes the connection. -1: why it is not stands in `reason`.
static int connect_tcp(const char *host, const char *port, const char **reason)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *infos;
    int result = getaddrinfo(host, port, &hints, &infos);
    if (result != 0) {
        *reason = gai_strerror(result);
        return -1;
    }
    int fd = -1;
    for (const struct addrinfo *info = infos; info && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) == 0)
            break;
        *reason = strerror(errno);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(infos);
    return fd;
}

static int connect_to(const char *address, const char **reason)
{
    const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
    if (path[0] == '/' || path != address) {
        int fd = connect_unix(path);
        *reason = strerror(errno);
        return fd;
    }
    char host[HOST_MAX];
    const char *port;
    if (!split_address(address, host, &port)) {
        *reason = "an address is host:port, [IPv6 address]:port, /path or unix:/path";
        return -1;
    }
    return connect_tcp(host, port, reason);
}

// --- Asking -------------------------------------------------------------------------------------

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

// AUTH, if there is a password, and PING, in one go.
static bool send_request(int fd, const char *password)
{
    struct bytes request = { 0 };
    if (password)
        bytes_printf(&request, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password), password);
    bytes_append_text(&request, "*1\r\n$4\r\nPING\r\n");
    bool sent = send_all(fd, request.data, request.len);
    bytes_release(&request);
    return sent;
}

// One line without its end; a longer one is cut. False: the connection ended before it.
static bool read_line(int fd, char out[LINE_MAX])
{
    size_t len = 0;
    char c = '\0';
    while (c != '\n') {
        if (recv(fd, &c, 1, 0) != 1)
            return false;
        if (c != '\r' && c != '\n' && len < LINE_MAX - 1)
            out[len++] = c >= ' ' && c < 0x7f ? c : '?';
    }
    out[len] = '\0';
    return true;
}

static int ask(int fd, const char *address, const char *password)
{
    char said[LINE_MAX] = "";
    char auth[LINE_MAX] = "";
    // A server that refuses the connection may close it before it has read anything: what it said counts.
    bool sent = send_request(fd, password);
    if (password && !read_line(fd, auth))
        return unhealthy(address, sent ? "the connection was closed" : "the request was not taken");
    if (!read_line(fd, said))
        return unhealthy(address, auth[0] == '-' ? auth + 1 : "the connection was closed");
    if (strcmp(said, "+PONG") == 0)
        return 0;
    // Without a password to give there is nothing to add to what PING got.
    return unhealthy(address, auth[0] == '-' ? auth + 1 : said + (said[0] == '-'));
}

int ping(int argc, char *const *argv)
{
    const char *address = argc > 0 ? argv[0] : DEFAULT_ADDRESS;
    const char *reason = "";
    const char *password = getenv("RESPITE_PASSWORD");
    if (!password)
        password = getenv("REDISCLI_AUTH");
    if (argc > 2)
        return unhealthy(address, "--ping takes an address and seconds, nothing else");
    if (!set_time_limit(argc > 1 ? argv[1] : NULL))
        return unhealthy(address, "the seconds are no number from 0.001 to 3600");
    mem_init();
    int fd = connect_to(address, &reason);
    if (fd < 0)
        return unhealthy(address, reason);
    int result = ask(fd, address, password && password[0] ? password : NULL);
    close(fd);
    return result;
}
