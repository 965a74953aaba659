// SPDX-License-Identifier: BSD-3-Clause
// Some of many, without repetition, each choice as likely as any other.
#pragma once

#include "base/random.h"
#include "ds/table.h"

// Walks `left` candidates and takes `wanted` of them: true for each that is taken (Knuth, TAOCP 2,
// 3.4.2, algorithm S).
struct sample_walk {
    struct random *random;
    size_t left;
    size_t wanted;
};
bool sample_take(struct sample_walk *walk);

// Emits `count` different entries of the table, at most all. Few of many are drawn one by one, with
// memory for as many pointers; else all are walked. At most O(n).
void sample_table(const struct table *table, struct random *random, size_t count,
                  void (*emit)(void *entry, void *udata), void *udata);
