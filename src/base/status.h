// SPDX-License-Identifier: BSD-3-Clause
// What a function that can fail in an expected way returns.
#pragma once

// One list yields the enum and the texts.
#define STATUS_LIST(X)                 \
    X(STATUS_OK, "ok")                 \
    X(STATUS_NOMEM, "out of memory")   \
    X(STATUS_INVALID, "invalid value") \
    X(STATUS_RANGE, "out of range")    \
    X(STATUS_NOT_FOUND, "not found")   \
    X(STATUS_EXISTS, "exists already") \
    X(STATUS_FULL, "full")             \
    X(STATUS_AGAIN, "not ready")       \
    X(STATUS_CLOSED, "closed")         \
    X(STATUS_IO, "input/output error")

#define STATUS_ENUM(name, text) name,
enum status { STATUS_LIST(STATUS_ENUM) };
#undef STATUS_ENUM

// A result that must be looked at.
#define MUST_CHECK __attribute__((warn_unused_result))

// A short English text for a status; never NULL.
const char *status_text(enum status status);
