// SPDX-License-Identifier: BSD-3-Clause
// What messages cost a server: one publisher and many subscribers, all in one process.
//
//   bench_pubsub -p PORT -s PID -c SUBSCRIBERS [-P PIPELINE] [-t MS] [-g PATTERNS | -m MESSAGES]
//
// Every subscriber subscribes to the one channel that PUBLISH goes to, in messages of 100 bytes,
// PIPELINE (1) at a time: the next go out when all replies and all messages are here, so that both
// servers are asked for the same, however fast they are. When the server (process PID) has used MS
// (1000) of CPU time it ends and prints the CPU microseconds per message delivered, and how many
// were delivered a second. Every byte that arrives is compared with what it must be.
//
//   -g PATTERNS   the subscribers share so many patterns, three of which match, one each of the
//                 first three subscribers; what is printed is per message published
//   -m MESSAGES   nobody reads: so many are published, and what is printed is by how many bytes
//                 used_memory has grown, since before anybody had subscribed
#include "connect.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL       "news.sport.football"
#define MESSAGE_BYTES 100
#define READ_BYTES    65536
#define EVENTS        256
#define WARM_BATCHES  10
#define WAIT_MS       20000
#define CONNECTIONS   20000
#define LOOK_EVERY    250  // pipelines, while nobody reads
#define GROWTH_MAX    ((uint64_t)2 << 30)

static const char *const matching[] = { "news.*", "news.sport.*", "news.s*.football" };
#define MATCHING (sizeof matching / sizeof matching[0])

struct options {
    uint16_t port;
    clockid_t server_clock;
    unsigned subscribers;
    unsigned pipeline;
    uint64_t cpu_us;
    unsigned patterns;  // 0: they subscribe to the channel
    uint64_t messages;  // 0: they read
};

// What comes in on a connection is one text again and again.
struct link {
    int fd;
    struct bytes expected;
    size_t at;  // in it
};

struct bench {
    struct options options;
    int poll;
    struct link publisher;  // expects replies
    struct link *subscribers;
    struct bytes batch;    // PIPELINE publications
    uint64_t batch_bytes;  // come in of one batch, on all connections
    char buffer[READ_BYTES];
};

// ---- texts --------------------------------------------------------------------------------------

static void append_bulk(struct bytes *out, struct slice text)
{
    bytes_printf(out, "$%zu\r\n", text.len);
    bytes_append_slice(out, text);
    bytes_append_text(out, "\r\n");
}

static struct slice message(void)
{
    static char text[MESSAGE_BYTES];
    memset(text, 'm', sizeof text);
    return (struct slice){ .ptr = text, .len = sizeof text };
}

static void append_publication(struct bytes *out)
{
    bytes_append_text(out, "*3\r\n");
    append_bulk(out, SLICE("PUBLISH"));
    append_bulk(out, SLICE(CHANNEL));
    append_bulk(out, message());
}

// What a subscriber gets for each publication, through this pattern if there is one.
static void append_delivery(struct bytes *out, const char *pattern)
{
    bytes_append_text(out, pattern ? "*4\r\n" : "*3\r\n");
    append_bulk(out, pattern ? SLICE("pmessage") : SLICE("message"));
    if (pattern)
        append_bulk(out, slice_of(pattern));
    append_bulk(out, SLICE(CHANNEL));
    append_bulk(out, message());
}

// ---- reading ------------------------------------------------------------------------------------

static size_t receive(struct bench *bench, int fd)
{
    ssize_t got = recv(fd, bench->buffer, sizeof bench->buffer, 0);
    if (got <= 0)
        fail("the server closed the connection");
    if (bench->buffer[0] == '-')
        fail("the server refused a command");
    return (size_t)got;
}

// Reads so many lines and what else comes with them, which must be nothing.
static void receive_lines(struct bench *bench, int fd, size_t lines)
{
    while (lines > 0) {
        size_t got = receive(bench, fd);
        for (size_t i = 0; i < got; i++) {
            if (bench->buffer[i] == '\n' && lines-- == 0)
                fail("the server said more than it should");
        }
    }
}

// Reads once and compares; returns how many bytes came.
static size_t receive_expected(struct bench *bench, struct link *link)
{
    size_t got = receive(bench, link->fd);
    for (size_t done = 0; done < got;) {
        size_t part = link->expected.len - link->at;
        part = part < got - done ? part : got - done;
        if (part == 0 || memcmp(bench->buffer + done, link->expected.data + link->at, part) != 0)
            fail("the server sent something else than the messages");
        done += part;
        link->at = (link->at + part) % link->expected.len;
    }
    return got;
}

static uint64_t used_memory(struct bench *bench)
{
    static const char command[] = "INFO memory\r\n";
    static const char field[] = "\nused_memory:";
    struct bytes reply = { 0 };
    size_t whole = SIZE_MAX;
    send_all(bench->publisher.fd, command, sizeof command - 1);
    while (reply.len < whole) {
        bytes_append(&reply, bench->buffer, receive(bench, bench->publisher.fd));
        bytes_append(&reply, "", 1);
        reply.len--;
        const char *line = strchr(reply.data, '\n');
        if (line && whole == SIZE_MAX)
            whole = (size_t)(line + 1 - reply.data) + strtoull(reply.data + 1, NULL, 10) + 2;
    }
    const char *found = strstr(reply.data, field);
    if (!found)
        fail("the server does not know its used_memory");
    uint64_t used = strtoull(found + sizeof field - 1, NULL, 10);
    bytes_release(&reply);
    return used;
}

// ---- getting ready ------------------------------------------------------------------------------

static void watch(struct bench *bench, struct link *link)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = link } };
    if (epoll_ctl(bench->poll, EPOLL_CTL_ADD, link->fd, &event) != 0)
        fail("cannot watch a connection");
}

// The patterns of one subscriber: every n-th of all; the first of each of the first three match.
static void subscribe_patterns(struct bench *bench, unsigned number)
{
    struct link *link = &bench->subscribers[number];
    struct bytes commands = { 0 };
    size_t count = 0;
    for (unsigned i = number; i < bench->options.patterns; i += bench->options.subscribers) {
        if (i < MATCHING)
            bytes_printf(&commands, "PSUBSCRIBE %s\r\n", matching[i]);
        else
            bytes_printf(&commands, "PSUBSCRIBE user.%05u.*\r\n", i);
        count++;
    }
    send_all(link->fd, commands.data, commands.len);
    receive_lines(bench, link->fd, 6 * count);
    bytes_release(&commands);
    if (number < MATCHING)
        append_delivery(&link->expected, matching[number]);
}

// The kernel keeps a hundred kilobytes for a peer who does not read, as on a network, not the
// megabytes of loopback: what it keeps does not show in the server's memory.
static int connect_stalled(uint16_t port)
{
    int segment_bytes = 1460;
    int receive_bytes = 4096;
    int fd = make_socket();
    if (setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes) != 0)
        fail("cannot make a connection small");
    return connect_local_with(fd, port);
}

static void subscribe(struct bench *bench, unsigned number)
{
    static const char command[] = "SUBSCRIBE " CHANNEL "\r\n";
    struct link *link = &bench->subscribers[number];
    uint16_t port = bench->options.port;
    link->fd = bench->options.messages > 0 ? connect_stalled(port) : connect_local(port);
    if (bench->options.patterns > 0) {
        subscribe_patterns(bench, number);
    } else {
        send_all(link->fd, command, sizeof command - 1);
        receive_lines(bench, link->fd, 6);
        append_delivery(&link->expected, NULL);
    }
    bench->batch_bytes += bench->options.pipeline * link->expected.len;
    if (bench->options.messages == 0)
        watch(bench, link);
}

static void prepare(struct bench *bench)
{
    const struct options *options = &bench->options;
    unsigned receivers = options->patterns > 0 ? (unsigned)MATCHING : options->subscribers;
    struct link *publisher = &bench->publisher;
    bytes_printf(&publisher->expected, ":%u\r\n", receivers);
    for (unsigned i = 0; i < options->pipeline; i++)
        append_publication(&bench->batch);
    bench->batch_bytes = options->pipeline * publisher->expected.len;
    bench->subscribers = mem_alloc_zeroed(options->subscribers * sizeof *bench->subscribers);
    for (unsigned i = 0; i < options->subscribers; i++)
        subscribe(bench, i);
    if (options->messages == 0)
        watch(bench, publisher);
}

// Closed with a reset, so that thousands of connections don't stay behind in the kernel.
static void hang_up(struct link *link)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(link->fd);
    bytes_release(&link->expected);
}

static void clear(struct bench *bench)
{
    for (unsigned i = 0; i < bench->options.subscribers; i++)
        hang_up(&bench->subscribers[i]);
    hang_up(&bench->publisher);
    close(bench->poll);
    bytes_release(&bench->batch);
    mem_free(bench->subscribers, bench->options.subscribers * sizeof *bench->subscribers);
    mem_free(bench, sizeof *bench);
}

// ---- measuring ----------------------------------------------------------------------------------

static uint64_t server_cpu_us(const struct bench *bench)
{
    struct timespec time;
    if (clock_gettime(bench->options.server_clock, &time) != 0)
        fail("the server has ended");
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

// Publishes PIPELINE messages and waits for all that comes of it.
static void run_batch(struct bench *bench)
{
    struct epoll_event events[EVENTS];
    uint64_t due = bench->batch_bytes;
    send_all(bench->publisher.fd, bench->batch.data, bench->batch.len);
    while (due > 0) {
        int count = epoll_wait(bench->poll, events, EVENTS, WAIT_MS);
        if (count <= 0)
            fail("messages are missing");
        for (int i = 0; i < count; i++) {
            size_t got = receive_expected(bench, events[i].data.ptr);
            if (got > due)
                fail("the server sent more than the messages");
            due -= got;
        }
    }
}

static void measure_cpu(struct bench *bench)
{
    const struct options *options = &bench->options;
    for (unsigned i = 0; i < WARM_BATCHES; i++)
        run_batch(bench);
    uint64_t begun_us = clock_mono_us_now();
    uint64_t begun_cpu_us = server_cpu_us(bench);
    uint64_t used_us = 0;
    uint64_t batches = 0;
    for (; used_us < options->cpu_us; batches++) {
        run_batch(bench);
        used_us = server_cpu_us(bench) - begun_cpu_us;
    }
    double took_s = (double)(clock_mono_us_now() - begun_us) / 1e6;
    uint64_t published = batches * options->pipeline;
    uint64_t units = options->patterns > 0 ? published : published * options->subscribers;
    printf("%.4f %.0f\n", (double)used_us / (double)units, (double)units / took_s);
}

static void measure_memory(struct bench *bench, uint64_t before)
{
    const struct options *options = &bench->options;
    for (uint64_t done = 0; done < options->messages; done += options->pipeline) {
        send_all(bench->publisher.fd, bench->batch.data, bench->batch.len);
        receive_lines(bench, bench->publisher.fd, options->pipeline);
        // A server that copies would take all the memory of the machine.
        if (done / options->pipeline % LOOK_EVERY == 0 && used_memory(bench) > before + GROWTH_MAX)
            fail("the server has taken 2 GiB for subscribers that do not read");
    }
    uint64_t after = used_memory(bench);
    printf("%" PRIu64 "\n", after > before ? after - before : 0);
}

static void check_options(const struct options *options)
{
    if (options->port == 0 || options->server_clock == 0 || options->subscribers == 0 ||
        options->pipeline == 0 || (options->patterns > 0 && options->messages > 0))
        fail("usage: bench_pubsub -p PORT -s PID -c SUBSCRIBERS [-P PIPELINE] [-t MS] "
             "[-g PATTERNS | -m MESSAGES]");
    if (options->messages % options->pipeline != 0)
        fail("the messages do not come out even");
    if (options->patterns > 0 &&
        (options->subscribers < MATCHING || options->patterns < options->subscribers))
        fail("each subscriber has a pattern, and three match");
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .pipeline = 1, .cpu_us = 1000000 };
    pid_t server = 0;
    int letter;
    while ((letter = getopt(argc, argv, "p:s:c:P:t:g:m:")) != -1) {
        switch (letter) {
        case 'p': options.port = (uint16_t)option_number(optarg, UINT16_MAX); break;
        case 's': server = (pid_t)option_number(optarg, INT32_MAX); break;
        case 'c': options.subscribers = (unsigned)option_number(optarg, CONNECTIONS); break;
        case 'P': options.pipeline = (unsigned)option_number(optarg, 1000); break;
        case 't': options.cpu_us = option_number(optarg, 1000000) * 1000; break;
        case 'g': options.patterns = (unsigned)option_number(optarg, 10000000); break;
        case 'm': options.messages = option_number(optarg, INT64_MAX); break;
        default: exit(2);
        }
    }
    if (server != 0 && clock_getcpuclockid(server, &options.server_clock) != 0)
        fail("there is no such process");
    check_options(&options);
    return options;
}

static void allow_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct options options = parse_options(argc, argv);
    mem_init();
    allow_connections();
    struct bench *bench = mem_alloc_zeroed(sizeof *bench);
    bench->options = options;
    bench->poll = epoll_create1(EPOLL_CLOEXEC);
    bench->publisher.fd = connect_local(options.port);
    uint64_t before = used_memory(bench);
    prepare(bench);
    if (options.messages > 0)
        measure_memory(bench, before);
    else
        measure_cpu(bench);
    clear(bench);
    return 0;
}
