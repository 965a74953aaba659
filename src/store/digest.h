// SPDX-License-Identifier: BSD-3-Clause
// Fingerprints of values and of the whole data, equal to redis-server's where the data is equal.
//
// A digest is 20 bytes. To mix bytes in: XOR their SHA-1 into it, and take the SHA-1 of that.
//
//   value    zeros; mix the type (four bytes, big-endian); mix the value as its type does; XOR
//            a constant if it has an expiry, whichever
//   key      zeros; mix the name; then as a value
//   all      zeros; for each database that is not empty, from 0 on: mix its number (as the type),
//            and XOR the SHA-1 of the digest of each key, so that their order does not matter
//
// Found by asking redis-server 7.0.15 and comparing.
#pragma once

#include "base/sha1.h"
#include "store/keyspace.h"

struct digest {
    unsigned char bytes[SHA1_BYTES];
};

// Mixes bytes in: what is mixed when matters. O(bytes).
void digest_mix(struct digest *digest, struct slice bytes);

// XORs the SHA-1 of bytes in: of what has no order, such as a set's members. O(bytes).
void digest_xor(struct digest *digest, struct slice bytes);

// The fingerprint of a value; whose it is does not matter. All zero: no value.
struct digest digest_value(const struct keyspace *keyspace, const struct entry *entry);

// The fingerprint of everything, expired keys that are still there included. All zero: no data.
// O(bytes of all keys and values).
struct digest digest_keyspace(const struct keyspace *keyspace);
