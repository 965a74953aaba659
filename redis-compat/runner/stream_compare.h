// SPDX-License-Identifier: BSD-3-Clause
// Whether two servers have said the same in their streams of effects.
#pragma once

#include "stream.h"

// The same commands, word by word, but for what differs from run to run: times in milliseconds differ a little, and
// members taken at random are as many. If not, `why` gets the first difference and what stands around it.
bool stream_compare(const struct stream_part parts[SIDES], struct buffer *why);
