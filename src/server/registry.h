// SPDX-License-Identifier: BSD-3-Clause
// The registered commands: look-up by name, key positions, gates.
//
// A gate is a reason not to run a command now (not authenticated, loading, out of memory, inside a
// transaction...). Its owner registers it before the commands and gets a bit. A command is subject to
// the gates that its row makes it subject to; a gate is shut while its bit is set on the server or on
// the client. So dispatch tests one mask, and grows no branch for a new gate. While a gate's bit is in
// the server's holds, its commands are not refused but wait (server/batch.h).
#pragma once

#include "base/bytes.h"
#include "server/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram;
struct registry;

#define COMMAND_ENTRY_ALIGNMENT 64

// A registered command. What the way of a command reads and counts is its first cache line.
struct command_entry {
    void (*handler)(struct cmd_ctx *ctx);
    int32_t arity;
    uint32_t flags;
    uint32_t gates;     // bits of the gates it is subject to
    int16_t key_first;  // 0: no keys, or complex ones
    int16_t key_last;   // negative: from the end
    int16_t key_step;
    bool keys_complex;  // use registry_find_keys()
    // As COMMAND shows them: the plain ones, up to the first that is not.
    struct {
        int16_t first;
        int16_t last;
        int16_t step;
    } shown_keys;
    bool is_container;
    bool is_barrier;  // what its client sent behind it waits until it is done
    int16_t element;  // the row's: negative from the end
    bool is_brief;    // takes next to no time, whatever is asked (server/dispatch.h)
    uint64_t calls;
    uint64_t ticks;               // that they have taken
    struct histogram *histogram;  // of their ticks; NULL before the first one
    const struct command *row;
    const struct command_entry *parent;
    struct command_entry *subcommands;
    int subcommand_count;
    uint32_t acl;             // all categories
    char *full_name;          // "get", "client|list"
    char *called;             // what clients call it: the row's name, unless it was renamed
    uint64_t rejected_calls;  // not run
    uint64_t failed_calls;    // run, and answered by an error
} __attribute__((aligned(COMMAND_ENTRY_ALIGNMENT)));

struct registry *registry_new(void);
void registry_free(struct registry *registry);

// Decides whether a command's row makes it subject to the gate.
typedef bool (*gate_applies_fn)(const struct command *row);
// Called for a shut gate: true if it has answered the command, which is then not run.
typedef bool (*gate_refuses_fn)(struct cmd_ctx *ctx);

// At start-up, before the commands: returns the gate's bit. Gates are asked in this order. `refuses`
// is NULL for a gate that only ever holds.
uint32_t registry_add_gate(struct registry *registry, gate_applies_fn applies,
                           gate_refuses_fn refuses);

// The same for one that is asked behind all of these, whoever registers later; the first such one is the very last.
uint32_t registry_add_last_gate(struct registry *registry, gate_applies_fn applies,
                                gate_refuses_fn refuses);

// Asks the shut gates of `bits` in order; true if one has answered.
bool registry_ask_gates(const struct registry *registry, uint32_t bits, struct cmd_ctx *ctx);

// Adds a family's table (ends with a row without a name).
void registry_add(struct registry *registry, const struct command *table);

// The command with this name, any case; NULL if there is none. A few ns.
struct command_entry *registry_lookup(const struct registry *registry, struct slice name);

// At start-up, before anybody has looked up a command: from now on it goes by the new name only, or,
// if that is empty, by none: it is gone. Descriptions and errors keep the old name, as Redis's do.
// STATUS_NOT_FOUND: there is no such command; STATUS_EXISTS: another command has the new name.
MUST_CHECK enum status registry_rename(struct registry *registry, struct slice name,
                                       struct slice new_name);

// The subcommand, any case, or NULL.
struct command_entry *registry_subcommand(const struct command_entry *container, struct slice name);

// All top-level commands, in the order of registration.
struct command_entry *registry_at(const struct registry *registry, size_t index);
size_t registry_count(const struct registry *registry);

// Sets to zero what is counted of a command and its subcommands.
void registry_reset_stats(struct command_entry *command);

// A key of a request: its position, and the flags of the specification that found it.
struct key_place {
    uint32_t position;
    uint32_t flags;
};

// The keys of a request, written into `out` (room for `max`); returns how many there are (more than
// max: not all were written), or -1 if the arguments make no sense. For commands with complex keys;
// others have first, last and step.
int registry_find_keys(const struct command_entry *command, const struct slice *argv, uint32_t argc,
                       struct key_place *out, int max);
