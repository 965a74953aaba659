// SPDX-License-Identifier: BSD-3-Clause
// Argument trees, as COMMAND DOCS gives them: what a command may be called with.
#pragma once

#include "reply.h"

enum argument_type {
    ARGUMENT_STRING,
    ARGUMENT_INTEGER,
    ARGUMENT_DOUBLE,
    ARGUMENT_KEY,
    ARGUMENT_PATTERN,
    ARGUMENT_TIME,
    ARGUMENT_TOKEN,  // the token and nothing else
    ARGUMENT_ONEOF,
    ARGUMENT_BLOCK,
};

struct argument {
    struct span name;
    enum argument_type type;
    struct span token;  // stands before the value; NULL without one
    bool optional;
    bool multiple;
    bool multiple_token;  // the token comes again with each value
    struct argument *children;
    size_t child_count;
    bool used;       // a case has sent it
    bool used_many;  // and more than once in one command
};

struct argument_list {
    struct argument *items;
    size_t count;
};

// Reads the "arguments" of COMMAND DOCS (NULL: none). False: it has a type that is not known.
bool arguments_read(struct arena *arena, const struct reply *reply, struct argument_list *out);

// Whether argv is a call of this form. Marks what it has used. Options may come in any order.
bool arguments_match(const struct argument_list *list, const struct span *argv, size_t argc);

// Whether an argument of this type is anywhere in the tree.
bool arguments_have(const struct argument_list *list, enum argument_type type);
