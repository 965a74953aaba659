// SPDX-License-Identifier: BSD-3-Clause
// All that a server holds, and whether it is the same as what another one holds.
#pragma once

#include "host.h"

#include <stdint.h>

#define CONTENTS_DATABASES 16

// What is asked for beside the values.
enum contents_depth {
    CONTENTS_VALUES,
    CONTENTS_DIGEST,   // DEBUG DIGEST
    CONTENTS_DIGESTS,  // and DEBUG DIGEST-VALUE of each key
};

struct item {
    struct span key;
    struct span type;
    struct span encoding;
    struct span digest;    // DEBUG DIGEST-VALUE, or empty
    long long expires_ms;  // PEXPIRETIME
    struct reply value;    // sets and hashes in the order of their bytes
};

struct contents {
    struct arena arena;
    enum side side;
    struct span digest;                      // DEBUG DIGEST, or empty
    struct item *items[CONTENTS_DATABASES];  // in the order of their keys
    size_t counts[CONTENTS_DATABASES];       // DBSIZE says the same
};

// Reads all. Ends the program if replies are not what they have to be.
void contents_read(struct contents *contents, struct host *host, enum contents_depth depth);
void contents_release(struct contents *contents);

// Whether this is how the second server may hold what the first one holds so.
bool contents_same_encoding(enum side a, const struct item *left, enum side b,
                            const struct item *right);
size_t contents_keys(const struct contents *contents);

// False: `why` has the first differences. Encodings are those of the same server, or differ as KNOWN_DIFFERENCES.md
// says that they do between the two.
bool contents_equal(const struct contents *expected, const struct contents *got,
                    struct buffer *why);
