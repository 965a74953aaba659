// SPDX-License-Identifier: BSD-3-Clause
// hiredis and expectations: see client.h.
#include "support/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

// For one reply; sanitizers and a busy machine included.
#define PATIENCE_S 30

// For one test.
#define TEST_LIMIT_S 120

// What a test may take from the moment when it sets a time to live.
#define TTL_SLACK_S 20

#define SHOWN_MAX 400

static struct test_server *fixture_server;
static redisContext *fixture_connection;

static redisContext *checked(redisContext *connection)
{
    ck_assert_ptr_nonnull(connection);
    ck_assert_msg(!connection->err, "no connection: %s", connection->errstr);
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    ck_assert_int_eq(redisSetTimeout(connection, patience), REDIS_OK);
    return connection;
}

redisContext *client_connect(const struct test_server *server)
{
    return checked(redisConnect("127.0.0.1", server->port));
}

redisContext *client_connect_unix(const struct test_server *server)
{
    return checked(redisConnectUnix(server->socket_path));
}

static redisReply *vask(const char *where, redisContext *c, const char *format, va_list args)
{
    redisReply *reply = redisvCommand(c, format, args);
    if (!reply)
        ck_abort_msg("%s: '%s': no reply: %s", where, format, c->errstr);
    return reply;
}

redisReply *client_ask_at(const char *where, redisContext *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    return reply;
}

redisReply *client_next_at(const char *where, redisContext *c)
{
    void *reply = NULL;
    if (redisGetReply(c, &reply) != REDIS_OK || !reply)
        ck_abort_msg("%s: no reply: %s", where, c->errstr);
    return reply;
}

static const char *type_name(int type)
{
    switch (type) {
    case REDIS_REPLY_STRING: return "text";
    case REDIS_REPLY_ARRAY: return "array";
    case REDIS_REPLY_INTEGER: return "integer";
    case REDIS_REPLY_NIL: return "nil";
    case REDIS_REPLY_STATUS: return "status";
    case REDIS_REPLY_ERROR: return "error";
    default: return "unknown";
    }
}

static void show_reply(const redisReply *reply, char out[SHOWN_MAX])
{
    if (reply->type == REDIS_REPLY_INTEGER)
        snprintf(out, SHOWN_MAX, "integer %lld", reply->integer);
    else if (reply->type == REDIS_REPLY_ARRAY)
        snprintf(out, SHOWN_MAX, "array of %zu", reply->elements);
    else
        snprintf(out, SHOWN_MAX, "%s '%s'", type_name(reply->type), reply->str ? reply->str : "");
}

static void require(bool right, const char *where, const char *command, const char *want,
                    const redisReply *got)
{
    char shown[SHOWN_MAX];
    if (right)
        return;
    show_reply(got, shown);
    ck_abort_msg("%s: '%s': wanted %s, got %s", where, command, want, shown);
}

void expect_text_at(const char *where, redisContext *c, int type, const char *want,
                    const char *format, ...)
{
    char wanted[SHOWN_MAX];
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    size_t len = strlen(want);
    bool right = reply->type == type && (type == REDIS_REPLY_NIL ||
                                         (reply->len == len && memcmp(reply->str, want, len) == 0));
    snprintf(wanted, sizeof(wanted), "%s '%s'", type_name(type), want);
    require(right, where, format, wanted, reply);
    freeReplyObject(reply);
}

void expect_int_at(const char *where, redisContext *c, long long want, const char *format, ...)
{
    char wanted[64];
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    snprintf(wanted, sizeof(wanted), "integer %lld", want);
    require(reply->type == REDIS_REPLY_INTEGER && reply->integer == want, where, format, wanted,
            reply);
    freeReplyObject(reply);
}

void expect_ttl_at(const char *where, redisContext *c, long long want, const char *format, ...)
{
    char wanted[64];
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    snprintf(wanted, sizeof(wanted), "integer %lld, or a little less", want);
    require(reply->type == REDIS_REPLY_INTEGER && reply->integer <= want &&
                reply->integer > want - TTL_SLACK_S,
            where, format, wanted, reply);
    freeReplyObject(reply);
}

void expect_list_at(const char *where, redisContext *c, const char *want, const char *format, ...)
{
    char got[4096] = "";
    size_t len = 0;
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    require(reply->type == REDIS_REPLY_ARRAY, where, format, "an array", reply);
    for (size_t i = 0; i < reply->elements && len < sizeof(got); i++) {
        const redisReply *item = reply->element[i];
        len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", i ? " " : "",
                                item->type == REDIS_REPLY_NIL ? "(nil)" : item->str);
    }
    if (strcmp(got, want) != 0)
        ck_abort_msg("%s: '%s': wanted '%s', got '%s'", where, format, want, got);
    freeReplyObject(reply);
}

long long client_int_at(const char *where, redisContext *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    require(reply->type == REDIS_REPLY_INTEGER, where, format, "an integer", reply);
    long long value = reply->integer;
    freeReplyObject(reply);
    return value;
}

void client_text_at(const char *where, redisContext *c, char *out, size_t room, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = vask(where, c, format, args);
    va_end(args);
    require(reply->type == REDIS_REPLY_STRING, where, format, "a text", reply);
    snprintf(out, room, "%s", reply->str);
    freeReplyObject(reply);
}

void client_fill(redisContext *c, const char *prefix, int count)
{
    const int at_once = 1000;
    for (int i = 0; i < count; i++) {
        redisAppendCommand(c, "SET %s%d %d", prefix, i, i);
        if (i % at_once != at_once - 1 && i != count - 1)
            continue;
        for (int k = i - i % at_once; k <= i; k++) {
            redisReply *reply = client_next(c);
            require(reply->type == REDIS_REPLY_STATUS, WHERE, "SET", "OK", reply);
            freeReplyObject(reply);
        }
    }
}

static void plain_setup(void)
{
    fixture_server = server_start(NULL);
    fixture_connection = client_connect(fixture_server);
}

static void plain_teardown(void)
{
    redisFree(fixture_connection);
    server_stop(fixture_server);
}

struct test_server *plain_server(void)
{
    return fixture_server;
}

redisContext *plain(void)
{
    return fixture_connection;
}

TCase *server_tcase(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, TEST_LIMIT_S);
    suite_add_tcase(suite, tcase);
    return tcase;
}

TCase *plain_tcase(Suite *suite, const char *name)
{
    TCase *tcase = server_tcase(suite, name);
    tcase_add_checked_fixture(tcase, plain_setup, plain_teardown);
    return tcase;
}
