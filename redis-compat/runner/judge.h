// SPDX-License-Identifier: BSD-3-Clause
// Whether two replies are as a case expects them.
#pragma once

#include "case.h"
#include "known.h"
#include "server.h"

// Whether Respite can answer as the oracle does.
enum ability {
    ABLE,
    UNABLE,       // it does not have this command, and has to say so
    OUT_OF_STEP,  // it lacked a command before: any reply will do
};

// What was asked and what came.
struct exchange {
    const struct expect *expect;
    int protocol;          // 2 or 3
    enum ability ability;  // counts where only the kind does
    struct reply replies[SIDES];
};

// If not, `why` gets the reason.
bool judge(struct known_list *known, const struct exchange *exchange, struct buffer *why);
