// SPDX-License-Identifier: BSD-3-Clause
// Parts of the random commands: for random*.c.
#pragma once

#include "pattern.h"
#include "random.h"
#include "words.h"

#include <stdint.h>

// --- Rules: redis-compat/random.rules says what they are ----------------------------------------

// A name and what is said of it.
struct rule {
    struct span name;
    struct words words;
    struct pattern pattern;
    long long number;
};

struct rule_list {
    struct rule *items;
    size_t count;
};

struct rules {
    struct rule_list weights;
    struct rule_list skips;
    struct rule_list counted;
    struct rule_list keys;
    struct rule_list values;
    struct rule_list replies;
    struct rule_list states;
    struct arena arena;
};

void rules_read(struct rules *rules, const struct random_options *options);
void rules_release(struct rules *rules);
const struct rule *rules_find(const struct rule_list *list, struct span name);

// --- Programs: lists of commands ----------------------------------------------------------------

struct generated {
    struct words argv;
    size_t command;  // its place in struct chances
};

struct program {
    struct generated *items;
    size_t count;
};

// The commands that may come, each with its weight.
struct chances {
    const struct command **commands;
    struct span *names;
    long long *weights;
    size_t count;
    long long total;
};

void chances_read(struct chances *chances, struct arena *arena, const struct rules *rules,
                  const struct catalog *catalog);

void program_generate(struct program *program, struct arena *arena, const struct rules *rules,
                      const struct chances *chances, uint64_t seed, size_t count);

// --- Sessions: a program on two servers ---------------------------------------------------------

struct session {
    const struct rules *rules;
    struct pair *pair;
    int protocol;
    bool compare_replies;
    size_t state_every;  // commands; 0: the state is not compared
    // By a command's place in struct chances; the counters may be NULL.
    const struct span *names;
    size_t *sent;
    size_t *accepted;
};

struct divergence {
    bool found;
    bool broken;  // a server did not answer
    bool in_state;
    size_t at;  // the command that differs, or how many came before the state did
    struct buffer text;
};

// Empties both servers and plays the program until something differs. divergence->text is appended
// to.
void session_play(const struct session *session, const struct program *program,
                  struct divergence *out);

// Leaves out what is not needed for the same divergence. The program's array is changed in place.
void session_shrink(const struct session *session, struct program *program,
                    struct divergence *divergence);
