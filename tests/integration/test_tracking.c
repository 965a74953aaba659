// SPDX-License-Identifier: BSD-3-Clause
// Applications that keep a cache of their own: whatever is written, by whom and when, in the end no cache holds
// a value that the server does not.
#include "support/client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 40, APPS = 6, ROUNDS = 400, WRITES = 4, VALUE_MAX = 16 };

// One connection for data, and one that hears of what is stale: RESP2 has no pushes.
struct app {
    redisContext *data;
    redisContext *stale;
    bool optin;
    int hits;
    struct {
        bool known;
        char value[VALUE_MAX];
    } cache[KEYS];
};

static void app_start(struct app *app, const struct test_server *server, const char *options,
                      bool optin)
{
    memset(app, 0, sizeof(*app));
    app->data = client_connect(server);
    app->stale = client_connect_unix(server);
    app->optin = optin;
    long long id = client_int(app->stale, "CLIENT ID");
    freeReplyObject(client_ask(app->stale, "SUBSCRIBE __redis__:invalidate"));
    char command[256];
    snprintf(command, sizeof(command), "CLIENT TRACKING ON REDIRECT %lld %s", id, options);
    expect_ok(app->data, command);
}

static void app_end(struct app *app)
{
    redisFree(app->data);
    redisFree(app->stale);
}

static void forget(struct app *app, const redisReply *keys)
{
    if (keys->type == REDIS_REPLY_NIL)
        memset(app->cache, 0, sizeof(app->cache));
    for (size_t i = 0; i < keys->elements; i++)
        app->cache[strtol(keys->element[i]->str + 1, NULL, 10)].known = false;
}

// Takes what has arrived about stale keys.
static void app_listen(struct app *app)
{
    struct pollfd waiting = { .fd = app->stale->fd, .events = POLLIN };
    while (poll(&waiting, 1, 0) > 0)
        ck_assert_int_eq(redisBufferRead(app->stale), REDIS_OK);
    void *reply = NULL;
    while (redisGetReplyFromReader(app->stale, &reply) == REDIS_OK && reply) {
        const redisReply *message = reply;
        ck_assert_uint_eq(message->elements, 3);
        ck_assert_str_eq(message->element[0]->str, "message");
        ck_assert_str_eq(message->element[1]->str, "__redis__:invalidate");
        forget(app, message->element[2]);
        freeReplyObject(reply);
    }
}

static void fetch(redisContext *c, int key, char out[VALUE_MAX])
{
    redisReply *reply = client_ask(c, "GET k%d", key);
    snprintf(out, VALUE_MAX, "%s", reply->type == REDIS_REPLY_NIL ? "" : reply->str);
    freeReplyObject(reply);
}

static void app_read(struct app *app, int key)
{
    app_listen(app);
    if (app->cache[key].known) {
        app->hits++;
        return;
    }
    if (app->optin)
        expect_ok(app->data, "CLIENT CACHING YES");
    fetch(app->data, key, app->cache[key].value);
    app->cache[key].known = true;
}

// A random change, of which the reply is not waited for.
static void append_write(redisContext *c, unsigned *seed)
{
    int key = (int)(rand_r(seed) % KEYS);
    unsigned number = rand_r(seed) % 1000000;
    switch (rand_r(seed) % 12) {
    case 0: redisAppendCommand(c, "DEL k%d", key); break;
    case 1: redisAppendCommand(c, "SET k%d %u PX 30", key, number); break;
    case 2: redisAppendCommand(c, "RENAME k%d k%d", key, (key + 1) % KEYS); break;
    case 3:
        redisAppendCommand(c, "MSET k%d %u k%d %u", key, number, (key + 7) % KEYS, number);
        break;
    case 4: redisAppendCommand(c, number % 8 ? "GET k%d" : "FLUSHALL", key); break;
    case 5: redisAppendCommand(c, "APPEND k%d x", key); break;
    default: redisAppendCommand(c, "SET k%d %u", key, number);
    }
}

// Whether all that the cache holds is what the server holds.
static bool coherent(struct app *app, redisContext *c)
{
    app_listen(app);
    for (int key = 0; key < KEYS; key++) {
        char value[VALUE_MAX];
        fetch(c, key, value);
        if (app->cache[key].known && strcmp(app->cache[key].value, value) != 0)
            return false;
    }
    return true;
}

static void play(struct app *apps, redisContext *writer, unsigned seed)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WRITES; i++)
            append_write(writer, &seed);
        int done = 0;
        while (!done)
            ck_assert_int_eq(redisBufferWrite(writer, &done), REDIS_OK);
        // These meet the server before, between and behind the writes.
        for (int i = 0; i < APPS * 4; i++)
            app_read(&apps[i % APPS], (int)(rand_r(&seed) % KEYS));
        for (int i = 0; i < WRITES; i++)
            freeReplyObject(client_next(writer));
    }
}

static void check_caches(const char *const *args)
{
    struct test_server *server = server_start(args);
    redisContext *writer = client_connect(server);
    struct app apps[APPS];
    app_start(&apps[0], server, "", false);
    app_start(&apps[1], server, "NOLOOP", false);
    app_start(&apps[2], server, "OPTIN", true);
    app_start(&apps[3], server, "OPTOUT", false);
    app_start(&apps[4], server, "BCAST", false);
    app_start(&apps[5], server,
              "BCAST NOLOOP PREFIX k1 PREFIX k2 PREFIX k3 PREFIX k0 PREFIX k4 "
              "PREFIX k5 PREFIX k6 PREFIX k7 PREFIX k8 PREFIX k9",
              false);
    play(apps, writer, 1);
    for (int i = 0; i < APPS; i++) {
        for (struct deadline d = deadline(); !coherent(&apps[i], writer); deadline_wait(&d))
            ;
        ck_assert_int_gt(apps[i].hits, 0);
        app_end(&apps[i]);
    }
    redisFree(writer);
    server_stop(server);
}

START_TEST(caches_stay_coherent)
{
    check_caches(NULL);
}
END_TEST

START_TEST(caches_stay_coherent_with_a_small_table)
{
    check_caches(SERVER_ARGS("--tracking-table-max-keys", "5"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("tracking");
    TCase *cases = server_tcase(suite, "tracking");
    tcase_add_test(cases, caches_stay_coherent);
    tcase_add_test(cases, caches_stay_coherent_with_a_small_table);
    return suite;
}

SERVER_TEST_MAIN(make_suite)
