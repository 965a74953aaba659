// SPDX-License-Identifier: BSD-3-Clause
// Whether two replies are as a case expects them.
#pragma once

#include "case.h"
#include "known.h"
#include "server.h"

// What was asked and what came.
struct exchange {
    const struct expect *expect;
    int protocol;     // 2 or 3
    bool only_error;  // Respite does not have this command: it has to say so
    struct reply replies[SIDES];
};

// If not, `why` gets the reason.
bool judge(struct known_list *known, const struct exchange *exchange, struct buffer *why);
