// SPDX-License-Identifier: BSD-3-Clause
// Plays many cases: see suite.h.
#include "suite.h"
#include "stream_compare.h"

#include <stdatomic.h>
#include <string.h>

#define JOBS_MAX 16

// Whether a key's time comes before or behind a command is a matter of chance, but hardly so often.
#define STREAM_TRIES 3

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

// A pair of servers and, if these are what is compared, their streams.
struct stage {
    struct pair pair;
    struct stream streams[SIDES];
};

struct worker {
    struct queue *queue;
    struct stage stage;  // for cases that do not want servers of their own
    bool up;
    pthread_t thread;
};

// --- Servers ------------------------------------------------------------------------------------

static bool start_stage(struct stage *stage, const struct suite *suite,
                        const struct server_options *options, struct buffer *why)
{
    struct arena arena = { 0 };
    struct words words = stream_options(&arena, suite->streams, options->words);
    bool ok = pair_start(&stage->pair,
                         &(struct server_options){ .words = &words, .tcp = options->tcp }, why);
    arena_release(&arena);
    for (enum side side = ORACLE; side <= OURS && ok && suite->streams; side++)
        ok = stream_open(&stage->streams[side], &stage->pair.servers[side], suite->streams, why);
    return ok;
}

static bool stop_stage(struct stage *stage, const struct suite *suite, struct buffer *out)
{
    for (enum side side = ORACLE; side <= OURS && suite->streams; side++)
        stream_close(&stage->streams[side]);
    return pair_stop(&stage->pair, out);
}

static bool stop_shared(struct worker *worker, struct buffer *out)
{
    if (!worker->up)
        return true;
    worker->up = false;
    return stop_stage(&worker->stage, worker->queue->suite, out);
}

static bool tell(const struct server *server, const char *command, const char *want_start)
{
    struct buffer answer = { 0 };
    bool ok = server_tell(server, command, &answer);
    struct span said = buffer_span(&answer);
    size_t len = strlen(want_start);
    ok = ok && said.len >= len && memcmp(said.ptr, want_start, len) == 0;
    buffer_release(&answer);
    return ok;
}

// Empties both servers. What a case has sent without waiting for an answer may still lie in a socket that it has closed:
// it must not be run behind this.
static bool flush_pair(const struct pair *pair)
{
    bool ok = true;
    for (enum side side = ORACLE; side <= OURS && ok; side++)
        ok = tell(&pair->servers[side], "CLIENT KILL TYPE normal SKIPME yes", ":") &&
             tell(&pair->servers[side], "FLUSHALL", "+OK\r\n");
    return ok;
}

// False: the servers of the case before ended badly.
static bool prepare_shared(struct worker *worker, struct buffer *out)
{
    static const struct server_options usual = { 0 };
    if (worker->up && flush_pair(&worker->stage.pair))
        return true;
    bool ok = stop_shared(worker, out);
    struct buffer why = { 0 };
    // Without servers all cases would fail in the same way.
    if (!start_stage(&worker->stage, worker->queue->suite, &usual, &why))
        die("%.*s", SHOW(buffer_span(&why)));
    worker->up = true;
    return ok;
}

// --- One case -----------------------------------------------------------------------------------

static enum stream_result read_streams(struct stage *stage, struct arena *arena,
                                       struct stream_part parts[SIDES], struct buffer *out)
{
    enum stream_result result = STREAM_READ;
    for (enum side side = ORACLE; side <= OURS && result == STREAM_READ; side++)
        result = stream_read(&stage->streams[side], arena, &parts[side], out);
    return result;
}

// Plays it for what it leaves in the streams.
static void play_streams(const struct player *player, struct stage *stage, const struct run *run,
                         struct play_result *result, struct buffer *out)
{
    struct arena arena = { 0 };
    struct stream_part parts[SIDES];
    enum stream_result before = read_streams(stage, &arena, parts, out);
    *result = player_play(player, &stage->pair, run->test, run->protocol, out);
    enum stream_result behind = before == STREAM_READ ? read_streams(stage, &arena, parts, out)
                                                      : before;
    result->dirty = result->dirty || behind != STREAM_READ;
    // Where a case leaves a server that takes no writes there is nothing to compare.
    if (behind == STREAM_BROKEN)
        result->passed = false;
    if (behind == STREAM_READ)
        result->passed = stream_compare(parts, out) && result->passed;
    arena_release(&arena);
}

static struct play_result play(const struct suite *suite, struct stage *stage,
                               const struct run *run, struct buffer *out)
{
    struct play_result result;
    if (suite->streams)
        play_streams(&suite->player, stage, run, &result, out);
    else
        result = player_play(&suite->player, &stage->pair, run->test, run->protocol, out);
    return result;
}

static struct play_result play_fresh(const struct suite *suite, const struct run *run,
                                     struct buffer *out)
{
    struct stage stage;
    struct play_result result = { 0 };
    struct server_options options = { .words = &run->test->options, .tcp = run->test->tcp };
    if (!start_stage(&stage, suite, &options, out))
        return result;
    result = play(suite, &stage, run, out);
    result.passed = stop_stage(&stage, suite, out) && result.passed;
    return result;
}

static struct play_result play_shared(struct worker *worker, const struct run *run,
                                      struct buffer *out)
{
    struct play_result result = { 0 };
    if (!prepare_shared(worker, out))
        return result;
    result = play(worker->queue->suite, &worker->stage, run, out);
    bool alive = server_alive(&worker->stage.pair.servers[ORACLE]) &&
                 server_alive(&worker->stage.pair.servers[OURS]);
    if (!alive || result.dirty)
        result.passed = stop_shared(worker, out) && result.passed;
    return result;
}

static void play_run(struct worker *worker, const struct run *run)
{
    const struct suite *suite = worker->queue->suite;
    const struct test_case *test = run->test;
    struct buffer said = { 0 };
    struct buffer text = { 0 };
    struct play_result result = { 0 };
    for (int tries = suite->streams ? STREAM_TRIES : 1; tries > 0 && !result.passed; tries--) {
        buffer_clear(&said);
        result = test->fresh ? play_fresh(suite, run, &said) : play_shared(worker, run, &said);
    }
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
    if (!stop_shared(worker, &said)) {
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
    if (suite->streams && !stream_plays(suite->streams, test))
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
        // What is said to replicas does not depend on it.
        bool again = test->protocol == PROTOCOL_BOTH && !suite->streams;
        if (test->protocol == PROTOCOL_3 || again)
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
