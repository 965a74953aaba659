// SPDX-License-Identifier: BSD-3-Clause
// SipHash-1-3, written for short keys.
#include "base/siphash.h"

#include <string.h>

static inline uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline uint64_t load64(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t load32(const uint8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

// The last len % 8 bytes before `end` as a little-endian number. Loads overlap with what was read
// before instead of going byte by byte, and never reach beyond the data.
static inline uint64_t load_tail(const uint8_t *end, size_t len)
{
    size_t tail = len & 7;
    const uint8_t *start = end - tail;
    if (tail == 0)
        return 0;
    if (len >= 8)
        return load64(end - 8) >> (64 - 8 * tail);
    if (tail >= 4)
        return load32(start) | load32(end - 4) << (8 * (tail - 4));
    return (uint64_t)start[0] | (uint64_t)start[tail / 2] << (tail / 2 * 8) |
           (uint64_t)end[-1] << (8 * (tail - 1));
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t sip(const uint8_t *data, size_t len, uint64_t k0, uint64_t k1)
{
    struct sip s = {
        .v0 = k0 ^ UINT64_C(0x736f6d6570736575),
        .v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
        .v2 = k0 ^ UINT64_C(0x6c7967656e657261),
        .v3 = k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *words_end = data + (len & ~(size_t)7);
    for (; data < words_end; data += 8)
        sip_word(&s, load64(data));
    sip_word(&s, load_tail(data + (len & 7), len) | (uint64_t)len << 56);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash13(const void *data, size_t len, const uint8_t key[16])
{
    return sip(data, len, load64(key), load64(key + 8));
}
