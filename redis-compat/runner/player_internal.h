// SPDX-License-Identifier: BSD-3-Clause
// One case while it is being played: for player*.c.
#pragma once

#include "player.h"

// How long a reply may take, under sanitizers and on a busy machine.
#define PATIENCE_MS 20000

struct named_connection {
    struct span name;
    bool would_queue;  // MULTI has been sent, and Respite does not have it
    struct connection sides[SIDES];
};

// What $(name) stands for on each server.
struct variable {
    struct span name;
    struct span values[SIDES];
};

struct play {
    const struct player *player;
    struct pair *pair;
    const struct test_case *test;
    int protocol;
    struct arena arena;
    struct named_connection *connections;
    size_t connection_count;
    struct variable *variables;
    size_t variable_count;
    struct words seen;     // all arguments sent so far
    int64_t step_wall_ms;  // the time that $(now) means
    enum side expanding;   // whose variables count
    struct buffer *out;
    int failures;
    bool abandoned;  // the rest makes no sense
    struct play_result result;
};

// The words of a step as one of the servers gets them. False: said why in `out`.
bool play_expand(struct play *play, const struct step *step, enum side side, struct words *out);

void play_set_variable(struct play *play, struct span name, enum side side, struct span value);

// Remembers what the step saves of the replies.
void play_save(struct play *play, const struct step *step, const struct reply replies[SIDES]);

// The connections of that name, opened if they are not there; NULL: said why in `out`.
struct named_connection *play_connection(struct play *play, struct span name);

// Begins a failure: "line 12: SET k v" and the reason.
void play_fail(struct play *play, const struct step *step, const char *reason);

// Sends each server its bytes.
bool play_send(struct play *play, const struct step *step, struct named_connection *connection,
               const struct buffer bytes[SIDES]);

// Reads a reply of each; false: not both have one, said why.
bool play_fetch(struct play *play, const struct step *step, struct named_connection *connection,
                struct reply replies[SIDES]);

// Compares them. argv may be NULL.
void play_judge(struct play *play, const struct step *step, struct named_connection *connection,
                const struct words *argv, const struct reply replies[SIDES]);

// Steps of their own kinds: player_steps.c. `step` is the first of `count` in a pipeline.
void play_commands(struct play *play, const struct step *step, size_t count);
void play_special(struct play *play, const struct step *step);
