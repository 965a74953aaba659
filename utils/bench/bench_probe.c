// SPDX-License-Identifier: BSD-3-Clause
// How long a server lets one connection wait at a fixed rate of commands, while it does something else.
//
//   bench_probe -p PORT -R PER_SECOND -t MS [-r RANGE] [-b] [-s PID] [-u PID] [-q] COMMAND
//
// The command is written as people write it, words between single blanks; %k in them stands for a
// random number below RANGE in 12 digits. Its replies must all be as long as the first one. Commands
// go out on time whether or not earlier ones were answered, and each counts from when it was sent, so
// a stall shows in all that fall into it. The first 200 ms don't count. With -b a BGSAVE is sent
// behind them, and the probe goes on for MS, and until INFO says that the BGSAVE has ended. With -u it
// ends when process PID does, and after MS at the latest.
//
// Prints p50, p99, p99.9 and the maximum in ms, how many ms the BGSAVE took ("-" without one), and p99.9
// of the commands sent while it ran (the same "-"). With -s, p99.9 and the maximum in ms of the stalls
// of the server's own making follow: what process PID worked, with all its threads, from sending a
// command to its reply. That leaves out what else runs on the machine. With -q (not with -b) only those
// commands count that were under way while the host of a virtual machine took none of its CPUs away (steal in
// /proc/stat), and what percentage of all that is follows at the end.
#include "connect.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define WARM_US     UINT64_C(200000)
#define ASK_US      UINT64_C(20000)
#define LIMIT_US    UINT64_C(120000000)
#define SLOT_US     UINT64_C(20000)
#define SLOTS       (LIMIT_US / SLOT_US + 2)
#define RING        65536
#define SAMPLES_MAX (UINT64_C(4) << 20)

struct options {
    uint16_t port;
    uint64_t period_us;
    uint64_t window_us;
    uint64_t range;
    bool bgsave;
    bool quiet;
    pid_t server;  // 0: nobody asks what it works
    pid_t until;   // 0: for as long as the window is
    const char *command;
};

struct probe {
    struct options options;
    int fd;
    int control;
    int until;  // readable when that process has ended; -1: none
    bool ended;
    struct random random;
    struct bytes request;
    size_t reply_len;  // of every command's reply
    size_t part_len;   // of the reply that has begun
    clockid_t server_clock;
    uint64_t sent_us[RING];      // of commands, by their number modulo RING
    uint64_t sent_cpu_us[RING];  // what the server had worked then
    uint64_t sent;
    uint64_t answered;
    uint32_t *took_us;
    uint32_t *stall_us;  // of the same commands
    uint16_t *slots;     // and the slots, of SLOT_US, in which they were sent and answered
    uint64_t took_count;
    uint64_t took_in_save;  // that many of took_us were sent while the BGSAVE ran
    uint64_t begun_us;      // when it began to count
    uint64_t ended_us;      // when the BGSAVE was seen to have ended
    uint64_t asked_us;
    int stat;               // /proc/stat
    uint64_t start_us;      // when slot 0 began
    uint64_t slots_seen;    // slots of which is known whether anything was stolen in them
    uint64_t ticks_stolen;  // up to the end of these
    uint8_t stolen[SLOTS];  // 1: something was
    bool due;               // a reply on the control connection
    struct bytes answer;    // what has come of it
};

// ---- the commands -------------------------------------------------------------------------------

static void append_word(struct probe *probe, const char *word, size_t len)
{
    char text[1024];
    size_t text_len = 0;
    for (size_t i = 0; i < len && text_len + 16 < sizeof text; i++) {
        if (word[i] != '%' || i + 1 == len || word[i + 1] != 'k') {
            text[text_len++] = word[i];
            continue;
        }
        uint64_t number = random_below(&probe->random, probe->options.range);
        text_len += (size_t)snprintf(text + text_len, 16, "%012" PRIu64, number % 1000000000000);
        i++;
    }
    bytes_printf(&probe->request, "$%zu\r\n", text_len);
    bytes_append(&probe->request, text, text_len);
    bytes_append_text(&probe->request, "\r\n");
}

static void make_request(struct probe *probe)
{
    const char *at = probe->options.command;
    unsigned words = 1;
    for (const char *c = at; *c; c++)
        words += *c == ' ';
    bytes_clear(&probe->request);
    bytes_printf(&probe->request, "*%u\r\n", words);
    for (; words > 0; words--) {
        size_t len = strcspn(at, " ");
        append_word(probe, at, len);
        at += len + (at[len] == ' ');
    }
}

static uint64_t server_cpu_us(const struct probe *probe)
{
    struct timespec worked;
    if (!probe->options.server)
        return 0;
    if (clock_gettime(probe->server_clock, &worked) != 0)
        fail("the server has ended");
    return (uint64_t)worked.tv_sec * 1000000 + (uint64_t)worked.tv_nsec / 1000;
}

static void send_one(struct probe *probe, uint64_t now_us)
{
    if (probe->sent - probe->answered == RING)
        fail("the server does not answer any more");
    make_request(probe);
    probe->sent_cpu_us[probe->sent % RING] = server_cpu_us(probe);
    probe->sent_us[probe->sent++ % RING] = now_us;
    send_all(probe->fd, probe->request.data, probe->request.len);
}

static uint64_t slot_of(const struct probe *probe, uint64_t at_us)
{
    uint64_t slot = (at_us - probe->start_us) / SLOT_US;
    return slot < SLOTS ? slot : SLOTS - 1;
}

// What the host has taken of all CPUs so far, in ticks of 10 ms.
static uint64_t read_stolen(struct probe *probe)
{
    char text[512];
    ssize_t got = pread(probe->stat, text, sizeof text - 1, 0);
    if (got <= 0 || strncmp(text, "cpu ", 4) != 0)
        fail("/proc/stat can't be read");
    text[got] = '\0';
    // user, nice, system, idle, iowait, irq, softirq, steal
    uint64_t ticks = 0;
    char *at = text + 3;
    for (unsigned i = 0; i < 8; i++)
        ticks = strtoull(at, &at, 10);
    return ticks;
}

// Notes of the slots that have ended whether anything was stolen in them. The kernel learns of that a moment
// later, so it can have been in the slot before, too.
static void watch_host(struct probe *probe, uint64_t now_us)
{
    uint64_t slot = slot_of(probe, now_us);
    if (slot == probe->slots_seen)
        return;
    uint64_t ticks = read_stolen(probe);
    if (ticks != probe->ticks_stolen) {
        uint64_t first = probe->slots_seen > 0 ? probe->slots_seen - 1 : 0;
        memset(probe->stolen + first, 1, slot - first);
    }
    probe->ticks_stolen = ticks;
    probe->slots_seen = slot;
}

static void note_answer(struct probe *probe, uint64_t now_us, uint64_t cpu_us)
{
    uint64_t at = probe->answered++ % RING;
    uint64_t sent_us = probe->sent_us[at];
    if (probe->begun_us == 0 || sent_us < probe->begun_us || probe->took_count == SAMPLES_MAX)
        return;
    uint64_t took_us = now_us - sent_us;
    uint64_t worked_us = cpu_us - probe->sent_cpu_us[at];
    probe->stall_us[probe->took_count] = (uint32_t)(worked_us < took_us ? worked_us : took_us);
    probe->slots[2 * probe->took_count] = (uint16_t)slot_of(probe, sent_us);
    probe->slots[2 * probe->took_count + 1] = (uint16_t)slot_of(probe, now_us);
    probe->took_us[probe->took_count++] = (uint32_t)took_us;
    if (probe->ended_us == 0)
        probe->took_in_save = probe->took_count;
}

static void read_answers(struct probe *probe)
{
    char buffer[4096];
    ssize_t got = recv(probe->fd, buffer, sizeof buffer, 0);
    if (got <= 0)
        fail("the server closed the connection");
    uint64_t now_us = clock_mono_us_now();
    uint64_t cpu_us = server_cpu_us(probe);
    if (probe->part_len == 0 && buffer[0] == '-')
        fail("the server refuses the command");
    for (probe->part_len += (size_t)got; probe->part_len >= probe->reply_len;
         probe->part_len -= probe->reply_len)
        note_answer(probe, now_us, cpu_us);
    if (probe->part_len == 0 && buffer[got - 1] != '\n')
        fail("the replies are not all as long as the first one");
}

// The first command tells how long replies are: no more comes when a moment has passed.
static void learn_reply(struct probe *probe)
{
    char buffer[4096];
    struct pollfd fd = { .fd = probe->fd, .events = POLLIN };
    make_request(probe);
    send_all(probe->fd, probe->request.data, probe->request.len);
    while (poll(&fd, 1, probe->reply_len == 0 ? 10000 : 50) > 0) {
        ssize_t got = recv(probe->fd, buffer, sizeof buffer, 0);
        if (got <= 0 || buffer[0] == '-')
            fail("the server refuses the command");
        probe->reply_len += (size_t)got;
    }
    if (probe->reply_len == 0)
        fail("the server does not answer");
}

// ---- the BGSAVE ---------------------------------------------------------------------------------

static void say(struct probe *probe, const char *command)
{
    bytes_clear(&probe->answer);
    probe->due = true;
    send_all(probe->control, command, strlen(command));
}

static void read_control(struct probe *probe)
{
    struct bytes *answer = &probe->answer;
    ssize_t got = recv(probe->control, bytes_reserve(answer, 8192), 8191, 0);
    if (got <= 0)
        fail("the server closed the connection");
    answer->len += (size_t)got;
    answer->data[answer->len] = '\0';
    if (answer->data[0] == '-')
        fail(answer->data);
    if (answer->data[0] == '+') {
        probe->due = answer->data[answer->len - 1] != '\n';
        return;
    }
    const char *found = strstr(answer->data, "rdb_bgsave_in_progress:");
    if (!found || !strchr(found, '\n'))
        return;
    probe->due = false;
    if (strncmp(found, "rdb_bgsave_in_progress:0", 24) == 0 && probe->ended_us == 0)
        probe->ended_us = clock_mono_us_now();
}

// ---- the run ------------------------------------------------------------------------------------

static void act(struct probe *probe, uint64_t now_us, uint64_t start_us)
{
    if (probe->begun_us == 0 && now_us >= start_us + WARM_US) {
        probe->begun_us = probe->asked_us = now_us;
        if (probe->options.bgsave)
            say(probe, "BGSAVE\r\n");
        else
            probe->ended_us = now_us;
    } else if (probe->begun_us != 0 && probe->ended_us == 0 && !probe->due &&
               now_us >= probe->asked_us + ASK_US) {
        probe->asked_us = now_us;
        say(probe, "INFO persistence\r\n");
    }
}

static bool is_over(const struct probe *probe, uint64_t now_us)
{
    return probe->begun_us != 0 && probe->ended_us != 0 &&
           (probe->ended || now_us - probe->begun_us >= probe->options.window_us);
}

static void run(struct probe *probe)
{
    uint64_t start_us = clock_mono_us_now();
    probe->start_us = start_us;
    probe->ticks_stolen = probe->options.quiet ? read_stolen(probe) : 0;
    uint64_t next_us = start_us;
    uint64_t now_us = start_us;
    while (!is_over(probe, now_us) || probe->answered < probe->sent) {
        if (now_us >= next_us && !is_over(probe, now_us)) {
            send_one(probe, now_us);
            uint64_t period_us = probe->options.period_us;
            next_us = (next_us + 2 * period_us > now_us ? next_us : now_us) + period_us;
        }
        act(probe, now_us, start_us);
        if (probe->options.quiet)
            watch_host(probe, now_us);
        struct pollfd fds[] = { { .fd = probe->fd, .events = POLLIN },
                                { .fd = probe->control, .events = POLLIN },
                                { .fd = probe->ended ? -1 : probe->until, .events = POLLIN } };
        now_us = clock_mono_us_now();
        uint64_t wait_us = next_us > now_us ? next_us - now_us : 0;
        struct timespec wait = { .tv_sec = (time_t)(wait_us / 1000000),
                                 .tv_nsec = (long)(wait_us % 1000000) * 1000 };
        ppoll(fds, 3, &wait, NULL);
        probe->ended = probe->ended || fds[2].revents;
        if (fds[0].revents)
            read_answers(probe);
        if (fds[1].revents)
            read_control(probe);
        now_us = clock_mono_us_now();
        if (now_us > start_us + LIMIT_US)
            fail("the server does not come to an end");
    }
}

// Forgets the commands during which something was stolen; says what percentage is left.
static double keep_quiet(struct probe *probe)
{
    uint64_t kept = 0;
    // The last slot has not ended, but is over.
    watch_host(probe, clock_mono_us_now() + SLOT_US);
    for (uint64_t i = 0; i < probe->took_count; i++) {
        uint64_t first = probe->slots[2 * i];
        uint64_t count = probe->slots[2 * i + 1] - first + 1;
        if (memchr(probe->stolen + first, 1, count))
            continue;
        probe->took_us[kept] = probe->took_us[i];
        probe->stall_us[kept++] = probe->stall_us[i];
    }
    double percent = 100.0 * (double)kept / (double)probe->took_count;
    probe->took_count = kept;
    return percent;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// In ms, what so many of a thousand of the first `count` did not exceed. Sorts them.
static double per_mille(uint32_t *values_us, uint64_t count, unsigned mille)
{
    qsort(values_us, count, sizeof *values_us, by_size);
    uint64_t at = count * mille / 1000;
    return values_us[at < count ? at : count - 1] / 1e3;
}

static void report(struct probe *probe)
{
    if (probe->took_count == 0)
        fail("no command was answered");
    double quiet_percent = probe->options.quiet ? keep_quiet(probe) : 100;
    uint64_t count = probe->took_count;
    if (count == 0) {
        printf("- - - - - - - - 0\n");
        return;
    }
    bool saved = probe->options.bgsave && probe->took_in_save > 0;
    // In this order: sorting all of them mixes those of the BGSAVE with the others.
    double in_save_ms = saved ? per_mille(probe->took_us, probe->took_in_save, 999) : 0;
    printf("%.3f ", per_mille(probe->took_us, count, 500));
    printf("%.3f %.3f ", per_mille(probe->took_us, count, 990),
           per_mille(probe->took_us, count, 999));
    printf("%.3f ", probe->took_us[count - 1] / 1e3);
    if (saved)
        printf("%.0f %.3f", (double)(probe->ended_us - probe->begun_us) / 1e3, in_save_ms);
    else
        printf("- -");
    if (probe->options.server)
        printf(" %.3f %.3f", per_mille(probe->stall_us, count, 999),
               per_mille(probe->stall_us, count, 1000));
    if (probe->options.quiet)
        printf(" %.0f", quiet_percent);
    printf("\n");
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .range = 1 };
    uint64_t rate = 0;
    int letter;
    while ((letter = getopt(argc, argv, "p:R:t:r:bs:u:q")) != -1) {
        switch (letter) {
        case 'p': options.port = (uint16_t)option_number(optarg, UINT16_MAX); break;
        case 'R': rate = option_number(optarg, 100000); break;
        case 't': options.window_us = option_number(optarg, LIMIT_US / 1000) * 1000; break;
        case 'r': options.range = option_number(optarg, UINT32_MAX); break;
        case 'b': options.bgsave = true; break;
        case 'q': options.quiet = true; break;
        case 's': options.server = (pid_t)option_number(optarg, INT32_MAX); break;
        case 'u': options.until = (pid_t)option_number(optarg, INT32_MAX); break;
        default: exit(2);
        }
    }
    if (!options.port || !rate || !options.window_us || !options.range || optind != argc - 1 ||
        (options.quiet && options.bgsave))
        fail("usage: bench_probe -p PORT -R PER_SECOND -t MS [-r RANGE] [-b] [-s PID] "
             "[-u PID] [-q] COMMAND");
    options.period_us = 1000000 / rate;
    options.command = argv[optind];
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    mem_init();
    struct probe *probe = mem_alloc_zeroed(sizeof *probe);
    probe->options = options;
    probe->took_us = mem_alloc(SAMPLES_MAX * sizeof *probe->took_us);
    probe->stall_us = mem_alloc(SAMPLES_MAX * sizeof *probe->stall_us);
    probe->slots = mem_alloc(2 * SAMPLES_MAX * sizeof *probe->slots);
    probe->stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (options.server && clock_getcpuclockid(options.server, &probe->server_clock) != 0)
        fail("there is no such process");
    probe->until = options.until ? pidfd_open(options.until, 0) : -1;
    if (options.until && probe->until < 0)
        fail("there is no process to wait for");
    random_seed(&probe->random, 1);
    probe->fd = connect_local(options.port);
    probe->control = connect_local(options.port);
    // A sleep ends when it should: by default the kernel may take 50 us longer.
    prctl(PR_SET_TIMERSLACK, 1000UL);
    learn_reply(probe);
    run(probe);
    report(probe);
    close(probe->fd);
    close(probe->control);
    if (probe->until >= 0)
        close(probe->until);
    bytes_release(&probe->request);
    bytes_release(&probe->answer);
    mem_free(probe->took_us, SAMPLES_MAX * sizeof *probe->took_us);
    mem_free(probe->stall_us, SAMPLES_MAX * sizeof *probe->stall_us);
    mem_free(probe->slots, 2 * SAMPLES_MAX * sizeof *probe->slots);
    close(probe->stat);
    mem_free(probe, sizeof *probe);
    return 0;
}
