// SPDX-License-Identifier: BSD-3-Clause
// Load for a server: one command with changing arguments over pipelined connections.
//
//   bench_load -p PORT -n COUNT [-t MS] [-w MS] [-c CONNECTIONS] [-P PIPELINE] [-f FIRST]
//              [-r RANGE] [-o FILE] COMMAND
//
// The command is written as people write it, words between single blanks. Each one sent has a
// number: FIRST, FIRST + 1 and so on (from 0 unless told), or random ones below RANGE. In its
// words stand for it
//
//   %n  the number                 %k  the number in 12 digits
//   %e  the number + 99            %d  the number modulo 10
//   %i  the number + 1000000       %t  86400 and the number modulo 86400
//   %s  a random score of 32 bits  %r  a random number below RANGE in 12 digits, each time another
//
// With -t no more is sent after MS milliseconds. With -o the replies are written to FILE, byte for
// byte as they come: with one connection, in the order of the commands. With -w the connections stay
// open, idle, for MS after the last reply.
//
// What is random comes in the same order each time, so that both servers get the same; FIRST beside
// RANGE chooses another order. Prints commands per second and p99 in ms, of the time from sending a
// pipeline to its last reply. Ends with status 1, and what the server said, at the first reply that
// is an error.
#include "connect.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/numbers.h"
#include "base/random.h"

#include <inttypes.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_BYTES 65536
#define EVENTS     64
#define WORDS_MAX  64

struct options {
    uint16_t port;
    unsigned connections;
    unsigned pipeline;
    uint64_t count;
    uint64_t window_us;  // 0: as long as it takes
    uint64_t linger_ms;
    uint64_t first;
    uint64_t range;         // 0: numbers in order
    const char *copy_path;  // NULL: replies are kept nowhere
};

// What of the server's bytes has been read so far of the replies that are due.
struct replies {
    uint64_t open;   // elements still to come of the reply that has begun
    size_t skip;     // bytes still to come of a bulk string
    char line[128];  // as much of the line that has begun as fits
    size_t line_len;
};

struct link {
    int fd;
    unsigned due;  // replies
    uint64_t sent_us;
    struct replies replies;
};

struct load {
    struct options options;
    struct slice words[WORDS_MAX];
    unsigned word_count;
    struct random random;
    uint64_t begun_us;
    uint64_t made;      // commands
    uint64_t answered;  // commands
    uint32_t *took_us;  // of each pipeline
    uint64_t took_count;
    FILE *copy;  // of the replies, or NULL
    struct bytes out;
    struct bytes word;
};

// ---- commands -----------------------------------------------------------------------------------

static void append_number(struct bytes *out, uint64_t number)
{
    out->len += (size_t)format_uint64(bytes_reserve(out, INT64_TEXT_MAX), number);
}

static void append_padded(struct bytes *out, uint64_t number)
{
    char *digits = bytes_reserve(out, 12);
    for (unsigned i = 12; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
    out->len += 12;
}

static void append_placeholder(struct load *load, char letter, uint64_t number)
{
    struct bytes *out = &load->word;
    switch (letter) {
    case 'n': append_number(out, number); break;
    case 'k': append_padded(out, number); break;
    case 'e': append_number(out, number + 99); break;
    case 'd': append_number(out, number % 10); break;
    case 'i': append_number(out, number + 1000000); break;
    case 't': append_number(out, 86400 + number % 86400); break;
    case 's': append_number(out, random_next(&load->random) >> 32); break;
    case 'r': append_padded(out, random_below(&load->random, load->options.range)); break;
    default: fail("the command has an unknown placeholder");
    }
}

// The word with its placeholders filled in, until the next one.
static void expand(struct load *load, struct slice word, uint64_t number)
{
    bytes_clear(&load->word);
    const char *end = word.ptr + word.len;
    for (const char *at = word.ptr; at < end; at++) {
        if (*at == '%' && at + 1 < end)
            append_placeholder(load, *++at, number);
        else
            bytes_append_char(&load->word, *at);
    }
}

static void add_command(struct load *load)
{
    struct bytes *out = &load->out;
    uint64_t number = load->options.range ? random_below(&load->random, load->options.range)
                                          : load->options.first + load->made;
    bytes_append_char(out, '*');
    append_number(out, load->word_count);
    bytes_append(out, "\r\n", 2);
    for (unsigned i = 0; i < load->word_count; i++) {
        expand(load, load->words[i], number);
        bytes_append_char(out, '$');
        append_number(out, load->word.len);
        bytes_append(out, "\r\n", 2);
        bytes_append(out, load->word.data, load->word.len);
        bytes_append(out, "\r\n", 2);
    }
    load->made++;
}

static void split_words(struct load *load, const char *command)
{
    if (strstr(command, "%r") && !load->options.range)
        fail("%r wants a range");
    while (*command != '\0') {
        size_t len = strcspn(command, " ");
        if (load->word_count == WORDS_MAX)
            fail("the command has too many words");
        load->words[load->word_count++] = (struct slice){ .ptr = command, .len = len };
        command += len + (command[len] == ' ');
    }
    if (load->word_count == 0)
        fail("no command");
}

// ---- replies ------------------------------------------------------------------------------------

static uint64_t line_number(const struct replies *replies)
{
    return replies->line[1] == '-' ? 0 : strtoull(replies->line + 1, NULL, 10);
}

// A whole line has come. True when it ends an element, which an array's head does itself.
static bool line_ends_element(struct replies *replies)
{
    switch (replies->line[0]) {
    case '-': fail(replies->line);
    case '$':
        if (replies->line[1] == '-')
            return true;
        replies->skip = line_number(replies) + 2;
        return false;
    case '*': replies->open += line_number(replies); return true;
    default: return true;
    }
}

// Reads on, to the end of an element or of the bytes; returns how many bytes it took.
static size_t read_element(struct replies *replies, const char *data, size_t len, bool *ended)
{
    *ended = false;
    if (replies->skip > 0) {
        size_t take = len < replies->skip ? len : replies->skip;
        replies->skip -= take;
        *ended = replies->skip == 0;
        return take;
    }
    const char *newline = memchr(data, '\n', len);
    size_t take = newline ? (size_t)(newline - data) : len;
    size_t room = sizeof replies->line - 1 - replies->line_len;
    memcpy(replies->line + replies->line_len, data, take < room ? take : room);
    replies->line_len += take < room ? take : room;
    if (!newline)
        return take;
    replies->line[replies->line_len] = '\0';
    replies->line_len = 0;
    *ended = line_ends_element(replies);
    return take + 1;
}

// Returns how many replies have ended in these bytes.
static unsigned count_replies(struct replies *replies, const char *data, size_t len)
{
    unsigned count = 0;
    while (len > 0) {
        bool ended;
        if (replies->open == 0)
            replies->open = 1;
        size_t took = read_element(replies, data, len, &ended);
        data += took;
        len -= took;
        if (ended && --replies->open == 0)
            count++;
    }
    return count;
}

// ---- connections --------------------------------------------------------------------------------

static void send_pipeline(struct load *load, struct link *link)
{
    uint64_t left = load->options.count - load->made;
    link->due = left < load->options.pipeline ? (unsigned)left : load->options.pipeline;
    if (link->due == 0)
        return;
    bytes_clear(&load->out);
    for (unsigned i = 0; i < link->due; i++)
        add_command(load);
    link->sent_us = clock_mono_us_now();
    send_all(link->fd, load->out.data, load->out.len);
}

static void receive(struct load *load, struct link *link)
{
    static char buffer[READ_BYTES];
    ssize_t got = recv(link->fd, buffer, sizeof buffer, 0);
    if (got <= 0)
        fail("the server closed the connection");
    if (load->copy && fwrite(buffer, 1, (size_t)got, load->copy) != (size_t)got)
        fail("cannot write the replies");
    unsigned count = count_replies(&link->replies, buffer, (size_t)got);
    if (count > link->due)
        fail("more replies than commands");
    link->due -= count;
    load->answered += count;
    if (link->due > 0)
        return;
    uint64_t now_us = clock_mono_us_now();
    load->took_us[load->took_count++] = (uint32_t)(now_us - link->sent_us);
    if (load->options.window_us && now_us - load->begun_us >= load->options.window_us)
        load->options.count = load->made;
    send_pipeline(load, link);
}

static void run(struct load *load)
{
    unsigned connections = load->options.connections;
    struct link *links = mem_alloc_zeroed(connections * sizeof *links);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < connections; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = &links[i] };
        links[i].fd = connect_local(load->options.port);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, links[i].fd, &event) != 0)
            fail("epoll_ctl");
    }
    for (unsigned i = 0; i < connections; i++)
        send_pipeline(load, &links[i]);
    while (load->answered < load->options.count) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            receive(load, events[i].data.ptr);
    }
    poll(NULL, 0, (int)load->options.linger_ms);
    for (unsigned i = 0; i < connections; i++)
        close(links[i].fd);
    close(epoll);
    mem_free(links, connections * sizeof *links);
}

// ---- program ------------------------------------------------------------------------------------

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct load *load, uint64_t total_us)
{
    qsort(load->took_us, load->took_count, sizeof *load->took_us, by_size);
    uint64_t p99 = load->took_count * 99 / 100;
    printf("%.2f %.3f\n", (double)load->answered * 1e6 / (double)(total_us ? total_us : 1),
           load->took_us[p99 < load->took_count ? p99 : load->took_count - 1] / 1e3);
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = { .connections = 1, .pipeline = 1 };
    int letter;
    while ((letter = getopt(argc, argv, "p:n:t:w:c:P:f:r:o:")) != -1) {
        switch (letter) {
        case 'p': options.port = (uint16_t)option_number(optarg, UINT16_MAX); break;
        case 'n': options.count = option_number(optarg, UINT32_MAX); break;
        case 't': options.window_us = option_number(optarg, UINT32_MAX) * 1000; break;
        case 'w': options.linger_ms = option_number(optarg, INT32_MAX); break;
        case 'c': options.connections = (unsigned)option_number(optarg, 10000); break;
        case 'P': options.pipeline = (unsigned)option_number(optarg, 10000); break;
        case 'f': options.first = option_number(optarg, UINT32_MAX); break;
        case 'r': options.range = option_number(optarg, UINT32_MAX); break;
        case 'o': options.copy_path = optarg; break;
        default: exit(2);
        }
    }
    if (optind != argc - 1 || !options.port || !options.count || !options.connections ||
        !options.pipeline)
        fail("usage: bench_load -p PORT -n COUNT [-t MS] [-w MS] [-c CONNECTIONS] [-P PIPELINE] "
             "[-f FIRST] [-r RANGE] [-o FILE] COMMAND");
    return options;
}

int main(int argc, char **argv)
{
    struct load load = { .options = parse_options(argc, argv) };
    mem_init();
    random_seed(&load.random, load.options.first);
    split_words(&load, argv[optind]);
    size_t took_bytes = load.options.count * sizeof *load.took_us;
    load.took_us = mem_alloc(took_bytes);
    if (load.options.copy_path && !(load.copy = fopen(load.options.copy_path, "wb")))
        fail("cannot write the file of the replies");
    load.begun_us = clock_mono_us_now();
    run(&load);
    report(&load, clock_mono_us_now() - load.begun_us);
    if (load.copy && fclose(load.copy) != 0)
        fail("cannot write the replies");
    mem_free(load.took_us, took_bytes);
    bytes_release(&load.out);
    bytes_release(&load.word);
    return 0;
}
