// SPDX-License-Identifier: BSD-3-Clause
// One text for all orders that a reply's elements can have.
#pragma once

#include "reply.h"

// Appends a reply with its elements (a map's pairs) sorted; `deep`: theirs too.
void canonical_append(struct buffer *out, const struct reply *reply, bool deep);

bool canonical_equal(const struct reply *a, const struct reply *b, bool deep);
