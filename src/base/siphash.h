// SPDX-License-Identifier: BSD-3-Clause
// SipHash-1-3, a keyed hash for short texts that needs nothing of the CPU.
//
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression and
// three finalisation rounds.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Hash of `len` bytes under the key. Some 15 ns for a short text; reads exactly len bytes.
uint64_t siphash13(const void *data, size_t len, const uint8_t key[16]);
