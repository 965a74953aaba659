// SPDX-License-Identifier: BSD-3-Clause
// Writes the forms of RDB files that no server writes any more, or not yet: from the published descriptions of
// the format (S. Kothari, "Redis RDB File Format"; J.-E. Rediger, "RDB File Format"; the descriptions of
// ziplists, zipmaps and listpacks in Redis's documentation).
#pragma once

#include "../runner/memory.h"

#include <stdint.h>

// A CRC-64 as RDB files and payloads have it: polynomial of Jones, reflected, begun with 0.
uint64_t rdb_crc(struct span bytes);

void put_le(struct buffer *out, uint64_t value, int bytes);

// A length in its shortest form, or in 32 bits (BE) however small it is.
void put_length(struct buffer *out, uint64_t len);
void put_length_32(struct buffer *out, uint32_t len);

// A string: plain; as an integer of 1, 2 or 4 bytes; or compressed, of a text that is repeated so often.
void put_string(struct buffer *out, struct span text);
void put_integer(struct buffer *out, int32_t value);
void put_repeated(struct buffer *out, struct span text, size_t times);

// A score as text, as before version 8.
void put_score(struct buffer *out, const char *score);

// Collections in one string each, of elements that are texts.
void put_ziplist(struct buffer *out, const struct span *elements, size_t count);
void put_zipmap(struct buffer *out, const struct span *pairs, size_t count);
void put_intset(struct buffer *out, const int64_t *sorted, size_t count, int bytes_each);
void put_listpack(struct buffer *out, const struct span *elements, size_t count);
