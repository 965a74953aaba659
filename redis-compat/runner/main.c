// SPDX-License-Identifier: BSD-3-Clause
// Holds Respite against redis-server: the parts in their order.
#include "metadata.h"
#include "options.h"
#include "random.h"
#include "suite.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct compat {
    struct options options;
    struct known_list known;
    struct catalog catalog;
    struct coverage coverage;
    struct report report;
    struct pair pair;  // for what is asked of servers without data
};

static void start_pair(struct compat *compat)
{
    static const struct server_options usual = { 0 };
    struct buffer why = { 0 };
    if (!pair_start(&compat->pair, &usual, &why))
        die("%.*s", SHOW(buffer_span(&why)));
}

static void stop_pair(struct compat *compat)
{
    struct buffer why = { 0 };
    if (!pair_stop(&compat->pair, &why)) {
        struct report_line counts = { .cases = 1, .failed = 1 };
        report_add(&compat->report, SPAN("servers"), &counts, &why);
    }
    buffer_release(&why);
}

// A file of the folder redis-compat.
static const char *path_in(const struct compat *compat, const char *name, char room[4096])
{
    snprintf(room, 4096, "%s/%s", compat->options.root, name);
    return room;
}

static void read_cases(struct compat *compat, struct case_list *cases)
{
    char room[4096];
    for (size_t i = 0; i < compat->options.file_count; i++)
        cases_read_file(cases, compat->options.files[i], SPAN("files"));
    if (compat->options.file_count > 0)
        return;
    cases_read(cases, path_in(compat, "cases", room));
    cases_read_family(cases, compat->options.root, "handshakes");
}

static void report_coverage(struct compat *compat)
{
    struct coverage_totals totals;
    struct buffer left = { 0 };
    struct buffer text = { 0 };
    coverage_report(&compat->coverage, &compat->known, &left, &totals);
    buffer_printf(&text,
                  "\ncoverage: %zu pairs of a command and an argument, %zu checks of a command; "
                  "not covered: %zu\n",
                  totals.pairs, totals.checks, totals.left);
    buffer_append(&text, buffer_span(&left));
    struct report_line counts = { .cases = totals.pairs + totals.checks, .failed = totals.left };
    report_add(&compat->report, SPAN("coverage"), &counts, &text);
    buffer_release(&left);
    buffer_release(&text);
}

static void run_cases(struct compat *compat)
{
    struct case_list cases = { 0 };
    read_cases(compat, &cases);
    struct suite suite = {
        .player = { &compat->known, &compat->catalog, &compat->coverage,
                    compat->options.streams != STREAM_NONE },
        .report = &compat->report,
        .cases = &cases,
        .jobs = compat->options.jobs,
        .streams = compat->options.streams,
        .verbose = compat->options.verbose,
        .only_case = compat->options.case_text,
        .only_family = compat->options.family,
    };
    if (!suite_run(&suite))
        die("no such case");
    cases_release(&cases);
    if (compat->options.whole)
        report_coverage(compat);
}

static void run_random(struct compat *compat)
{
    char room[4096];
    random_run(&(struct random_options){
        .catalog = &compat->catalog,
        .known = &compat->known,
        .report = &compat->report,
        .rules_path = path_in(compat, "random.rules", room),
        .seed = compat->options.seed,
        .commands = compat->options.commands,
        .jobs = compat->options.jobs,
    });
}

// What stands in KNOWN_DIFFERENCES.md and nothing refers to.
static void report_stale(struct compat *compat)
{
    struct buffer text = { 0 };
    struct report_line counts = { .cases = compat->known.count };
    for (size_t i = 0; i < compat->known.count; i++) {
        const struct known *known = &compat->known.items[i];
        if (known->used > 0)
            continue;
        counts.failed++;
        buffer_printf(&text, "FAIL  KNOWN_DIFFERENCES.md: nothing needs %.*s any more\n",
                      SHOW(known->id));
    }
    report_add(&compat->report, SPAN("known differences"), &counts, &text);
    buffer_release(&text);
}

int main(int argc, char **argv)
{
    struct compat compat = { 0 };
    char room[4096];
    signal(SIGPIPE, SIG_IGN);
    options_read(&compat.options, argc, argv);
    report_init(&compat.report);
    servers_init();
    known_read(&compat.known, path_in(&compat, "KNOWN_DIFFERENCES.md", room));
    start_pair(&compat);
    catalog_read(&compat.catalog, &compat.pair);
    coverage_init(&compat.coverage, &compat.catalog);
    if (compat.options.metadata)
        metadata_compare(&compat.catalog, &compat.pair, &compat.known, &compat.report);
    stop_pair(&compat);
    if (compat.options.cases)
        run_cases(&compat);
    if (compat.options.random)
        run_random(&compat);
    if (compat.options.whole && compat.options.metadata && compat.options.random)
        report_stale(&compat);
    bool ok = report_end(&compat.report);
    known_release(&compat.known);
    catalog_release(&compat.catalog);
    report_release(&compat.report);
    return ok ? 0 : 1;
}
