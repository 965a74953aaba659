// SPDX-License-Identifier: BSD-3-Clause
// How long one command holds up everybody else: PINGs at 2 kHz over a connection of their own while
// another connection sends the command.
//
//   bench_stall -p PORT -s PID [-t MS] [-m BYTES] [COMMAND]
//
// PINGs go out on time whether or not earlier ones were answered, and each counts from when it was
// sent, so a stall shows in all that fall into it. After 200 ms the command is sent (its words
// between single blanks), and from then on the probe goes on for MS (1000), and until used_memory
// is down to BYTES, but not longer than 10 s; used_memory is asked every 10 ms, without a command
// too. Prints in ms the longest answer, p99.9, the longest stall of the server's own making, after how
// long the memory was back ("-" if it was not, or nobody asked), p99, and how long the command's own
// reply took ("-" without one).
//
// Of the server's own making is of a wait what the thread that executes commands (the first of process
// PID) worked meanwhile: without what else runs on the machine, threads that free memory on the side
// included. The kernel books a running thread's time every few ms only, and so at times to the next
// PING; what a PING did not even wait by the clock doesn't count.
#include "connect.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define PERIOD_US 500
#define WARM_US   200000
#define ASK_US    10000
#define LIMIT_US  10000000
#define EARLY_US  1000  // PINGs sent so long before the command count too: it may overtake them
#define RING      65536
#define PONG_LEN  7  // "+PONG\r\n"

struct options {
    uint16_t port;
    pid_t server;
    uint64_t window_us;
    uint64_t back_bytes;  // 0: nobody waits for the memory
    const char *command;  // or NULL
};

struct probe {
    struct options options;
    int pings;
    int control;
    int schedstat;               // of the server's first thread
    uint64_t sent_us[RING];      // of PINGs, by their number modulo RING
    uint64_t sent_cpu_us[RING];  // what the server's thread had worked then
    uint64_t longest_stall_us;
    uint64_t sent;
    uint64_t answered;
    size_t pong_bytes;  // of the answer that has begun
    uint32_t took_us[LIMIT_US / PERIOD_US + RING];
    size_t took_count;
    uint64_t begun_us;    // when the command was sent
    bool due;             // a reply on the control connection
    uint64_t replied_us;  // to the command
    uint64_t asked_us;    // used_memory, the last time
    uint64_t back_us;     // when the memory was seen to be back, 0: not yet
    struct bytes reply;   // what has come on the control connection since it was last written to
};

// ---- the connection that waits ------------------------------------------------------------------

static uint64_t server_cpu_us(const struct probe *probe)
{
    char text[128];
    ssize_t len = pread(probe->schedstat, text, sizeof text - 1, 0);
    if (len <= 0)
        fail("the server has ended");
    text[len] = '\0';
    return strtoull(text, NULL, 10) / 1000;  // its first figure is in ns
}

static void send_ping(struct probe *probe, uint64_t now_us)
{
    static const char ping[] = "*1\r\n$4\r\nPING\r\n";
    if (probe->sent - probe->answered == RING)
        fail("the server does not answer any more");
    probe->sent_us[probe->sent % RING] = now_us;
    probe->sent_cpu_us[probe->sent++ % RING] = server_cpu_us(probe);
    send_all(probe->pings, ping, sizeof ping - 1);
}

static void note_answer(struct probe *probe, uint64_t now_us, uint64_t cpu_us)
{
    size_t at = probe->answered++ % RING;
    uint64_t sent_us = probe->sent_us[at];
    if (probe->begun_us == 0 || sent_us + EARLY_US < probe->begun_us ||
        probe->took_count == sizeof probe->took_us / sizeof *probe->took_us)
        return;
    uint64_t took_us = now_us - sent_us;
    uint64_t worked_us = cpu_us - probe->sent_cpu_us[at];
    uint64_t stall_us = worked_us < took_us ? worked_us : took_us;
    probe->took_us[probe->took_count++] = (uint32_t)took_us;
    if (stall_us > probe->longest_stall_us)
        probe->longest_stall_us = stall_us;
}

static void read_pongs(struct probe *probe)
{
    char buffer[4096];
    ssize_t got = recv(probe->pings, buffer, sizeof buffer, 0);
    if (got <= 0)
        fail("the server closed the connection");
    if (probe->pong_bytes == 0 && buffer[0] != '+')
        fail("the server does not answer PING with PONG");
    uint64_t now_us = clock_mono_us_now();
    uint64_t cpu_us = server_cpu_us(probe);
    for (probe->pong_bytes += (size_t)got; probe->pong_bytes >= PONG_LEN;
         probe->pong_bytes -= PONG_LEN)
        note_answer(probe, now_us, cpu_us);
}

// ---- the connection that commands ---------------------------------------------------------------

static void say(struct probe *probe, const char *command)
{
    bytes_clear(&probe->reply);
    probe->due = true;
    send_all(probe->control, command, strlen(command));
    send_all(probe->control, "\r\n", 2);
}

// Reads what has come: the reply to the command, which is one line, or to INFO.
static void read_control(struct probe *probe)
{
    static const char field[] = "\nused_memory:";
    struct bytes *reply = &probe->reply;
    ssize_t got = recv(probe->control, bytes_reserve(reply, 4096), 4095, 0);
    if (got <= 0)
        fail("the server closed the connection");
    reply->len += (size_t)got;
    reply->data[reply->len] = '\0';
    if (reply->data[0] == '-')
        fail(reply->data);
    if (probe->asked_us == 0) {
        probe->due = reply->data[reply->len - 1] != '\n';
        probe->replied_us = probe->due ? 0 : clock_mono_us_now();
        return;
    }
    const char *found = strstr(reply->data, field);
    if (!found || !strchr(found + 1, '\n'))
        return;
    probe->due = false;
    if (strtoull(found + sizeof field - 1, NULL, 10) <= probe->options.back_bytes &&
        probe->back_us == 0)
        probe->back_us = clock_mono_us_now();
}

// ---- the run ------------------------------------------------------------------------------------

static void act(struct probe *probe, uint64_t now_us, uint64_t start_us)
{
    if (probe->begun_us == 0 && now_us >= start_us + WARM_US) {
        probe->begun_us = now_us;
        if (probe->options.command)
            say(probe, probe->options.command);
    } else if (probe->begun_us != 0 && !probe->due && now_us >= probe->asked_us + ASK_US) {
        probe->asked_us = now_us;
        say(probe, "INFO memory");
    }
}

static bool is_over(const struct probe *probe, uint64_t now_us)
{
    if (probe->begun_us == 0)
        return false;
    uint64_t took_us = now_us - probe->begun_us;
    bool waits = probe->options.back_bytes != 0 && probe->back_us == 0;
    return took_us >= LIMIT_US || (took_us >= probe->options.window_us && !waits);
}

static void run(struct probe *probe)
{
    uint64_t start_us = clock_mono_us_now();
    uint64_t next_us = start_us;
    uint64_t now_us = start_us;
    // The longest stall may be the last: what is due is waited for.
    while (!is_over(probe, now_us) || probe->answered < probe->sent) {
        if (now_us >= next_us && !is_over(probe, now_us)) {
            send_ping(probe, now_us);
            next_us = next_us + 2 * PERIOD_US > now_us ? next_us + PERIOD_US : now_us + PERIOD_US;
        }
        act(probe, now_us, start_us);
        struct pollfd fds[] = { { .fd = probe->pings, .events = POLLIN },
                                { .fd = probe->control, .events = POLLIN } };
        now_us = clock_mono_us_now();
        uint64_t wait_us = next_us > now_us ? next_us - now_us : 0;
        struct timespec wait = { .tv_nsec = (long)wait_us * 1000 };
        ppoll(fds, 2, &wait, NULL);
        if (fds[0].revents)
            read_pongs(probe);
        if (fds[1].revents)
            read_control(probe);
        now_us = clock_mono_us_now();
        if (now_us > start_us + 2 * LIMIT_US)
            fail("the server does not answer any more");
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct probe *probe)
{
    size_t count = probe->took_count;
    if (count == 0)
        fail("no PING was answered");
    qsort(probe->took_us, count, sizeof *probe->took_us, by_size);
    size_t p999 = count * 999 / 1000;
    size_t p99 = count * 99 / 100;
    printf("%.3f %.3f %.3f ", probe->took_us[count - 1] / 1e3, probe->took_us[p999] / 1e3,
           (double)probe->longest_stall_us / 1e3);
    if (probe->back_us == 0)
        printf("-");
    else
        printf("%.0f", (double)(probe->back_us - probe->begun_us) / 1e3);
    printf(" %.3f ", probe->took_us[p99] / 1e3);
    if (probe->replied_us == 0)
        printf("-\n");
    else
        printf("%.3f\n", (double)(probe->replied_us - probe->begun_us) / 1e3);
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .window_us = 1000000 };
    int letter;
    while ((letter = getopt(argc, argv, "p:s:t:m:")) != -1) {
        switch (letter) {
        case 'p': options.port = (uint16_t)option_number(optarg, UINT16_MAX); break;
        case 's': options.server = (pid_t)option_number(optarg, INT32_MAX); break;
        case 't': options.window_us = option_number(optarg, LIMIT_US / 1000) * 1000; break;
        case 'm': options.back_bytes = option_number(optarg, INT64_MAX); break;
        default: exit(2);
        }
    }
    if (!options.port || !options.server || optind < argc - 1)
        fail("usage: bench_stall -p PORT -s PID [-t MS] [-m BYTES] [COMMAND]");
    options.command = argv[optind];
    return options;
}

static int open_schedstat(pid_t server)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)server, (int)server);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        fail("there is no such process, or the kernel doesn't say how long it runs");
    return fd;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    mem_init();
    struct probe *probe = mem_alloc_zeroed(sizeof *probe);
    probe->options = options;
    probe->schedstat = open_schedstat(options.server);
    probe->pings = connect_local(options.port);
    probe->control = connect_local(options.port);
    // A sleep ends when it should: by default the kernel may take 50 us longer.
    prctl(PR_SET_TIMERSLACK, 1000UL);
    run(probe);
    report(probe);
    close(probe->pings);
    close(probe->control);
    close(probe->schedstat);
    bytes_release(&probe->reply);
    mem_free(probe, sizeof *probe);
    return 0;
}
