// SPDX-License-Identifier: BSD-3-Clause
// Data sets as commands: what a base of the append-only file consists of with `aof-use-rdb-preamble no`.
//
// A value is made by commands of up to 64 elements each, as Redis writes them, so that reading them back takes
// no more memory than that. How a type says its own stands beside how it is saved (struct rdb_codec).
#pragma once

#include "persist/rdb_save.h"

// SELECT for each database that holds something; for each key the commands that make it, and PEXPIREAT. With
// rdb_about.time_stamp a comment says when, at the beginning.
extern const struct encoder aof_encoder;

// A command: how many words, and the words.
void aof_write_count(struct rdb_writer *w, size_t words);
void aof_write_word(struct rdb_writer *w, struct slice text);

// The commands that make one collection: `name key element element ...`.
struct aof_series {
    struct rdb_writer *w;
    const char *name;
    struct slice key;
    size_t left;  // elements to come
    size_t words_each;
    size_t room;  // for elements in the command that has been begun
};

// `series` comes with all of the above but `room`. aof_series_next() goes ahead of each element's words.
void aof_series_next(struct aof_series *series);
