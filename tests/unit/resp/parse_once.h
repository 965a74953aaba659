// SPDX-License-Identifier: BSD-3-Clause
// What the parser's tests share: one call of the parser, its outcome as a text.
#pragma once

#include "base/bytes.h"
#include "resp/parser.h"

#include <stddef.h>

// A text that may hold NULs, and its length.
#define IN(text) text, sizeof(text) - 1

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

// As Redis says it; more than one file of tests meets them.
#define BAD_COUNT  "Protocol error: invalid multibulk length"
#define BAD_LENGTH "Protocol error: invalid bulk length"
#define BAD_QUOTES "Protocol error: unbalanced quotes in request"
#define BAD_DOLLAR "Protocol error: expected '$', got "

// Redis's defaults, before and after authentication.
extern const struct resp_limits normal_limits;
extern const struct resp_limits unauth_limits;

// Parses the first `len` bytes, which lie at another address at each call, with nothing behind them
// that a sanitizer would let pass. What comes of it is appended to `text`: nothing when incomplete,
// the error's text, or the arguments in quotes, with "inline" in front if that is what they were and
// "(bytes left)" behind if the command did not take all bytes.
enum resp_result parse_once(struct resp_parser *parser, const struct resp_limits *limits,
                            const char *input, size_t len, struct bytes *text);

// Compares, then releases `text`.
void assert_text(struct bytes *text, const char *want);
