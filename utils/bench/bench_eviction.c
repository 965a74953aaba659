// SPDX-License-Identifier: BSD-3-Clause
// Misses at the same maxmemory: the same traces against this server and redis-server.
//
//   bench_eviction [--quick] [--trace NAME] [--policy NAME] [--seed NUMBER]
//
// A trace is a row of keys from a seed: GET, and SET on a miss. maxmemory is what redis-server uses when it
// holds 10 % of the keys. Misses count from the second quarter on. RESPITE_SERVER and REDIS_SERVER name the
// programs. Exit status: 1 if a ratio is above the bound.
#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOUND          0.92
#define P99_BOUND_US   2000
#define VALUE_BYTES    100
#define PIPELINE       32
#define HELD_PERCENT   10
#define START_PATIENCE 200  // of 50 ms
#define REQUESTS_A_KEY 6
#define LATENCIES      100000
#define SCAN_EVERY     4   // one request in so many belongs to a scan
#define SHIFTS         10  // so often all hot keys become others

enum pollution { STEADY, SCANNED, SHIFTING };

static const struct trace {
    const char *name;
    double skew;
    enum pollution pollution;
} traces[] = {
    { "zipf-0.9", 0.9, STEADY }, { "zipf-0.99", 0.99, STEADY },  { "zipf-1.1", 1.1, STEADY },
    { "scans", 0.99, SCANNED },  { "shifting", 0.99, SHIFTING },
};

static const char *const policies[] = { "allkeys-lru", "allkeys-lfu" };

static uint32_t key_count = 1000000;
static uint64_t trace_seed = 20240607;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

// --- Servers ------------------------------------------------------------------------------------

struct peer {
    pid_t pid;
    int fd;
    char folder[64];
    char buf[1 << 16];
    size_t pos;
    size_t len;
};

static int try_connect(const char *folder)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void peer_start(struct peer *peer, const char *program, const char *policy, uint64_t limit)
{
    char limit_text[32];
    char socket_path[96];
    *peer = (struct peer){ .folder = "/tmp/bench-eviction-XXXXXX", .fd = -1 };
    if (!mkdtemp(peer->folder))
        die("mkdtemp");
    snprintf(limit_text, sizeof(limit_text), "%" PRIu64, limit);
    snprintf(socket_path, sizeof(socket_path), "%s/socket", peer->folder);
    peer->pid = fork();
    if (peer->pid < 0)
        die("fork");
    if (peer->pid == 0) {
        execlp(program, program, "--port", "0", "--unixsocket", socket_path, "--save", "", "--dir",
               peer->folder, "--loglevel", "warning", "--logfile", "/dev/null", "--maxmemory",
               limit_text, "--maxmemory-policy", policy, (char *)NULL);
        die(program);
    }
    for (int tries = 0; peer->fd < 0 && tries < START_PATIENCE; tries++) {
        usleep(50000);
        peer->fd = try_connect(peer->folder);
    }
    if (peer->fd < 0)
        die(program);
}

static void peer_end(struct peer *peer)
{
    char path[96];
    close(peer->fd);
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
    snprintf(path, sizeof(path), "%s/socket", peer->folder);
    unlink(path);
    rmdir(peer->folder);
}

static void peer_send(const struct peer *peer, const struct bytes *request)
{
    size_t sent = 0;
    while (sent < request->len) {
        ssize_t got = write(peer->fd, request->data + sent, request->len - sent);
        if (got <= 0)
            die("write");
        sent += (size_t)got;
    }
}

static char peer_byte(struct peer *peer)
{
    if (peer->pos == peer->len) {
        ssize_t got = read(peer->fd, peer->buf, sizeof(peer->buf));
        if (got <= 0)
            die("read");
        peer->pos = 0;
        peer->len = (size_t)got;
    }
    return peer->buf[peer->pos++];
}

// The next reply; a bulk string's text goes to `out` if that is not NULL. False: it is a null.
static bool peer_reply(struct peer *peer, struct bytes *out)
{
    char line[128];
    size_t len = 0;
    for (char byte; (byte = peer_byte(peer)) != '\n';)
        line[len < sizeof(line) - 1 ? len++ : len] = byte;
    line[len] = '\0';
    if (line[0] == '-') {
        fprintf(stderr, "bench_eviction: %s\n", line);
        exit(2);
    }
    if (line[0] != '$')
        return true;
    long size = strtol(line + 1, NULL, 10);
    if (size < 0)
        return false;
    for (long i = 0; i < size + 2; i++) {
        char byte = peer_byte(peer);
        if (out && i < size)
            bytes_append_char(out, byte);
    }
    return true;
}

static uint64_t peer_used_memory(struct peer *peer)
{
    struct bytes text = { 0 };
    struct bytes request = { 0 };
    bytes_append_text(&request, "*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n");
    peer_send(peer, &request);
    peer_reply(peer, &text);
    bytes_append_char(&text, '\0');
    const char *field = strstr(text.data, "used_memory:");
    uint64_t used = field ? strtoull(field + strlen("used_memory:"), NULL, 10) : 0;
    bytes_release(&text);
    bytes_release(&request);
    return used;
}

// --- Traces -------------------------------------------------------------------------------------

struct player {
    const struct trace *trace;
    struct random random;
    const double *cdf;
    uint64_t requests;
    uint64_t made;
    uint32_t scan_at;
};

// Cumulated probabilities of the ranks.
static double *zipf_cdf(double skew)
{
    double *cdf = mem_alloc(key_count * sizeof(*cdf));
    double sum = 0;
    for (uint32_t i = 0; i < key_count; i++)
        cdf[i] = sum += pow(i + 1, -skew);
    for (uint32_t i = 0; i < key_count; i++)
        cdf[i] /= sum;
    return cdf;
}

static uint32_t zipf_rank(struct random *random, const double *cdf)
{
    double at = random_double(random);
    uint32_t low = 0;
    uint32_t high = key_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cdf[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t player_next(struct player *player)
{
    uint64_t at = player->made++;
    if (player->trace->pollution == SCANNED && at % SCAN_EVERY == 0)
        return player->scan_at++ % key_count;
    uint64_t rank = zipf_rank(&player->random, player->cdf);
    if (player->trace->pollution == SHIFTING)
        rank += at * SHIFTS / player->requests * (key_count / SHIFTS);
    // Hot keys are no neighbours: 7919 is prime, and no divisor of the number of keys.
    return (uint32_t)(rank * 7919 % key_count);
}

static void add_get(struct bytes *out, uint32_t key)
{
    bytes_printf(out, "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012u\r\n", key);
}

static void add_set(struct bytes *out, uint32_t key)
{
    static const char value[VALUE_BYTES + 1] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789abcdefghijklmnopqrstuvwxyzAB";
    bytes_printf(out, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012u\r\n$%d\r\n%s\r\n", key, VALUE_BYTES,
                 value);
}

// One pipeline of GETs, and one of SETs for what was missed; returns the misses.
static unsigned play_some(struct peer *peer, struct player *player, struct bytes *request)
{
    uint32_t keys[PIPELINE];
    uint32_t missed[PIPELINE];
    unsigned misses = 0;
    bytes_clear(request);
    for (unsigned i = 0; i < PIPELINE; i++) {
        keys[i] = player_next(player);
        add_get(request, keys[i]);
    }
    peer_send(peer, request);
    for (unsigned i = 0; i < PIPELINE; i++) {
        if (!peer_reply(peer, NULL))
            missed[misses++] = keys[i];
    }
    bytes_clear(request);
    for (unsigned i = 0; i < misses; i++)
        add_set(request, missed[i]);
    peer_send(peer, request);
    for (unsigned i = 0; i < misses; i++)
        peer_reply(peer, NULL);
    return misses;
}

// Misses in percent of the requests.
static double play(const char *program, const char *policy, uint64_t limit,
                   const struct trace *trace, const double *cdf)
{
    struct peer peer;
    struct bytes request = { 0 };
    struct player player = { .trace = trace,
                             .cdf = cdf,
                             .requests = (uint64_t)key_count * REQUESTS_A_KEY };
    uint64_t counted = 0;
    uint64_t misses = 0;
    random_seed(&player.random, trace_seed);
    peer_start(&peer, program, policy, limit);
    while (player.made < player.requests) {
        bool counts = player.made >= player.requests / 4;
        unsigned missed = play_some(&peer, &player, &request);
        counted += counts ? PIPELINE : 0;
        misses += counts ? missed : 0;
    }
    peer_end(&peer);
    bytes_release(&request);
    return 100.0 * (double)misses / (double)counted;
}

// --- The limit, and SETs at it ------------------------------------------------------------------

static void fill(struct peer *peer, uint32_t count)
{
    struct bytes request = { 0 };
    for (uint32_t key = 0; key < count; key += PIPELINE) {
        bytes_clear(&request);
        for (uint32_t i = 0; i < PIPELINE; i++)
            add_set(&request, key + i);
        peer_send(peer, &request);
        for (uint32_t i = 0; i < PIPELINE; i++)
            peer_reply(peer, NULL);
    }
    bytes_release(&request);
}

static uint64_t measure_limit(const char *redis)
{
    struct peer peer;
    peer_start(&peer, redis, "noeviction", 0);
    fill(&peer, key_count / 100 * HELD_PERCENT);
    uint64_t used = peer_used_memory(&peer);
    peer_end(&peer);
    return used;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

// p99 of single SETs of new keys when the memory is full, in microseconds.
static uint32_t set_p99(const char *program, const char *policy, uint64_t limit)
{
    static uint32_t took_us[LATENCIES];
    struct peer peer;
    struct bytes request = { 0 };
    peer_start(&peer, program, policy, limit);
    fill(&peer, key_count / 4);
    for (uint32_t i = 0; i < LATENCIES; i++) {
        bytes_clear(&request);
        add_set(&request, key_count + i);
        uint64_t start_us = clock_mono_us_now();
        peer_send(&peer, &request);
        peer_reply(&peer, NULL);
        took_us[i] = (uint32_t)(clock_mono_us_now() - start_us);
    }
    peer_end(&peer);
    bytes_release(&request);
    qsort(took_us, LATENCIES, sizeof(*took_us), by_value);
    return took_us[LATENCIES / 100 * 99];
}

// --- The report ---------------------------------------------------------------------------------

struct options {
    const char *trace;   // NULL: all
    const char *policy;  // NULL: all
    const char *ours;
    const char *redis;
};

static bool wanted(const char *only, const char *name)
{
    return !only || strcmp(only, name) == 0;
}

static bool compare(const struct options *options, const char *policy, uint64_t limit)
{
    bool all_hold = true;
    for (size_t i = 0; i < sizeof(traces) / sizeof(*traces); i++) {
        if (!wanted(options->trace, traces[i].name))
            continue;
        double *cdf = zipf_cdf(traces[i].skew);
        double theirs = play(options->redis, policy, limit, &traces[i], cdf);
        double ours = play(options->ours, policy, limit, &traces[i], cdf);
        bool holds = ours <= BOUND * theirs;
        all_hold &= holds;
        printf("%-12s %-10s %9.3f %% %9.3f %% %8.3f  %s\n", policy, traces[i].name, theirs, ours,
               ours / theirs, holds ? "PASS" : "FAIL");
        fflush(stdout);
        mem_free(cdf, key_count * sizeof(*cdf));
    }
    return all_hold;
}

static bool report(const struct options *options)
{
    bool all_hold = true;
    uint64_t limit = measure_limit(options->redis);
    printf("%u keys, %d-byte values, %d requests a key, maxmemory %" PRIu64 "\n\n", key_count,
           VALUE_BYTES, REQUESTS_A_KEY, limit);
    printf("%-12s %-10s %11s %11s %8s  bound %.2f\n", "policy", "trace", "redis", "respite",
           "ratio", BOUND);
    for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
        if (wanted(options->policy, policies[i]))
            all_hold &= compare(options, policies[i], limit);
    }
    printf("\nSET of a new key at the limit, one at a time, p99\n");
    for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
        if (!wanted(options->policy, policies[i]) || options->trace)
            continue;
        uint32_t theirs = set_p99(options->redis, policies[i], limit);
        uint32_t ours = set_p99(options->ours, policies[i], limit);
        bool holds = ours < P99_BOUND_US;
        all_hold &= holds;
        printf("%-12s %21u us %8u us  %s (below %d us)\n", policies[i], theirs, ours,
               holds ? "PASS" : "FAIL", P99_BOUND_US);
    }
    return all_hold;
}

int main(int argc, char **argv)
{
    struct options options = { .ours = getenv("RESPITE_SERVER"), .redis = getenv("REDIS_SERVER") };
    mem_init();
    clock_init();
    if (!options.ours)
        options.ours = "build/respite-server";
    if (!options.redis)
        options.redis = "redis-server";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            key_count = 100000;
        else if (strcmp(argv[i], "--trace") == 0 && i + 1 < argc)
            options.trace = argv[++i];
        else if (strcmp(argv[i], "--policy") == 0 && i + 1 < argc)
            options.policy = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            trace_seed = strtoull(argv[++i], NULL, 10);
        else {
            fprintf(stderr, "usage: bench_eviction [--quick] [--trace NAME] [--policy NAME] "
                            "[--seed NUMBER]\n");
            return 2;
        }
    }
    return report(&options) ? 0 : 1;
}
