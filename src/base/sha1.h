// SPDX-License-Identifier: BSD-3-Clause
// SHA-1 (FIPS 180-4), for names and fingerprints that Redis defines by it; not for secrets.
#pragma once

#include "base/bytes.h"

#define SHA1_BYTES 20

// The hash of `data`. O(n).
void sha1(struct slice data, unsigned char out[SHA1_BYTES]);
