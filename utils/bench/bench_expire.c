// SPDX-License-Identifier: BSD-3-Clause
// How late keys expire that nobody asks for, and what that costs: the client of bench_expire.sh.
//
//   bench_expire SOCKET PID lag KEYS     with KEYS others that have a TTL of 1 to 3 hours: CPU time of the
//                                        process while nothing is due, then the lag of 1,000 probes
//   bench_expire SOCKET PID burst KEYS   KEYS keys due within one second, and GETs meanwhile
//
// Looking at a key would expire it. So the probe asks for the number of keys, every 5 ms at least, and the
// n-th key to vanish is taken for the n-th that was due.
#include "base/random.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROBES       1000
#define PROBE_MIN_MS 1000
#define PROBE_MAX_MS 3000
#define HOUR_MS      3600000
#define IDLE_MS      10000
#define POLL_US      5000
#define GIVE_UP_MS   60000
#define BURST_MS     1000
#define PIPELINE     1000
#define GETS_MAX     2000000

static void die(const char *what)
{
    fprintf(stderr, "bench_expire: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("connect");
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, 0);
        if (sent <= 0)
            die("send");
        bytes += sent;
        len -= (size_t)sent;
    }
}

// Reads until so many lines have come; what the last read brought is in `text`.
static void read_lines(int fd, size_t lines, char *text, size_t room)
{
    while (lines > 0) {
        ssize_t got = recv(fd, text, room - 1, 0);
        if (got <= 0)
            die("recv");
        text[got] = 0;
        if (memchr(text, '-', 1))
            die(text);
        for (ssize_t i = 0; i < got; i++)
            lines -= text[i] == '\n';
    }
}

static long long ask_number(int fd, const char *command)
{
    char text[256];
    send_all(fd, command, strlen(command));
    read_lines(fd, 1, text, sizeof(text));
    return strtoll(text + 1, NULL, 10);
}

// Sets `count` keys to be due at random times from `first_ms` on, within `span_ms`; keeps these times.
static void set_keys(int fd, const char *prefix, size_t count, int64_t first_ms, uint64_t span_ms,
                     int64_t *due_ms)
{
    static char out[PIPELINE * 96];
    static char replies[PIPELINE * 8];
    struct random dice;
    random_seed(&dice, count + 1);
    for (size_t done = 0; done < count;) {
        size_t len = 0;
        size_t batch = 0;
        for (; batch < PIPELINE && done < count; batch++, done++) {
            int64_t at_ms = first_ms + (int64_t)random_below(&dice, span_ms);
            if (due_ms)
                due_ms[done] = at_ms;
            len += (size_t)snprintf(out + len, sizeof(out) - len,
                                    "SET %s:%09zu %016zu PXAT %lld\r\n", prefix, done, done,
                                    (long long)at_ms);
        }
        send_all(fd, out, len);
        read_lines(fd, batch, replies, sizeof(replies));
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile(int64_t *values, size_t count, double percent)
{
    qsort(values, count, sizeof(*values), compare);
    size_t rank = (size_t)(percent / 100 * (double)count);
    return (double)values[rank < count ? rank : count - 1] / 1000;
}

// CPU time that the process has taken, in ns.
static double cpu_ns(const char *pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
    FILE *file = fopen(path, "r");
    char line[128];
    if (!file || !fgets(line, sizeof(line), file))
        die(path);
    fclose(file);
    return strtod(line, NULL);
}

static double idle_percent(const char *pid)
{
    double before = cpu_ns(pid);
    int64_t began_us = wall_us();
    poll(NULL, 0, IDLE_MS);
    return 100 * (cpu_ns(pid) - before) / 1000 / (double)(wall_us() - began_us);
}

static void measure_lag(int fd, const char *pid, size_t keys)
{
    static int64_t due_ms[PROBES];
    static int64_t lag_us[PROBES];
    set_keys(fd, "background", keys, wall_us() / 1000 + HOUR_MS, 2 * HOUR_MS, NULL);
    double idle = idle_percent(pid);
    int64_t first_ms = wall_us() / 1000 + PROBE_MIN_MS;
    set_keys(fd, "probe", PROBES, first_ms, PROBE_MAX_MS - PROBE_MIN_MS, due_ms);
    qsort(due_ms, PROBES, sizeof(*due_ms), compare);

    size_t gone = 0;
    while (gone < PROBES && wall_us() / 1000 < due_ms[PROBES - 1] + GIVE_UP_MS) {
        size_t left = (size_t)ask_number(fd, "DBSIZE\r\n") - keys;
        for (int64_t now_us = wall_us(); gone < PROBES - left; gone++)
            lag_us[gone] = now_us - due_ms[gone] * 1000;
        usleep(POLL_US);
    }
    size_t lost = PROBES - gone;
    for (; gone < PROBES; gone++)
        lag_us[gone] = wall_us() - due_ms[gone] * 1000;
    printf("%9zu %9.3f %10.1f %10.1f %10.1f %8zu\n", keys, idle, percentile(lag_us, PROBES, 50),
           percentile(lag_us, PROBES, 99), percentile(lag_us, PROBES, 100), lost);
}

static void measure_burst(int fd, const char *path, size_t keys)
{
    int64_t *get_us = calloc(GETS_MAX, sizeof(*get_us));
    size_t gets = 0;
    int counter = connect_to(path);
    if (!get_us)
        die("memory");
    char text[256];
    send_all(fd, "SET other value\r\n", 17);
    read_lines(fd, 1, text, sizeof(text));
    int64_t first_ms = wall_us() / 1000 + 4000 + (int64_t)keys / 50;
    set_keys(fd, "burst", keys, first_ms, BURST_MS, NULL);
    if (wall_us() / 1000 >= first_ms)
        die("loading took too long");
    poll(NULL, 0, (int)(first_ms - wall_us() / 1000));
    int64_t last_ms = first_ms + BURST_MS - 1;
    int64_t gone_us = 0;
    while (!gone_us && wall_us() / 1000 < last_ms + GIVE_UP_MS && gets < GETS_MAX) {
        int64_t began_us = wall_us();
        send_all(fd, "GET other\r\n", 11);
        read_lines(fd, 2, text, sizeof(text));
        get_us[gets++] = wall_us() - began_us;
        if (gets % 16 == 0 && ask_number(counter, "DBSIZE\r\n") == 1)
            gone_us = wall_us();
        usleep(200);
    }
    printf("%9zu %14.0f %10.2f %10.2f %10.2f\n", keys,
           gone_us ? (double)gone_us / 1000 - (double)last_ms : -1, percentile(get_us, gets, 50),
           percentile(get_us, gets, 99), percentile(get_us, gets, 100));
    free(get_us);
    close(counter);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_expire SOCKET PID lag|burst KEYS\n");
        return 2;
    }
    size_t keys = (size_t)strtoull(argv[4], NULL, 10);
    int fd = connect_to(argv[1]);
    if (strcmp(argv[3], "lag") == 0)
        measure_lag(fd, argv[2], keys);
    else
        measure_burst(fd, argv[1], keys);
    close(fd);
    return 0;
}
