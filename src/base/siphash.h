// SPDX-License-Identifier: BSD-3-Clause
// SipHash-1-3, the keyed hash of all tables: attackers choose the keys.
//
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression and
// three finalisation rounds. Keyed with 128 random bits per process.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Sets the process's key. Once, at the start; tests set a fixed one.
void hash_set_key(const uint8_t key[16]);

// Hash of `len` bytes under the process's key. A few ns for a short key; reads exactly len bytes.
uint64_t hash_bytes(const void *data, size_t len);

// SipHash-1-3 under a given key, for tests against published vectors.
uint64_t siphash13(const void *data, size_t len, const uint8_t key[16]);
