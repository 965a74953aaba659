// SPDX-License-Identifier: BSD-3-Clause
// SHA-1: see sha1.h. Names follow the standard's.
#include "base/sha1.h"

#include <stdint.h>

#define BLOCK_BYTES 64

static uint32_t rotate(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

static uint32_t read_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_be32(unsigned char *p, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(word >> (24 - 8 * i));
}

// The function and the constant of step t.
static uint32_t step(unsigned t, uint32_t b, uint32_t c, uint32_t d)
{
    if (t < 20)
        return ((b & c) ^ (~b & d)) + 0x5A827999u;
    if (t < 40)
        return (b ^ c ^ d) + 0x6ED9EBA1u;
    if (t < 60)
        return ((b & c) ^ (b & d) ^ (c & d)) + 0x8F1BBCDCu;
    return (b ^ c ^ d) + 0xCA62C1D6u;
}

static void add_block(uint32_t h[5], const unsigned char *block)
{
    uint32_t w[80];
    for (unsigned t = 0; t < 16; t++)
        w[t] = read_be32(block + 4 * (size_t)t);
    for (unsigned t = 16; t < 80; t++)
        w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned t = 0; t < 80; t++) {
        uint32_t next = rotate(a, 5) + step(t, b, c, d) + e + w[t];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

void sha1(struct slice data, unsigned char out[SHA1_BYTES])
{
    uint32_t h[5] = { 0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u };
    const unsigned char *at = (const unsigned char *)data.ptr;
    size_t left = data.len;
    for (; left >= BLOCK_BYTES; at += BLOCK_BYTES, left -= BLOCK_BYTES)
        add_block(h, at);

    // The rest, a bit that is set, zeros, and the length in bits as the last eight bytes.
    unsigned char tail[2 * BLOCK_BYTES] = { 0 };
    if (left > 0)
        memcpy(tail, at, left);
    tail[left] = 0x80;
    size_t tail_bytes = left + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    uint64_t bits = (uint64_t)data.len * 8;
    write_be32(tail + tail_bytes - 8, (uint32_t)(bits >> 32));
    write_be32(tail + tail_bytes - 4, (uint32_t)bits);
    for (size_t done = 0; done < tail_bytes; done += BLOCK_BYTES)
        add_block(h, tail + done);
    for (unsigned i = 0; i < 5; i++)
        write_be32(out + 4 * (size_t)i, h[i]);
}
