// SPDX-License-Identifier: BSD-3-Clause
// MEMORY DOCTOR: what the figures of the use of memory mean.
#pragma once

#include "base/bytes.h"
#include "base/memory.h"

// In bytes, but for the counts.
struct memory_figures {
    size_t used;      // mem_used()
    size_t peak;      // the highest `used` so far
    size_t startup;   // `used` when the start was done
    size_t rss;       // of the process
    size_t clients;   // buffers of clients
    size_t overhead;  // of `used`, what is not data: startup, clients, tables
    size_t client_count;
    size_t keys;
    struct mem_allocator_stats allocator;
};

// a/b, or 0 if b is 0.
double memory_ratio(size_t a, size_t b);

// Appends a report in plain words: what is wrong, and what to do about it.
void memory_doctor(const struct memory_figures *figures, struct bytes *out);
