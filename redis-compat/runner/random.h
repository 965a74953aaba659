// SPDX-License-Identifier: BSD-3-Clause
// Random commands, made from the oracle's argument trees, on both servers: replies are compared as
// they come, the data after each thousand. A difference is shrunk to a short case.
#pragma once

#include "catalog.h"
#include "known.h"
#include "report.h"

struct random_options {
    const struct catalog *catalog;
    struct known_list *known;
    struct report *report;
    const char *rules_path;
    unsigned long seed;
    size_t commands;
    int jobs;
};

void random_run(const struct random_options *options);
