// SPDX-License-Identifier: BSD-3-Clause
// What the runner is told on its command line.
#pragma once

#include "stream.h"

#include <stdbool.h>
#include <stddef.h>

struct options {
    const char *root;  // the folder redis-compat
    int jobs;          // pairs of servers at a time
    bool verbose;
    bool cases;  // which parts are wanted
    bool metadata;
    bool random;
    enum stream_source streams;
    bool whole;          // no part and no case left out: coverage is meaningful
    const char *family;  // NULL: all
    const char *case_text;
    unsigned long seed;
    size_t commands;  // random ones
    char **files;     // case files to play instead of all
    size_t file_count;
};

// Ends the program if they make no sense, or if help was wanted.
void options_read(struct options *options, int argc, char **argv);
