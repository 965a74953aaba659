// SPDX-License-Identifier: BSD-3-Clause
// What has passed and what has failed, from all threads: printed as it comes, and summed up.
#pragma once

#include "memory.h"

#include <pthread.h>

struct report_line {
    struct span name;
    size_t cases;  // runs of cases, or checks of another kind
    size_t failed;
    size_t commands;
};

struct report {
    pthread_mutex_t lock;
    struct report_line *lines;
    size_t count;
    struct arena arena;
};

void report_init(struct report *report);
void report_release(struct report *report);

// Adds to the line of that name, and prints `text` if there is any.
void report_add(struct report *report, struct span name, const struct report_line *counts,
                const struct buffer *text);

// Prints a line a family and, last, "N passed, N failed". False: something has failed.
bool report_end(struct report *report);
