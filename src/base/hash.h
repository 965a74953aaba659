// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of all tables: attackers choose the keys.
//
// Where the CPU has AES instructions, a text is taken in blocks of 16 bytes, each followed by three
// rounds of AES under a secret key; elsewhere it is SipHash-1-3 (base/siphash.h). Neither is for
// anything but tables: hashes are good for one process, and differ between machines.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_KEY_BYTES 32

// Sets the process's key. Once, at the start; tests set a fixed one.
void hash_set_key(const uint8_t key[HASH_KEY_BYTES]);

// Hash of `len` bytes under the process's key: all 64 bits are well mixed. A few ns for a short
// text; reads exactly len bytes.
uint64_t hash_bytes(const void *data, size_t len);

// Whether it is AES. hash_without_aes(): not until the next hash_set_key(), for tests of what machines
// without it do.
bool hash_uses_aes(void);
void hash_without_aes(void);
