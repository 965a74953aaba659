// SPDX-License-Identifier: BSD-3-Clause
// All commands of both servers, as they describe them themselves.
#pragma once

#include "arguments.h"
#include "server.h"

struct command {
    struct span name;  // lower case; "client|list"
    size_t words;      // of its name: 1 or 2
    bool has[SIDES];   // which server has it
    bool container;    // has subcommands
    long long arity;
    long long first_key;  // 0: none, or not so simple
    long long last_key;
    long long key_step;
    bool writes;
    struct span group;               // "string"; empty if the oracle has no documentation of it
    struct argument_list arguments;  // the oracle's
    unsigned covered;                // bits of coverage.h
};

struct catalog {
    struct command *items;
    size_t count;
    struct arena arena;
};

// Asks both servers; the commands are sorted by name. Ends the runner if they do not answer as they should.
void catalog_read(struct catalog *catalog, const struct pair *pair);
void catalog_release(struct catalog *catalog);

// By its full name in lower case; NULL without one.
struct command *catalog_named(const struct catalog *catalog, struct span name);

// The command that argv calls: the subcommand, or the container if there is no such subcommand.
struct command *catalog_find(const struct catalog *catalog, const struct span *argv, size_t argc);

// Asks one server one thing. Ends the runner if there is no reply.
void ask(struct connection *c, struct arena *arena, const char *line, struct reply *out);
