// SPDX-License-Identifier: BSD-3-Clause
// The promise of the effect stream: who repeats it ends with the same data. Random writes in several
// databases, while keys expire; then the stream is repeated from the start, with the clock set back so
// that nothing expires unless the stream says so, and the data are compared.
#include "base/numbers.h"
#include "base/random.h"
#include "commands/families.h"
#include "persist/snapshot.h"
#include "server/effects.h"
#include "store/digest.h"
#include "support/unit.h"
#include "unit/server/rig.h"

#define DATABASES 3
#define KEYS      6
#define REQUESTS  100
#define ROUNDS    1000
#define WORDS_MAX 10

static struct bytes fed;
static struct random dice;

static void feed(void *udata, struct slice resp)
{
    bytes_append_slice(udata, resp);
}

static void set_up(void)
{
    fed = (struct bytes){ 0 };
    rig_make(NULL);
    snapshot_register(server);
    commands_register(server->registry);
    rig_start();
}

static void tear_down(void)
{
    bytes_release(&fed);
    rig_stop();
}

// ---- making requests ----------------------------------------------------------------------------

struct request {
    char words[WORDS_MAX][32];
    size_t count;
};

static const char *pick(const char *const *words, size_t count)
{
    return words[random_below(&dice, count)];
}

#define PICK(...)                              \
    pick((const char *const[]){ __VA_ARGS__ }, \
         sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static void add(struct request *request, const char *word)
{
    EXPECT(request->count < WORDS_MAX);
    snprintf(request->words[request->count++], sizeof(request->words[0]), "%s", word);
}

static void add_int(struct request *request, int64_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    add(request, text);
}

static void add_key(struct request *request)
{
    char key[8];
    snprintf(key, sizeof(key), "k%u", (unsigned)random_below(&dice, KEYS));
    add(request, key);
}

static void add_value(struct request *request)
{
    if (random_below(&dice, 3))
        add(request, PICK("", "text", "a-longer-text-of-some-length", "0.5", "x"));
    else
        add_int(request, (int64_t)random_below(&dice, 1000) - 500);
}

// A time as the option takes it, mostly soon.
static void add_time(struct request *request, const char *option)
{
    int64_t ms = (int64_t)random_below(&dice, 3000) - 200;
    bool absolute = strstr(option, "AT") || strstr(option, "at");
    bool in_ms = *option == 'P' || *option == 'p';
    int64_t at = absolute ? clock_wall_ms() + ms : ms;
    add_int(request, in_ms ? at : (at + 999) / 1000);
}

static void make_set(struct request *request)
{
    add(request, "SET");
    add_key(request);
    add_value(request);
    if (random_below(&dice, 3) == 0)
        add(request, PICK("NX", "XX"));
    if (random_below(&dice, 4) == 0)
        add(request, "GET");
    if (random_below(&dice, 5) == 0) {
        add(request, "KEEPTTL");
    } else if (random_below(&dice, 2)) {
        const char *option = PICK("EX", "PX", "EXAT", "pxat");
        add(request, option);
        add_time(request, option);
    }
}

static void make_expiry(struct request *request)
{
    const char *name = PICK("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT");
    add(request, name);
    add_key(request);
    add_time(request, name);
    if (random_below(&dice, 3) == 0)
        add(request, PICK("NX", "XX", "GT", "LT"));
}

static void make_timed(struct request *request)
{
    if (random_below(&dice, 2)) {
        const char *name = PICK("SETEX", "PSETEX");
        add(request, name);
        add_key(request);
        add_time(request, name);
        add_value(request);
        return;
    }
    add(request, "GETEX");
    add_key(request);
    if (random_below(&dice, 3) == 0) {
        add(request, "PERSIST");
        return;
    }
    const char *option = PICK("EX", "PX", "EXAT", "PXAT");
    add(request, option);
    add_time(request, option);
}

static void make_push(struct request *request)
{
    add(request, PICK("LPUSH", "RPUSH", "LPUSH", "RPUSH", "LPUSHX"));
    add_key(request);
    for (uint64_t i = random_below(&dice, 4) + 1; i > 0; i--)
        add_value(request);
}

static void make_pop(struct request *request)
{
    const char *name = PICK("LPOP", "RPOP", "LMPOP", "BLPOP", "BRPOP", "BLMPOP");
    const char *timeout = "0.001";
    add(request, name);
    if (strcmp(name, "BLMPOP") == 0)
        add(request, timeout);
    if (strcmp(name + strlen(name) - 4, "MPOP") == 0) {
        add(request, "2");
        add_key(request);
        add_key(request);
        add(request, PICK("LEFT", "RIGHT"));
        return;
    }
    add_key(request);
    if (*name == 'B')
        add(request, timeout);
}

static void make_of_lists(struct request *request)
{
    const char *name = PICK("LMOVE", "RPOPLPUSH", "BLMOVE", "BRPOPLPUSH", "LTRIM", "LREM");
    add(request, name);
    add_key(request);
    if (strcmp(name, "LTRIM") == 0 || strcmp(name, "LREM") == 0) {
        add_int(request, (int64_t)random_below(&dice, 5) - 2);
        add_int(request, (int64_t)random_below(&dice, 12) - 6);
        return;
    }
    add_key(request);
    if (strcmp(name + strlen(name) - 4, "MOVE") == 0) {
        add(request, PICK("LEFT", "RIGHT"));
        add(request, PICK("LEFT", "RIGHT"));
    }
    if (*name == 'B')
        add(request, "0.001");
}

static void make_of_keys(struct request *request)
{
    add(request, PICK("DEL", "UNLINK", "MGET", "EXISTS", "RENAME", "RENAMENX", "TOUCH"));
    add_key(request);
    add_key(request);
}

static void make_counter(struct request *request)
{
    const char *name = PICK("INCR", "DECR", "INCRBY", "DECRBY", "INCRBYFLOAT", "APPEND",
                            "SETRANGE");
    add(request, name);
    add_key(request);
    if (strcmp(name, "SETRANGE") == 0)
        add_int(request, (int64_t)random_below(&dice, 40));
    if (strcmp(name, "APPEND") == 0 || strcmp(name, "SETRANGE") == 0)
        add_value(request);
    else if (strlen(name) > 4)
        add_int(request, (int64_t)random_below(&dice, 20) - 10);
}

static void make_pairs(struct request *request)
{
    add(request, PICK("MSET", "MSETNX"));
    for (uint64_t i = 1 + random_below(&dice, 3); i > 0; i--) {
        add_key(request);
        add_value(request);
    }
}

static void add_members(struct request *request)
{
    for (uint64_t i = 1 + random_below(&dice, 6); i > 0; i--)
        add_value(request);
}

static void make_of_set(struct request *request)
{
    switch (random_below(&dice, 6)) {
    case 0:
    case 1:
        add(request, PICK("SADD", "SADD", "SREM"));
        add_key(request);
        add_members(request);
        break;
    case 2:
        add(request, "SPOP");
        add_key(request);
        if (random_below(&dice, 2))
            add_int(request, (int64_t)random_below(&dice, 6));
        break;
    case 3:
        add(request, "SMOVE");
        add_key(request);
        add_key(request);
        add_value(request);
        break;
    default:
        add(request, PICK("SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"));
        add_key(request);
        add_key(request);
        add_key(request);
        break;
    }
}

static void add_database(struct request *request)
{
    add_int(request, (int64_t)random_below(&dice, DATABASES));
}

static void make_of_databases(struct request *request)
{
    switch (random_below(&dice, 12)) {
    case 0:
        add(request, "SWAPDB");
        add_database(request);
        add_database(request);
        break;
    case 1: add(request, random_below(&dice, 4) ? "FLUSHDB" : "FLUSHALL"); break;
    case 2:
    case 3:
    case 4:
        add(request, "MOVE");
        add_key(request);
        add_database(request);
        break;
    case 5:
    case 6:
    case 7:
        add(request, "COPY");
        add_key(request);
        add_key(request);
        if (random_below(&dice, 2)) {
            add(request, "DB");
            add_database(request);
        }
        if (random_below(&dice, 2))
            add(request, "REPLACE");
        break;
    default:
        add(request, "SELECT");
        add_database(request);
        break;
    }
}

static void make_single(struct request *request)
{
    add(request, PICK("GET", "GETDEL", "PERSIST", "TTL", "GETSET", "SETNX", "RANDOMKEY", "STRLEN"));
    if (strcmp(request->words[0], "RANDOMKEY") == 0)
        return;
    add_key(request);
    if (strcmp(request->words[0], "GETSET") == 0 || strcmp(request->words[0], "SETNX") == 0)
        add_value(request);
}

static void make_request(struct request *request)
{
    static void (*const makers[])(struct request *) = {
        make_set,   make_set,          make_expiry, make_timed,    make_of_keys, make_counter,
        make_pairs, make_of_databases, make_single, make_single,   make_of_set,  make_of_set,
        make_push,  make_push,         make_pop,    make_of_lists,
    };
    request->count = 0;
    makers[random_below(&dice, sizeof(makers) / sizeof(*makers))](request);
}

// As an array or, now and then, on a line with quotes.
static void send_request(int fd, const struct request *request)
{
    struct bytes bytes = { 0 };
    bool on_a_line = random_below(&dice, 5) == 0;
    if (!on_a_line)
        bytes_printf(&bytes, "*%zu\r\n", request->count);
    for (size_t i = 0; i < request->count; i++) {
        const char *word = request->words[i];
        if (on_a_line)
            bytes_printf(&bytes, "\"%s\" ", word);
        else
            bytes_printf(&bytes, "$%zu\r\n%s\r\n", strlen(word), word);
    }
    if (on_a_line)
        bytes_append_text(&bytes, "\r\n");
    rig_send(fd, bytes.data, bytes.len);
    bytes_release(&bytes);
}

// ---- the data -----------------------------------------------------------------------------------

static void append_value(struct bytes *out, const struct entry *entry)
{
    if (entry_type(entry) == TYPE_STRING) {
        char scratch[INT64_TEXT_MAX];
        bytes_append_quoted(out, string_bytes(entry, scratch));
        return;
    }
    struct digest digest = digest_value(server->keyspace, entry);
    for (size_t i = 0; i < sizeof(digest.bytes); i++)
        bytes_printf(out, "%02x", digest.bytes[i]);
}

// Every key with its value and expiry, in the order of databases and names.
static void write_data(struct bytes *out)
{
    for (int d = 0; d < DATABASES; d++) {
        struct db *db = &server->keyspace->dbs[d];
        for (unsigned k = 0; k < KEYS; k++) {
            char name[8];
            snprintf(name, sizeof(name), "k%u", k);
            struct key key = key_of(slice_of(name));
            const struct table_slot *slot = table_find(&db->table, key.hash, &key);
            if (!slot)
                continue;
            const struct entry *entry = table_slot_entry(slot);
            bytes_printf(out, "%d:%s=", d, name);
            append_value(out, entry);
            bytes_printf(out, "@%lld\n", (long long)entry_expiry(entry));
        }
    }
    bytes_append_char(out, '\0');
}

static void drain(int fd)
{
    char rest[4096];
    ssize_t got;
    do {
        got = recv(fd, rest, sizeof(rest), 0);
    } while (got > 0);
}

static void flush_all(void)
{
    for (int d = 0; d < server->keyspace->db_count; d++)
        db_flush(&server->keyspace->dbs[d], REMOVED_LATER);
}

// Sees to it that the stream begins with a SELECT.
static void begin_stream(int fd)
{
    rig_say(fd, "SELECT 14\r\nSET x y\r\n");
    rig_turns(2);
    bytes_clear(&fed);
    rig_say(fd, "SELECT 15\r\nSET x y\r\nSELECT 0\r\n");
    rig_turns(2);
    drain(fd);
}

// Random requests of two clients while time passes; returns how much.
static int64_t write_randomly(const int fds[2])
{
    int64_t passed_ms = 0;
    for (int i = 0; i < REQUESTS; i++) {
        struct request request;
        int fd = fds[random_below(&dice, 2)];
        make_request(&request);
        send_request(fd, &request);
        rig_turn();
        drain(fd);
        if (random_below(&dice, 8) == 0) {
            int64_t ms = (int64_t)random_below(&dice, 400);
            clock_shift_ms(ms);
            passed_ms += ms;
        }
    }
    // Nobody may wait, and write later on.
    do {
        rig_turns(2);
        drain(fds[0]);
        drain(fds[1]);
    } while (server->clients->held > 0);
    return passed_ms;
}

static void repeat_stream(int fd, const struct bytes *stream)
{
    for (size_t sent = 0; sent < stream->len; sent += 8000) {
        size_t left = stream->len - sent;
        rig_send(fd, stream->data + sent, left < 8000 ? left : 8000);
        rig_turns(2);
        drain(fd);
    }
    rig_turns(3);
    drain(fd);
}

START_TEST(who_repeats_the_stream_has_the_same_data)
{
    effects_add_sink(server->effects, feed, &fed);
    int fds[2] = { rig_connect(), rig_connect() };
    int repeating = rig_connect();
    for (int round = 0; round < ROUNDS; round++) {
        struct bytes want = { 0 };
        struct bytes have = { 0 };
        random_seed(&dice, (uint64_t)round + 1);
        flush_all();
        begin_stream(fds[0]);
        int64_t passed_ms = write_randomly(fds);
        write_data(&want);
        struct bytes stream = fed;
        fed = (struct bytes){ 0 };

        // From the start, in an earlier time.
        flush_all();
        clock_shift_ms(-passed_ms - 3600000);
        repeat_stream(repeating, &stream);
        write_data(&have);
        clock_shift_ms(passed_ms + 3600000);
        ck_assert_msg(strcmp(have.data, want.data) == 0, "round %d:\n%s\ninstead of\n%s", round,
                      have.data, want.data);
        bytes_release(&stream);
        bytes_release(&want);
        bytes_release(&have);
    }
    ck_assert_uint_gt(server->keyspace->expired_keys, 100);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("replay of effects");
    TCase *tcase = tcase_create("replay");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, who_repeats_the_stream_has_the_same_data);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
