// SPDX-License-Identifier: BSD-3-Clause
// Requests as RESP: the words of a command as an array of bulk strings.
#pragma once

#include "base/bytes.h"

#include <stddef.h>

// Appends the command with these words. O(bytes).
void resp_append_request(struct bytes *out, const struct slice *words, size_t count);
