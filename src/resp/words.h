// SPDX-License-Identifier: BSD-3-Clause
// A line split into words with the quoting of inline commands; configuration files use the same.
#pragma once

#include "resp/parser.h"

// Splits `line` (without a line end) in place, taking quotes and escapes off, and adds the words to
// `argv`. STATUS_INVALID: unbalanced quotes; STATUS_NOMEM.
MUST_CHECK enum status resp_split_words(char *line, size_t len, struct resp_argv *argv);
