// SPDX-License-Identifier: BSD-3-Clause
// Redis's glob patterns: * ? [abc] [^a] [a-z] and \ to take a character as it is.
//
// Matches what Redis matches, odd corners included: a class without its ] goes on to the end of the
// pattern, [z-a] is [a-z], a \ at the end stands for itself, an escaped letter in a class keeps its
// case even when case is ignored, and not even * matches the empty text (KEYS, SCAN and the like
// take a pattern that is just * as "all" and never ask).
// O(pattern x text), also for hostile patterns such as a*a*a*b: only the last star is ever retried.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

bool glob_match(struct slice pattern, struct slice text, bool ignore_case);

// Length of the literal prefix: the bytes before the first special character (pattern bytes; a
// backslash ends it too).
size_t glob_literal_prefix(struct slice pattern);
