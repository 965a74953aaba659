// SPDX-License-Identifier: BSD-3-Clause
// Files and payloads of redis-server that were damaged: loaded, or refused with the place and a reason; never a
// crash.
#include "rdb_bytes.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

#define FILES    300  // that the checker looks at
#define STARTS   12   // of them a server is started on
#define PAYLOADS 300  // of each key

// A payload ends with its version and a checksum.
#define VERSION_BYTES  2
#define CHECKSUM_BYTES 8

static const char *const keys[][2] = {
    { "string", "SET string $(text*20)" },
    { "number", "SET number 70000" },
    { "list", "RPUSH list a 1 -70000 $(b*100)" },
    { "ints", "SADD ints 1 2 70000" },
    { "set", "SADD set a b 17" },
    { "hash", "HSET hash f v 1 2" },
    { "table", "HSET table f $(v*100) g w" },
    { "zset", "ZADD zset 1.5 a -inf b 3 c" },
    { "tree", "ZADD tree 1.5 $(a*100) -inf b 3 c" },
    { "quicklist", "RPUSH quicklist $(x*9000) y $(z*9000)" },
};
#define KEYS (sizeof(keys) / sizeof(*keys))

// The text in an answer to a bad payload.
#define BAD_FORMAT "ERR Bad data format"

// Source: G. Marsaglia, "Xorshift RNGs".
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Between one and three bytes are others; now and then all behind one is gone.
static size_t damage(char *bytes, size_t len, uint64_t *random)
{
    for (uint64_t n = next_random(random) % 3 + 1; n > 0; n--)
        bytes[next_random(random) % len] = (char)next_random(random);
    return next_random(random) % 8 == 0 ? next_random(random) % len : len;
}

static void fill(struct host *host)
{
    for (size_t i = 0; i < KEYS; i++)
        host_feed(host, "%s", keys[i][1]);
    host_flush(host);
}

// ---- files --------------------------------------------------------------------------------------

static bool names_place(const struct buffer *text)
{
    return text->data && strstr(text->data, "at byte ");
}

// The checker's word on a file: 0 and 1 are well, if it says where.
static bool checker_copes(const struct run *run, const char *dir, struct buffer *why)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/dump.rdb", dir);
    int status = run_program((const char *const[]){ run->check_rdb, path, NULL }, why);
    return status == 0 || (status == 1 && names_place(why));
}

static bool server_copes(struct run *run, const char *dir, struct buffer *why)
{
    struct host host;
    if (!host_start(&host, OURS, dir, USUAL, why))
        return names_place(why);
    run_stop(run, &host, "a damaged file");
    return true;
}

// A file without a checksum, so that what is behind it is looked at.
static void make_file(struct buffer *out)
{
    char dir[SERVER_DIR_MAX];
    struct host host;
    struct buffer why = { 0 };
    servers_folder(dir);
    if (!host_start(&host, ORACLE, dir, USUAL " --rdbchecksum no", &why))
        die("%.*s", SHOW(buffer_span(&why)));
    fill(&host);
    host_feed(&host, "SAVE");
    host_flush(&host);
    if (!host_stop(&host, &why))
        die("%.*s", SHOW(buffer_span(&why)));
    files_read(out, dir, "dump.rdb");
    buffer_release(&why);
}

static void damage_files(struct run *run)
{
    struct buffer file = { 0 };
    struct buffer copy = { 0 };
    struct buffer why = { 0 };
    uint64_t random = run->seed * 2 + 1;
    size_t wrong = 0;
    make_file(&file);
    for (size_t i = 0; i < FILES; i++) {
        char dir[SERVER_DIR_MAX];
        buffer_clear(&copy);
        buffer_append(&copy, buffer_span(&file));
        copy.len = damage(copy.data, copy.len, &random);
        servers_folder(dir);
        files_write(dir, "dump.rdb", buffer_span(&copy));
        bool ok = checker_copes(run, dir, &why) && (i >= STARTS || server_copes(run, dir, &why));
        wrong += !ok;
        if (!ok)
            run_check(run, false, &why, "damaged file %zu", i);
        buffer_clear(&why);
    }
    run_check(run, wrong == 0, &why, "%d damaged files", FILES);
    buffer_release(&file);
    buffer_release(&copy);
    buffer_release(&why);
}

// ---- payloads -----------------------------------------------------------------------------------

static void seal(struct buffer *payload)
{
    payload->len -= CHECKSUM_BYTES;
    put_le(payload, rdb_crc(buffer_span(payload)), CHECKSUM_BYTES);
}

// What comes of one: whether it was taken. Ends the program if the server has ended.
static bool take(struct host *host, struct span payload, size_t *strange)
{
    host_begin(host, 5);
    host_word(host, SPAN("RESTORE"));
    host_word(host, SPAN("k"));
    host_word(host, SPAN("0"));
    host_word(host, payload);
    host_word(host, SPAN("REPLACE"));
    const struct reply *reply = host_ask_queued(host);
    bool taken = !reply_is_error(reply);
    if (!taken && !span_is(reply->text, BAD_FORMAT))
        *strange += 1;
    // All of what was taken is walked over.
    if (taken && reply_is_error(host_ask(host, "DEBUG DIGEST-VALUE k")))
        *strange += 1;
    return taken;
}

// Damaged payloads of a key, each into all servers: how many were judged differently.
static size_t damage_payload(struct host *hosts, size_t count, struct span whole, uint64_t *random,
                             size_t *strange)
{
    struct buffer copy = { 0 };
    size_t different = 0;
    for (int i = 0; i < PAYLOADS; i++) {
        size_t taken = 0;
        buffer_clear(&copy);
        buffer_append(&copy, whole);
        (void)damage(copy.data, copy.len - CHECKSUM_BYTES - VERSION_BYTES, random);
        seal(&copy);
        for (size_t j = 0; j < count; j++)
            taken += take(&hosts[j], buffer_span(&copy), strange);
        different += taken != 0 && taken != count;
    }
    buffer_release(&copy);
    return different;
}

// Servers with each word of sanitize-dump-payload: all look at every payload.
static void damage_payloads(struct run *run)
{
    static const char *const words[] = { "no", "yes", "clients" };
    struct host oracle;
    struct host hosts[3];
    struct buffer why = { 0 };
    struct buffer payload = { 0 };
    char dir[SERVER_DIR_MAX];
    uint64_t random = run->seed * 2 + 1;
    size_t strange = 0;
    size_t different = 0;
    servers_folder(dir);
    bool started = host_start(&oracle, ORACLE, dir, USUAL, &why);
    for (size_t i = 0; i < 3 && started; i++) {
        char options[200];
        snprintf(options, sizeof(options), USUAL " --sanitize-dump-payload %s", words[i]);
        servers_folder(dir);
        started = host_start(&hosts[i], OURS, dir, options, &why);
    }
    if (!started)
        die("%.*s", SHOW(buffer_span(&why)));
    fill(&oracle);
    for (size_t i = 0; i < KEYS; i++) {
        buffer_clear(&payload);
        buffer_append(&payload, host_ask(&oracle, "DUMP %s", keys[i][0])->text);
        different += damage_payload(hosts, 3, buffer_span(&payload), &random, &strange);
    }
    run_check(run, strange == 0, &why, "damaged payloads: %zu strange answers", strange);
    run_check(run, different == 0, &why,
              "damaged payloads: %zu are judged by sanitize-dump-payload", different);
    run_stop(run, &oracle, "damaged payloads");
    for (size_t i = 0; i < 3; i++)
        run_stop(run, &hosts[i], "damaged payloads");
    files_read(&why, dir, "log");
    run_check(run, strstr(why.data, "RESTORE: Bad data format: ") && names_place(&why), &why,
              "the log names place and reason of damaged payloads");
    buffer_release(&payload);
    buffer_release(&why);
}

void run_hostile(struct run *run)
{
    damage_files(run);
    damage_payloads(run);
}
