// SPDX-License-Identifier: BSD-3-Clause
// Random commands: runs of some thousands, each from a seed of its own, on several pairs of servers.
#include "random.h"
#include "random_internal.h"

#include <stdatomic.h>
#include <string.h>

#define RUN_COMMANDS     5000
#define STATE_EVERY      1000
#define JOBS_MAX         16
#define ACCEPTED_PERCENT 20
#define FAILURES_MAX     5  // more of them tell nothing new
#define COLUMNS          3

struct random_work {
    const struct random_options *options;
    struct rules rules;
    struct chances chances;
    size_t runs;
    atomic_size_t next;
    atomic_size_t failures;
    pthread_mutex_t lock;  // of what follows
    size_t *sent;
    size_t *accepted;
    struct arena arena;
};

struct random_worker {
    struct random_work *work;
    struct pair pair;
    pthread_t thread;
};

// --- One run ------------------------------------------------------------------------------------

static void append_program(struct buffer *out, const struct program *program, int protocol)
{
    buffer_printf(out, "%%proto %d\n", protocol);
    for (size_t i = 0; i < program->count; i++) {
        const struct words *argv = &program->items[i].argv;
        for (size_t k = 0; k < argv->count; k++) {
            if (k > 0)
                buffer_char(out, ' ');
            words_quote(out, argv->items[k]);
        }
        buffer_char(out, '\n');
    }
}

static void tell_failure(struct random_work *work, const struct session *session,
                         struct program *program, struct divergence *divergence, size_t run)
{
    struct buffer text = { 0 };
    size_t before = divergence->at;
    session_shrink(session, program, divergence);
    buffer_printf(&text,
                  "FAIL  random commands, seed %lu, run %zu, RESP%d: %s differs after %zu "
                  "commands. As a case:\n\n=== random: seed %lu, run %zu\n",
                  work->options->seed, run, session->protocol,
                  divergence->in_state ? "the state" : "a reply", before, work->options->seed, run);
    append_program(&text, program, session->protocol);
    buffer_char(&text, '\n');
    buffer_append(&text, buffer_span(&divergence->text));
    report_add(work->options->report, SPAN("random runs"), &(struct report_line){ 0 }, &text);
    buffer_release(&text);
}

static void add_counts(struct random_work *work, const size_t *sent, const size_t *accepted)
{
    pthread_mutex_lock(&work->lock);
    for (size_t i = 0; i < work->chances.count; i++) {
        work->sent[i] += sent[i];
        work->accepted[i] += accepted[i];
    }
    pthread_mutex_unlock(&work->lock);
}

static void play_run(struct random_worker *worker, size_t run)
{
    struct random_work *work = worker->work;
    struct arena arena = { 0 };
    struct program program;
    struct divergence divergence = { 0 };
    struct session session = {
        .rules = &work->rules,
        .pair = &worker->pair,
        .protocol = run % 2 ? 3 : 2,
        .compare_replies = true,
        .state_every = STATE_EVERY,
        .names = work->chances.names,
        .sent = arena_alloc(&arena, work->chances.count * sizeof(size_t)),
        .accepted = arena_alloc(&arena, work->chances.count * sizeof(size_t)),
    };
    program_generate(&program, &arena, &work->rules, &work->chances,
                     work->options->seed * 1000003 + run, RUN_COMMANDS);
    session_play(&session, &program, &divergence);
    add_counts(work, session.sent, session.accepted);
    size_t played = divergence.found ? divergence.at : program.count;
    if (divergence.found && work->failures++ < FAILURES_MAX)
        tell_failure(work, &session, &program, &divergence, run);
    struct report_line counts = { .cases = 1, .failed = divergence.found, .commands = played };
    report_add(work->options->report, SPAN("random runs"), &counts, NULL);
    buffer_release(&divergence.text);
    arena_release(&arena);
}

static void *play_runs(void *udata)
{
    struct random_worker *worker = udata;
    struct random_work *work = worker->work;
    static const struct server_options usual = { 0 };
    struct buffer said = { 0 };
    bool ok = pair_start(&worker->pair, &usual, &said);
    for (size_t run = work->next++; ok && run < work->runs; run = work->next++) {
        play_run(worker, run);
        if (server_alive(&worker->pair.servers[ORACLE]) &&
            server_alive(&worker->pair.servers[OURS]))
            continue;
        ok = pair_stop(&worker->pair, &said) && pair_start(&worker->pair, &usual, &said);
    }
    if (ok)
        ok = pair_stop(&worker->pair, &said);
    if (!ok) {
        struct report_line counts = { .cases = 1, .failed = 1 };
        report_add(work->options->report, SPAN("servers"), &counts, &said);
    }
    buffer_release(&said);
    return NULL;
}

// --- All ----------------------------------------------------------------------------------------

// How many of each command's replies were no errors.
static void report_rates(struct random_work *work)
{
    struct buffer text = { 0 };
    struct report_line counts = { .cases = work->chances.count };
    buffer_text(&text, "\nrandom commands: sent, and accepted in percent\n");
    for (size_t i = 0; i < work->chances.count; i++) {
        size_t sent = work->sent[i];
        size_t percent = sent ? 100 * work->accepted[i] / sent : 0;
        bool low = percent < ACCEPTED_PERCENT;
        counts.failed += low;
        buffer_printf(&text, "  %-20.*s %7zu %3zu %s", SHOW(work->chances.names[i]), sent, percent,
                      low ? "FAIL" : "    ");
        if (i % COLUMNS == COLUMNS - 1 || i + 1 == work->chances.count)
            buffer_char(&text, '\n');
    }
    report_add(work->options->report, SPAN("random rates"), &counts, &text);
    buffer_release(&text);
}

void random_run(const struct random_options *options)
{
    struct random_work work = { .options = options };
    struct random_worker workers[JOBS_MAX] = { 0 };
    int jobs = options->jobs > JOBS_MAX ? JOBS_MAX : options->jobs;
    pthread_mutex_init(&work.lock, NULL);
    rules_read(&work.rules, options);
    chances_read(&work.chances, &work.arena, &work.rules, options->catalog);
    work.sent = arena_alloc(&work.arena, work.chances.count * sizeof(*work.sent));
    work.accepted = arena_alloc(&work.arena, work.chances.count * sizeof(*work.accepted));
    work.runs = (options->commands + RUN_COMMANDS - 1) / RUN_COMMANDS;
    for (int i = 0; i < jobs; i++) {
        workers[i].work = &work;
        if (pthread_create(&workers[i].thread, NULL, play_runs, &workers[i]) != 0)
            die("no thread");
    }
    for (int i = 0; i < jobs; i++)
        pthread_join(workers[i].thread, NULL);
    report_rates(&work);
    pthread_mutex_destroy(&work.lock);
    rules_release(&work.rules);
    arena_release(&work.arena);
}
