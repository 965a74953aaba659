// SPDX-License-Identifier: BSD-3-Clause
// C's hiredis client against a live server: hiredis PORT
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hiredis/hiredis.h>

enum { DEADLINE_S = 30, PIPELINED = 10000, USERS = 800, ITEMS = 200 };

static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static redisContext *connect_to(int port)
{
    const struct timeval deadline = { .tv_sec = DEADLINE_S };
    redisContext *context = redisConnectWithTimeout("127.0.0.1", port, deadline);
    if (!context || context->err)
        fail("connecting: %s", context ? context->errstr : "out of memory");
    if (redisSetTimeout(context, deadline) != REDIS_OK)
        fail("setting the timeout: %s", context->errstr);
    return context;
}

// The reply of COMMAND, which has to be of that type; the caller frees it.
static redisReply *call(redisContext *context, int type, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(context, format, arguments);
    va_end(arguments);
    if (!reply)
        fail("%s: %s", format, context->errstr);
    if (reply->type != type)
        fail("%s: a reply of type %d, not %d: %s", format, reply->type, type,
             reply->str ? reply->str : "");
    return reply;
}

static void want_text(redisReply *reply, const char *text, size_t size)
{
    if (reply->len != size || memcmp(reply->str, text, size) != 0)
        fail("wanted '%s', got '%s'", text, reply->str);
    freeReplyObject(reply);
}

static void want_ok(redisReply *reply)
{
    want_text(reply, "OK", 2);
}

static void want_integer(redisReply *reply, long long low, long long high)
{
    if (reply->integer < low || reply->integer > high)
        fail("wanted %lld to %lld, got %lld", low, high, reply->integer);
    freeReplyObject(reply);
}

static void want_error(redisReply *reply, const char *text)
{
    if (!strstr(reply->str, text))
        fail("wanted an error with '%s', got '%s'", text, reply->str);
    freeReplyObject(reply);
}

static void values(redisContext *context)
{
    char every_byte[768];
    for (size_t i = 0; i < sizeof every_byte; i++)
        every_byte[i] = (char)(unsigned char)i;
    want_text(call(context, REDIS_REPLY_STATUS, "PING"), "PONG", 4);
    freeReplyObject(call(context, REDIS_REPLY_NIL, "GET nokey"));
    want_ok(call(context, REDIS_REPLY_STATUS, "SET a %s", "some text"));
    want_text(call(context, REDIS_REPLY_STRING, "GET a"), "some text", 9);
    want_ok(call(context, REDIS_REPLY_STATUS, "SET %b %b", every_byte, sizeof every_byte,
                 every_byte, sizeof every_byte));
    want_text(call(context, REDIS_REPLY_STRING, "GET %b", every_byte, sizeof every_byte),
              every_byte, sizeof every_byte);
}

static void expiry(redisContext *context)
{
    want_integer(call(context, REDIS_REPLY_INTEGER, "TTL nokey"), -2, -2);
    want_ok(call(context, REDIS_REPLY_STATUS, "SET a 1"));
    want_integer(call(context, REDIS_REPLY_INTEGER, "TTL a"), -1, -1);
    want_integer(call(context, REDIS_REPLY_INTEGER, "EXPIRE a 100"), 1, 1);
    want_integer(call(context, REDIS_REPLY_INTEGER, "TTL a"), 60, 100);
    want_ok(call(context, REDIS_REPLY_STATUS, "SET a 2 PX 50"));
    const time_t end = time(NULL) + DEADLINE_S;
    for (bool gone = false; !gone;) {
        redisReply *reply = redisCommand(context, "GET a");
        gone = reply && reply->type == REDIS_REPLY_NIL;
        freeReplyObject(reply);
        if (time(NULL) > end)
            fail("a key did not expire");
    }
}

static redisReply *next_reply(redisContext *context)
{
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK)
        fail("pipeline: %s", context->errstr);
    return reply;
}

static void pipelines(redisContext *context)
{
    for (int i = 0; i < PIPELINED; i++) {
        redisAppendCommand(context, "SET key:%d %d", i % 100, i);
        redisAppendCommand(context, "GET key:%d", i % 100);
    }
    for (int i = 0; i < PIPELINED; i++) {
        char text[16];
        const int size = snprintf(text, sizeof text, "%d", i);
        want_ok(next_reply(context));
        want_text(next_reply(context), text, (size_t)size);
    }
    redisAppendCommand(context, "SET t x");
    redisAppendCommand(context, "INCR t");
    redisAppendCommand(context, "GET t");
    want_ok(next_reply(context));
    want_error(next_reply(context), "ERR value is not an integer");
    want_text(next_reply(context), "x", 1);
}

static void scanning(redisContext *context)
{
    for (int i = 0; i < USERS + ITEMS; i++)
        redisAppendCommand(context, "SET %s:%d 1", i < USERS ? "user" : "item", i);
    for (int i = 0; i < USERS + ITEMS; i++)
        want_ok(next_reply(context));
    bool seen[USERS] = { false };
    size_t count = 0;
    char cursor[32] = "0";
    do {
        redisReply *reply = call(context, REDIS_REPLY_ARRAY, "SCAN %s MATCH user:* COUNT 50",
                                 cursor);
        const redisReply *keys = reply->element[1];
        for (size_t i = 0; i < keys->elements; i++) {
            const long user = strtol(keys->element[i]->str + strlen("user:"), NULL, 10);
            if (user < 0 || user >= USERS || seen[user])
                fail("SCAN: '%s' is none of the keys, or comes twice", keys->element[i]->str);
            seen[user] = true;
            count++;
        }
        snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
    if (count != USERS)
        fail("SCAN: %zu keys of %d", count, USERS);
}

static void errors(redisContext *context)
{
    want_ok(call(context, REDIS_REPLY_STATUS, "SET t text"));
    want_error(call(context, REDIS_REPLY_ERROR, "INCR t"),
               "ERR value is not an integer or out of range");
    want_error(call(context, REDIS_REPLY_ERROR, "NOSUCH x"), "ERR unknown command");
    want_error(call(context, REDIS_REPLY_ERROR, "GET"), "wrong number of arguments");
    want_text(call(context, REDIS_REPLY_STRING, "GET t"), "text", 4);
}

static void want_queued(redisReply *reply)
{
    want_text(reply, "QUEUED", strlen("QUEUED"));
}

static void transactions(redisContext *context)
{
    redisContext *other = connect_to(context->tcp.port);
    want_ok(call(context, REDIS_REPLY_STATUS, "WATCH a b"));
    want_ok(call(context, REDIS_REPLY_STATUS, "MULTI"));
    want_queued(call(context, REDIS_REPLY_STATUS, "SET a 1"));
    want_queued(call(context, REDIS_REPLY_STATUS, "LPUSH a x"));
    want_queued(call(context, REDIS_REPLY_STATUS, "INCR a"));
    redisReply *reply = call(context, REDIS_REPLY_ARRAY, "EXEC");
    if (reply->elements != 3 || reply->element[1]->type != REDIS_REPLY_ERROR ||
        reply->element[2]->integer != 2)
        fail("EXEC: %zu replies, or others than wanted", reply->elements);
    freeReplyObject(reply);
    want_ok(call(context, REDIS_REPLY_STATUS, "WATCH a b"));
    want_ok(call(other, REDIS_REPLY_STATUS, "SET b 1"));
    want_ok(call(context, REDIS_REPLY_STATUS, "MULTI"));
    want_queued(call(context, REDIS_REPLY_STATUS, "SET a 3"));
    freeReplyObject(call(context, REDIS_REPLY_NIL, "EXEC"));
    want_text(call(context, REDIS_REPLY_STRING, "GET a"), "2", 1);
    redisFree(other);
}

// The next reply that comes without having been asked for: an array of these texts.
static void want_message(redisContext *context, const char *const *texts)
{
    redisReply *reply;
    if (redisGetReply(context, (void **)&reply) != REDIS_OK)
        fail("waiting for %s %s: %s", texts[0], texts[1], context->errstr);
    for (size_t i = 0; texts[i]; i++) {
        if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements || !reply->element[i]->str ||
            strcmp(reply->element[i]->str, texts[i]) != 0)
            fail("wanted '%s' of %s %s", texts[i], texts[0], texts[1]);
    }
    freeReplyObject(reply);
}

static void messages(redisContext *context)
{
    redisContext *sub = connect_to(context->tcp.port);
    freeReplyObject(call(sub, REDIS_REPLY_ARRAY, "SUBSCRIBE news"));
    freeReplyObject(call(sub, REDIS_REPLY_ARRAY, "PSUBSCRIBE n*"));
    want_error(call(sub, REDIS_REPLY_ERROR, "GET a"), "are allowed in this context");
    want_integer(call(context, REDIS_REPLY_INTEGER, "PUBLISH news %s", "first"), 2, 2);
    want_integer(call(context, REDIS_REPLY_INTEGER, "PUBLISH none x"), 1, 1);
    want_message(sub, (const char *[]){ "message", "news", "first", NULL });
    want_message(sub, (const char *[]){ "pmessage", "n*", "news", "first", NULL });
    want_message(sub, (const char *[]){ "pmessage", "n*", "none", "x", NULL });
    freeReplyObject(call(sub, REDIS_REPLY_ARRAY, "PUNSUBSCRIBE"));
    freeReplyObject(call(sub, REDIS_REPLY_ARRAY, "UNSUBSCRIBE"));
    want_ok(call(sub, REDIS_REPLY_STATUS, "SET a 1"));
    redisFree(sub);
}

static void reconnecting(redisContext *context)
{
    redisContext *victim = connect_to(context->tcp.port);
    redisReply *id = call(victim, REDIS_REPLY_INTEGER, "CLIENT ID");
    want_integer(call(context, REDIS_REPLY_INTEGER, "CLIENT KILL ID %lld", id->integer), 1, 1);
    redisReply *reply = redisCommand(victim, "PING");
    if (reply || !victim->err)
        fail("a killed connection goes on");
    if (redisReconnect(victim) != REDIS_OK)
        fail("reconnecting: %s", victim->errstr);
    want_integer(call(victim, REDIS_REPLY_INTEGER, "CLIENT ID"), id->integer + 1, id->integer + 99);
    want_ok(call(victim, REDIS_REPLY_STATUS, "SET a after"));
    want_text(call(context, REDIS_REPLY_STRING, "GET a"), "after", 5);
    freeReplyObject(id);
    redisFree(victim);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(redisContext *context);
    } checks[] = {
        { "values", values },       { "expiry", expiry },
        { "pipelines", pipelines }, { "scanning", scanning },
        { "errors", errors },       { "transactions", transactions },
        { "messages", messages },   { "reconnecting", reconnecting },
    };
    const size_t count = sizeof checks / sizeof checks[0];
    redisContext *context = connect_to(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 6379);
    for (size_t i = 0; i < count; i++) {
        want_ok(call(context, REDIS_REPLY_STATUS, "FLUSHALL"));
        checks[i].run(context);
        printf("  %s\n", checks[i].name);
    }
    redisFree(context);
    printf("C hiredis %d.%d.%d: %zu checks\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH, count);
    return 0;
}
