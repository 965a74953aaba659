// SPDX-License-Identifier: BSD-3-Clause
// What is known of keys' use moves with them, and keys whose time is over do not.
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FREQUENT USUAL " --maxmemory-policy allkeys-lfu --lfu-decay-time 0"
#define RECENT   USUAL " --maxmemory-policy allkeys-lru"

// What a busy machine may add to an idle time.
#define SLACK_S 120

// A key's time to live that is over when the other server starts.
#define BRIEF_MS 300

static const long long counters[] = { 0, 1, 5, 100, 255 };
static const long long idle_s[] = { 0, 1000, 100000, 4000000 };

struct use {
    const char *word;  // of RESTORE
    const char *ask;   // of OBJECT
    const char *options;
    const long long *values;
    size_t count;
    long long slack;
};

static const struct use uses[] = {
    { "FREQ", "FREQ", FREQUENT, counters, sizeof(counters) / sizeof(*counters), 0 },
    { "IDLETIME", "IDLETIME", RECENT, idle_s, sizeof(idle_s) / sizeof(*idle_s), SLACK_S },
};

static void must_start(struct host *host, enum side side, const char *dir, const char *options)
{
    struct buffer why = { 0 };
    if (!host_start(host, side, dir, options, &why))
        die("%.*s", SHOW(buffer_span(&why)));
}

static void make_keys(struct host *host, const struct use *use)
{
    struct buffer payload = { 0 };
    char number[32];
    host_feed(host, "SET k value");
    buffer_append(&payload, host_ask(host, "DUMP k")->text);
    for (size_t i = 0; i < use->count; i++) {
        const char *const words[] = { "RESTORE", NULL, "0", NULL, use->word, NULL };
        char key[32];
        snprintf(key, sizeof(key), "k%zu", i);
        snprintf(number, sizeof(number), "%lld", use->values[i]);
        host_begin(host, 6);
        for (int word = 0; word < 6; word++)
            host_word(host, word == 1   ? span_of(key)
                            : word == 3 ? buffer_span(&payload)
                            : word == 5 ? span_of(number)
                                        : span_of(words[word]));
    }
    host_flush(host);
    buffer_release(&payload);
}

static void check_keys(struct run *run, struct host *host, const struct use *use, const char *from)
{
    struct buffer why = { 0 };
    for (size_t i = 0; i < use->count; i++) {
        long long got = -1;
        const struct reply *reply = host_ask(host, "OBJECT %s k%zu", use->ask, i);
        bool ok = span_int(reply->text, &got) && got >= use->values[i] &&
                  got <= use->values[i] + use->slack;
        buffer_printf(&why, "  OBJECT %s: %.*s\n", use->ask, SHOW(reply->text));
        run_check(run, ok, &why, "%s of %s: %lld", use->word, from, use->values[i]);
    }
    buffer_release(&why);
}

static void move_use(struct run *run, enum side from, const struct use *use)
{
    char dir[SERVER_DIR_MAX];
    struct host host;
    servers_folder(dir);
    must_start(&host, from, dir, use->options);
    make_keys(&host, use);
    host_feed(&host, "SAVE");
    host_flush(&host);
    run_stop(run, &host, use->word);
    must_start(&host, other(from), dir, use->options);
    check_keys(run, &host, use, program_name(from));
    run_stop(run, &host, use->word);
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// What is over when the other one starts is not there, and not even for a moment.
static void move_over(struct run *run, enum side from, const char *options)
{
    char dir[SERVER_DIR_MAX];
    struct host host;
    struct buffer why = { 0 };
    const struct timespec nap = { .tv_nsec = 2000000 };
    bool logged = strstr(options, "appendonly yes") != NULL;
    servers_folder(dir);
    must_start(&host, from, dir, options);
    int64_t until_ms = wall_ms() + BRIEF_MS;
    host_feed(&host, "SET stays v");
    host_feed(&host, "SET goes v PXAT %lld", (long long)until_ms);
    if (!logged)
        host_feed(&host, "SAVE");
    host_flush(&host);
    run_stop(run, &host, "keys that are over");
    while (wall_ms() <= until_ms)
        nanosleep(&nap, NULL);
    must_start(&host, other(from), dir, options);
    const struct reply *keys = host_ask(&host, "KEYS *");
    buffer_printf(&why, "  %.*s\n", SHOW(keys->raw));
    run_check(run, keys->count == 1 && span_is(keys->items[0].text, "stays"), &why,
              "a key that is over, %s of %s", logged ? "aof" : "rdb", program_name(from));
    run_stop(run, &host, "keys that are over");
    buffer_release(&why);
}

static void move_all(struct run *run, enum side from)
{
    for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
        move_use(run, from, &uses[i]);
    move_over(run, from, USUAL);
    move_over(run, from, USUAL " --appendonly yes --appendfsync no");
}

void run_access(struct run *run)
{
    run_both(run, move_all);
}
