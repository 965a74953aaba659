// SPDX-License-Identifier: BSD-3-Clause
// What the parser's files share: the reasons to refuse a request, and adding an argument.
#pragma once

#include "base/panic.h"
#include "resp/parser.h"

// The texts are part of the contract with clients. One list yields the enum and the texts.
#define RESP_FAULT_LIST(X)                                                         \
    X(RESP_FAULT_NONE, "Protocol error")                                           \
    X(RESP_FAULT_LONG_INLINE, "Protocol error: too big inline request")            \
    X(RESP_FAULT_QUOTES, "Protocol error: unbalanced quotes in request")           \
    X(RESP_FAULT_LONG_COUNT, "Protocol error: too big mbulk count string")         \
    X(RESP_FAULT_COUNT, "Protocol error: invalid multibulk length")                \
    X(RESP_FAULT_UNAUTH_COUNT, "Protocol error: unauthenticated multibulk length") \
    X(RESP_FAULT_LONG_LENGTH, "Protocol error: too big bulk count string")         \
    X(RESP_FAULT_NO_DOLLAR, "Protocol error: expected '$', got '%c'")              \
    X(RESP_FAULT_LENGTH, "Protocol error: invalid bulk length")                    \
    X(RESP_FAULT_UNAUTH_LENGTH, "Protocol error: unauthenticated bulk length")     \
    X(RESP_FAULT_MEMORY, "Protocol error: not enough memory for the request")

#define RESP_FAULT_ENUM(name, text) name,
enum resp_fault { RESP_FAULT_LIST(RESP_FAULT_ENUM) };
#undef RESP_FAULT_ENUM

// Makes room for `extra` more slices; amortised O(1). False: no memory, nothing changed.
MUST_CHECK bool resp_argv_reserve(struct resp_argv *argv, size_t extra);

MUST_CHECK static inline bool resp_argv_add(struct resp_argv *argv, const char *ptr, size_t len)
{
    if (unlikely(argv->len == argv->cap) && !resp_argv_reserve(argv, 1))
        return false;
    argv->items[argv->len++] = (struct slice){ .ptr = ptr, .len = len };
    return true;
}

// Splits a line (without its LF) into arguments, taking quotes and escapes off in place.
MUST_CHECK enum resp_fault resp_split_inline(char *line, size_t len, struct resp_argv *argv);
