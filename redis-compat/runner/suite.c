// SPDX-License-Identifier: BSD-3-Clause
// Plays many cases: see suite.h.
#include "suite.h"

#include <stdatomic.h>
#include <string.h>

#define JOBS_MAX 16

// A case in one protocol.
struct run {
    const struct test_case *test;
    int protocol;
};

struct queue {
    const struct suite *suite;
    struct run *runs;
    size_t count;
    atomic_size_t next;
    struct arena arena;
};

struct worker {
    struct queue *queue;
    struct pair pair;  // for cases that do not want servers of their own
    bool up;
    pthread_t thread;
};

// --- Servers ------------------------------------------------------------------------------------

static bool stop_pair(struct worker *worker, struct buffer *out)
{
    if (!worker->up)
        return true;
    worker->up = false;
    return pair_stop(&worker->pair, out);
}

// Empties both servers.
static bool flush_pair(const struct pair *pair)
{
    bool ok = true;
    for (enum side side = ORACLE; side <= OURS && ok; side++) {
        struct buffer answer = { 0 };
        ok = server_tell(&pair->servers[side], "FLUSHALL", &answer) &&
             span_is(buffer_span(&answer), "+OK\r\n");
        buffer_release(&answer);
    }
    return ok;
}

// False: the servers of the case before ended badly.
static bool prepare_pair(struct worker *worker, struct buffer *out)
{
    static const struct server_options usual = { 0 };
    if (worker->up && flush_pair(&worker->pair))
        return true;
    bool ok = stop_pair(worker, out);
    struct buffer why = { 0 };
    // Without servers all cases would fail in the same way.
    if (!pair_start(&worker->pair, &usual, &why))
        die("%.*s", SHOW(buffer_span(&why)));
    worker->up = true;
    return ok;
}

// --- One case -----------------------------------------------------------------------------------

static struct play_result play_fresh(const struct player *player, const struct run *run,
                                     struct buffer *out)
{
    struct pair pair;
    struct play_result result = { 0 };
    struct server_options options = { .words = &run->test->options, .tcp = run->test->tcp };
    if (!pair_start(&pair, &options, out))
        return result;
    result = player_play(player, &pair, run->test, run->protocol, out);
    result.passed = pair_stop(&pair, out) && result.passed;
    return result;
}

static struct play_result play_shared(struct worker *worker, const struct run *run,
                                      struct buffer *out)
{
    struct play_result result = { 0 };
    if (!prepare_pair(worker, out))
        return result;
    result = player_play(&worker->queue->suite->player, &worker->pair, run->test, run->protocol,
                         out);
    bool alive = server_alive(&worker->pair.servers[ORACLE]) &&
                 server_alive(&worker->pair.servers[OURS]);
    if (!alive || result.dirty)
        result.passed = stop_pair(worker, out) && result.passed;
    return result;
}

static void play_run(struct worker *worker, const struct run *run)
{
    const struct suite *suite = worker->queue->suite;
    const struct test_case *test = run->test;
    struct buffer said = { 0 };
    struct buffer text = { 0 };
    struct play_result result = test->fresh ? play_fresh(&suite->player, run, &said)
                                            : play_shared(worker, run, &said);
    if (!result.passed || suite->verbose) {
        buffer_printf(&text, "%s  %s:%d  %.*s", result.passed ? "ok  " : "FAIL", test->file,
                      test->line, SHOW(test->name));
        if (test->protocol != PROTOCOL_NONE)
            buffer_printf(&text, "  RESP%d", run->protocol);
        buffer_char(&text, '\n');
        buffer_append(&text, buffer_span(&said));
    }
    struct report_line counts = { .cases = 1,
                                  .failed = !result.passed,
                                  .commands = result.commands };
    report_add(suite->report, test->family, &counts, &text);
    buffer_release(&said);
    buffer_release(&text);
}

static void *work(void *udata)
{
    struct worker *worker = udata;
    struct queue *queue = worker->queue;
    struct buffer said = { 0 };
    for (;;) {
        size_t i = queue->next++;
        if (i >= queue->count)
            break;
        play_run(worker, &queue->runs[i]);
    }
    if (!stop_pair(worker, &said)) {
        struct report_line counts = { .cases = 1, .failed = 1 };
        report_add(queue->suite->report, SPAN("servers"), &counts, &said);
    }
    buffer_release(&said);
    return NULL;
}

// --- All ----------------------------------------------------------------------------------------

static void add_run(struct queue *queue, const struct test_case *test, int protocol)
{
    queue->runs = arena_grow(&queue->arena, queue->runs, queue->count, sizeof(*queue->runs));
    queue->runs[queue->count++] = (struct run){ .test = test, .protocol = protocol };
}

static bool wanted(const struct suite *suite, const struct test_case *test)
{
    if (suite->only_family && !span_is(test->family, suite->only_family))
        return false;
    return !suite->only_case ||
           memmem(test->name.ptr, test->name.len, suite->only_case, strlen(suite->only_case));
}

bool suite_run(const struct suite *suite)
{
    struct queue queue = { .suite = suite };
    struct worker workers[JOBS_MAX] = { 0 };
    int jobs = suite->jobs > JOBS_MAX ? JOBS_MAX : suite->jobs;
    for (size_t i = 0; i < suite->cases->count; i++) {
        const struct test_case *test = &suite->cases->items[i];
        if (!wanted(suite, test))
            continue;
        if (test->protocol != PROTOCOL_3)
            add_run(&queue, test, 2);
        if (test->protocol == PROTOCOL_3 || test->protocol == PROTOCOL_BOTH)
            add_run(&queue, test, 3);
    }
    for (int i = 0; i < jobs; i++) {
        workers[i].queue = &queue;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("no thread");
    }
    for (int i = 0; i < jobs; i++)
        pthread_join(workers[i].thread, NULL);
    bool any = queue.count > 0;
    arena_release(&queue.arena);
    return any;
}
