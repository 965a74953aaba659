// SPDX-License-Identifier: BSD-3-Clause
// What has passed and what has failed: see report.h.
#include "report.h"

#include <stdio.h>

void report_init(struct report *report)
{
    *report = (struct report){ 0 };
    pthread_mutex_init(&report->lock, NULL);
}

void report_release(struct report *report)
{
    pthread_mutex_destroy(&report->lock);
    arena_release(&report->arena);
}

static struct report_line *line_of(struct report *report, struct span name)
{
    for (size_t i = 0; i < report->count; i++) {
        if (span_equal(report->lines[i].name, name))
            return &report->lines[i];
    }
    report->lines = arena_grow(&report->arena, report->lines, report->count,
                               sizeof(*report->lines));
    struct report_line *line = &report->lines[report->count++];
    *line = (struct report_line){ .name = arena_copy(&report->arena, name) };
    return line;
}

void report_add(struct report *report, struct span name, const struct report_line *counts,
                const struct buffer *text)
{
    pthread_mutex_lock(&report->lock);
    struct report_line *line = line_of(report, name);
    line->cases += counts->cases;
    line->failed += counts->failed;
    line->commands += counts->commands;
    if (text && text->len > 0)
        fwrite(text->data, 1, text->len, stdout);
    fflush(stdout);
    pthread_mutex_unlock(&report->lock);
}

bool report_end(struct report *report)
{
    size_t passed = 0;
    size_t failed = 0;
    printf("\n%-22s %8s %8s %8s\n", "", "commands", "passed", "failed");
    for (size_t i = 0; i < report->count; i++) {
        const struct report_line *line = &report->lines[i];
        printf("%-22.*s %8zu %8zu %8zu\n", SHOW(line->name), line->commands,
               line->cases - line->failed, line->failed);
        passed += line->cases - line->failed;
        failed += line->failed;
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 && passed > 0;
}
