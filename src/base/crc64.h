// SPDX-License-Identifier: BSD-3-Clause
// CRC-64 as RDB files and DUMP payloads carry it.
//
// Polynomial 0xad93d23594c935a9 (Jones), reflected in and out, initial value 0, no final xor; the
// check value of "123456789" is 0xe9c6d914c4b8d9ca.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Continues `crc` over `len` bytes; start with 0. 0.07 ns a byte with carry-less multiplication, where
// the CPU has it, 0.63 without.
uint64_t crc64(uint64_t crc, const void *data, size_t len);
