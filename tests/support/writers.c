// SPDX-License-Identifier: BSD-3-Clause
// Clients that write until their server is killed: see writers.h.
#include "support/writers.h"

#include "support/faults.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PIPELINE 8
#define TEXT                                                                                   \
    "a text that takes a line or two, so that files grow by more than a few bytes at a time, " \
    "number"

enum style { COUNTER, LIST, TRANSACTION, PIPELINED, STYLES };

static enum style style_of(const struct writer *writer)
{
    return (enum style)(writer->id % STYLES);
}

static unsigned long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec;
}

// --- Writing ------------------------------------------------------------------------------------

// Appends one write, which makes `number` the writer's number; returns its replies.
static int append(redisContext *c, enum style style, int id, long long number)
{
    switch (style) {
    case COUNTER: redisAppendCommand(c, "INCR counter:%d", id); return 1;
    case LIST: redisAppendCommand(c, "RPUSH list:%d %lld", id, number); return 1;
    case TRANSACTION:
        redisAppendCommand(c, "MULTI");
        redisAppendCommand(c, "INCR one:%d", id);
        redisAppendCommand(c, "INCR two:%d", id);
        redisAppendCommand(c, "RPUSH three:%d %lld", id, number);
        redisAppendCommand(c, "EXEC");
        return 5;
    default:
        redisAppendCommand(c, "INCR counter:%d", id);
        redisAppendCommand(c,
                           "SET text:%d "
                           "%s%lld",
                           id, TEXT, number);
        return 2;
    }
}

enum outcome { ACKNOWLEDGED, REFUSED, GONE };

static enum outcome take_replies(redisContext *c, int count)
{
    enum outcome outcome = ACKNOWLEDGED;
    for (int i = 0; i < count; i++) {
        void *reply = NULL;
        if (redisGetReply(c, &reply) != REDIS_OK)
            return GONE;
        if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
            outcome = REFUSED;
        freeReplyObject(reply);
    }
    return outcome;
}

static const char *const number_keys[] = { "GET counter:%d", "LLEN list:%d", "GET one:%d",
                                           "GET counter:%d" };

// After a refusal: goes on from what the server has. False: the connection is gone.
static bool start_over(struct writer *writer, redisContext *c)
{
    redisReply *reply = redisCommand(c, number_keys[style_of(writer)], writer->id);
    if (!reply)
        return false;
    long long number = reply->integer;
    if (reply->type == REDIS_REPLY_STRING)
        number = strtoll(reply->str, NULL, 10);
    __atomic_store_n(&writer->sent, number, __ATOMIC_RELAXED);
    __atomic_store_n(&writer->acked, number, __ATOMIC_RELAXED);
    freeReplyObject(reply);
    return true;
}

static void note_acknowledged(struct writer *writer, unsigned epoch)
{
    long long number = __atomic_add_fetch(&writer->acked, 1, __ATOMIC_RELAXED);
    writer->acked_ns[number % ACK_TIMES] = now_ns();
    if (epoch % 2 == 1 && atomic_load(&writer->all->epoch) == epoch)
        writer->promised = number;
}

// False: no more.
static bool write_some(struct writer *writer, redisContext *c)
{
    enum style style = style_of(writer);
    int writes = style == PIPELINED ? PIPELINE : 1;
    int replies = 0;
    unsigned epoch = atomic_load(&writer->all->epoch);
    for (int i = 0; i < writes; i++)
        replies = append(c, style, writer->id,
                         __atomic_add_fetch(&writer->sent, 1, __ATOMIC_RELAXED));
    bool refused = false;
    for (int i = 0; i < writes; i++) {
        enum outcome outcome = take_replies(c, replies);
        if (outcome == GONE)
            return false;
        refused = refused || outcome == REFUSED;
        if (!refused)
            note_acknowledged(writer, epoch);
    }
    return !refused || start_over(writer, c);
}

static void *write_on(void *udata)
{
    struct writer *writer = udata;
    redisContext *c = redisConnectUnix(writer->all->socket_path);
    while (c && !c->err && write_some(writer, c))
        ;
    redisFree(c);
    return NULL;
}

void writers_run(struct writers *writers, const struct test_server *server)
{
    writers->server = server;
    snprintf(writers->socket_path, sizeof(writers->socket_path), "%s", server->socket_path);
    for (int i = 0; i < WRITERS; i++) {
        struct writer *writer = &writers->writers[i];
        ck_assert_int_eq(pthread_create(&writer->thread, NULL, write_on, writer), 0);
    }
}

void writers_join(struct writers *writers)
{
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers->writers[i].thread, NULL);
}

void writers_promise(struct writers *writers, bool promised)
{
    unsigned epoch = atomic_load(&writers->epoch);
    if ((epoch % 2 == 1) != promised)
        atomic_store(&writers->epoch, epoch + 1);
}

long long writers_acked(const struct writers *writers)
{
    long long acked = 0;
    for (int i = 0; i < WRITERS; i++)
        acked += __atomic_load_n(&writers->writers[i].acked, __ATOMIC_RELAXED);
    return acked;
}

// --- Disturbances -------------------------------------------------------------------------------

static void ask(redisContext *c, const char *command)
{
    freeReplyObject(client_ask(c, command));
}

static void turn_off(struct writers *writers, redisContext *c)
{
    writers_promise(writers, false);
    expect_ok(c, "CONFIG SET appendonly no");
}

// There is a promise again when the first base is there.
static void turn_off_and_on(struct writers *writers, redisContext *c)
{
    long long rewrites = server_info(writers->server, "aof_rewrites");
    turn_off(writers, c);
    expect_ok(c, "CONFIG SET appendonly yes");
    server_await_rewrites(writers->server, rewrites + 1);
    writers_promise(writers, true);
}

static void change_policy(struct writers *writers, redisContext *c)
{
    writers_promise(writers, false);
    ask(c, "CONFIG SET appendfsync everysec");
    ask(c, "CONFIG SET appendfsync no");
    ask(c, "PING");
    expect_ok(c, "CONFIG SET appendfsync always");
    writers_promise(writers, true);
}

void writers_disturb(struct writers *writers, redisContext *c, enum disturbance what)
{
    if (what == DO_REWRITE || what == DO_REWRITE_AND_SAVE)
        ask(c, "BGREWRITEAOF");
    if (what == DO_SAVE || what == DO_REWRITE_AND_SAVE)
        ask(c, "SAVE");
    if (what == DO_BGSAVE)
        ask(c, "BGSAVE");
    if (what == DO_TURN_OFF_AND_ON)
        turn_off_and_on(writers, c);
    if (what == DO_TURN_OFF || what == DO_TURN_ALMOST_ON)
        turn_off(writers, c);
    if (what == DO_CHANGE_POLICY)
        change_policy(writers, c);
    if (what == DO_TURN_ALMOST_ON)
        expect_ok(c, "CONFIG SET appendonly yes");
}

// --- Checking -----------------------------------------------------------------------------------

static long long get_number(redisContext *c, const char *name, int id)
{
    redisReply *reply = client_ask(c, "GET %s:%d", name, id);
    long long number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return number;
}

// How many it has; -1: they are not 1, 2, 3 ...
static long long get_list(redisContext *c, const char *name, int id)
{
    redisReply *reply = client_ask(c, "LRANGE %s:%d 0 -1", name, id);
    long long count = (long long)reply->elements;
    for (size_t i = 0; i < reply->elements; i++) {
        if (strtoll(reply->element[i]->str, NULL, 10) != (long long)i + 1)
            count = -1;
    }
    freeReplyObject(reply);
    return count;
}

static void check_transaction(redisContext *c, int id, long long one, struct writers_loss *loss)
{
    long long two = get_number(c, "two", id);
    long long three = get_list(c, "three", id);
    if (one != two || one != three)
        snprintf(loss->problem, sizeof(loss->problem),
                 "writer %d: a torn transaction: %lld, %lld and a list of %lld", id, one, two,
                 three);
}

// A text is set behind each count. Where some of a pipeline is refused they may differ by more than one.
static void check_text(redisContext *c, int id, long long counter, struct writers_loss *loss)
{
    redisReply *reply = client_ask(c, "GET text:%d", id);
    long long number = 0;
    if (reply->type == REDIS_REPLY_STRING && strncmp(reply->str, TEXT, strlen(TEXT)) == 0)
        number = strtoll(reply->str + strlen(TEXT), NULL, 10);
    freeReplyObject(reply);
    if (number < counter - PIPELINE || number > counter + PIPELINE)
        snprintf(loss->problem, sizeof(loss->problem),
                 "writer %d: the counter is %lld, the text behind it has %lld", id, counter,
                 number);
}

static long long look(redisContext *c, const struct writer *writer, struct writers_loss *loss)
{
    int id = writer->id;
    long long number = 0;
    switch (style_of(writer)) {
    case COUNTER: return get_number(c, "counter", id);
    case LIST:
        number = get_list(c, "list", id);
        if (number < 0)
            snprintf(loss->problem, sizeof(loss->problem), "writer %d: the list has a hole", id);
        return number;
    case TRANSACTION:
        number = get_number(c, "one", id);
        check_transaction(c, id, number, loss);
        return number;
    default:
        number = get_number(c, "counter", id);
        check_text(c, id, number, loss);
        return number;
    }
}

static void count_loss(const struct writer *writer, long long number, struct writers_loss *loss)
{
    if (number > writer->sent)
        snprintf(loss->problem, sizeof(loss->problem), "writer %d: %lld, but only %lld were sent",
                 writer->id, number, writer->sent);
    if (number >= writer->promised)
        return;
    loss->missing += writer->promised - number;
    unsigned long long when_ns = writer->acked_ns[(number + 1) % ACK_TIMES];
    if (!loss->since_ns || when_ns < loss->since_ns)
        loss->since_ns = when_ns;
}

// The texts of pipelines are set again, so that a counter never runs ahead of its text by more than one.
static void take_over(redisContext *c, struct writer *writer, long long number)
{
    if (style_of(writer) == PIPELINED && number > 0)
        freeReplyObject(client_ask(c,
                                   "SET text:%d "
                                   "%s%lld",
                                   writer->id, TEXT, number));
    writer->sent = writer->acked = writer->promised = number;
}

void writers_check(struct writers *writers, const struct test_server *server,
                   struct writers_loss *out)
{
    *out = (struct writers_loss){ 0 };
    redisContext *c = client_connect_unix(server);
    for (int i = 0; i < WRITERS; i++) {
        struct writer *writer = &writers->writers[i];
        long long number = look(c, writer, out);
        count_loss(writer, number, out);
        take_over(c, writer, number);
    }
    redisFree(c);
}

void writers_init(struct writers *writers)
{
    *writers = (struct writers){ 0 };
    atomic_init(&writers->epoch, 1);
    for (int i = 0; i < WRITERS; i++) {
        struct writer *writer = &writers->writers[i];
        writer->id = i;
        writer->all = writers;
        writer->acked_ns = calloc(ACK_TIMES, sizeof(*writer->acked_ns));
        ck_assert_ptr_nonnull(writer->acked_ns);
    }
}

void writers_free(struct writers *writers)
{
    for (int i = 0; i < WRITERS; i++)
        free(writers->writers[i].acked_ns);
}
