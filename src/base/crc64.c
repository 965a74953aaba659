// SPDX-License-Identifier: BSD-3-Clause
// CRC-64 (Jones), eight bytes a step.
//
// Slicing-by-8 (Kounavis and Berry, 2005): table k holds the checksum of each byte followed by k
// zero bytes, so that eight bytes are folded by eight independent look-ups. A checksum without
// initial value and final xor is linear: a byte's entry is the xor of the entries of its bits. So
// the compiler makes the tables from 64 constants, which are P, P shifted once, twice, ... by the
// checksum's own step, where P is the reflected polynomial.
//
// Long texts are folded with carry-less multiplication first, where the CPU has it (Gopal and others, "Fast
// CRC Computation for Generic Polynomials Using PCLMULQDQ", 2009): 16 bytes, seen as a polynomial, may be
// replaced by any 16 bytes D bits further on that leave the same remainder, and
//
//   (high * x^64 + low) * x^D  =  high * (x^(D+64) mod P) + low * (x^D mod P)
//
// Four such blocks are folded over 64 bytes at a time; then they are folded into one, whose 16 bytes
// have the checksum of the whole text up to there, and the tables take it from them. In reflected order the
// product of two words is one bit short, which is why the exponents are those minus one.
#include "base/crc64.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// BITS_k: the entries of a byte's bits 0 to 7 in table k.
#define BITS_0(x)                                                                            \
    ENTRY(x, 0x7ad870c830358979, 0xf5b0e190606b12f2, 0xc038e5739841b68f, 0xab28ecb46814fe75, \
          0x7d08ff3b88be6f81, 0xfa11fe77117cdf02, 0xdf7adabd7a6e2d6f, 0x95ac9329ac4bc9b5)
#define BITS_1(x)                                                                            \
    ENTRY(x, 0x89e99ffd73bddf69, 0x388a19a9bfec2db9, 0x711433537fd85b72, 0xe22866a6ffb0b6e4, \
          0xef09eb1ea7f6fea3, 0xf54af06e177a6e2d, 0xc1ccc68f76634f31, 0xa8c0ab4db4510d09)
#define BITS_2(x)                                                                            \
    ENTRY(x, 0xf4125129ce4038be, 0xc37d8400c417e217, 0xada22e52d0b85745, 0x701d7af6f9e73de1, \
          0xe03af5edf3ce7bc2, 0xeb2ccd88bf0b64ef, 0xfd00bd4226815ab5, 0xd1585cd715952601)
#define BITS_3(x)                                                                            \
    ENTRY(x, 0x8ce168638c796306, 0x329bf69440655567, 0x6537ed2880caaace, 0xca6fda510195559c, \
          0xbf8692f15bbd3853, 0x545403b1efede3cd, 0xa8a80763dfdbc79a, 0x7a092894e7201c5f)
#define BITS_4(x)                                                                            \
    ENTRY(x, 0x3504e58b9ba6dd1e, 0x6a09cb17374dba3c, 0xd413962e6e9b7478, 0x837e0a0f85a17b9b, \
          0x2da5324c53d5645d, 0x5b4a6498a7aac8ba, 0xb694c9314f559174, 0x4670b431c63cb183)
#define BITS_5(x)                                                                            \
    ENTRY(x, 0xe39d1389931b9354, 0xec6301407ea0b5c3, 0xf39f24d3a5d6f8ed, 0xcc676ff4133a62b1, \
          0xb397f9bb7ee35609, 0x4c76d525a5513f79, 0x98edaa4b4aa27ef2, 0x1a8272c5cdd36e8f)
#define BITS_6(x)                                                                            \
    ENTRY(x, 0x62a95de6e302eff2, 0xc552bbcdc605dfe4, 0xa1fc51c8d49c2ca3, 0x68a185c2f1afca2d, \
          0xd1430b85e35f945a, 0x89df31589e28bbdf, 0x38e744e264c6e4d5, 0x71ce89c4c98dc9aa)
#define BITS_7(x)                                                                            \
    ENTRY(x, 0x381d0015c96f4444, 0x703a002b92de8888, 0xe074005725bd1110, 0xebb126fd13edb14b, \
          0xfc3b6ba97f4cf1fd, 0xd32ff101a60e7091, 0x8d06c450148b7249, 0x3154aef3718177f9)

#define BIT(x, n, value) ((x) & (1 << (n)) ? UINT64_C(value) : 0)
#define ENTRY(x, b0, b1, b2, b3, b4, b5, b6, b7)                                     \
    (BIT(x, 0, b0) ^ BIT(x, 1, b1) ^ BIT(x, 2, b2) ^ BIT(x, 3, b3) ^ BIT(x, 4, b4) ^ \
     BIT(x, 5, b5) ^ BIT(x, 6, b6) ^ BIT(x, 7, b7))

// All 256 entries of the table that `bits` makes.
#define ENTRIES_4(bits, x) bits(x), bits((x) + 1), bits((x) + 2), bits((x) + 3)
#define ENTRIES_16(bits, x)                                                 \
    ENTRIES_4(bits, x), ENTRIES_4(bits, (x) + 4), ENTRIES_4(bits, (x) + 8), \
        ENTRIES_4(bits, (x) + 12)
#define ENTRIES_64(bits, x)                                                      \
    ENTRIES_16(bits, x), ENTRIES_16(bits, (x) + 16), ENTRIES_16(bits, (x) + 32), \
        ENTRIES_16(bits, (x) + 48)
#define ENTRIES(bits) \
    ENTRIES_64(bits, 0), ENTRIES_64(bits, 64), ENTRIES_64(bits, 128), ENTRIES_64(bits, 192)

static const uint64_t table[8][256] = {
    { ENTRIES(BITS_0) }, { ENTRIES(BITS_1) }, { ENTRIES(BITS_2) }, { ENTRIES(BITS_3) },
    { ENTRIES(BITS_4) }, { ENTRIES(BITS_5) }, { ENTRIES(BITS_6) }, { ENTRIES(BITS_7) },
};

static inline uint64_t load64(const unsigned char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint64_t crc64_tables(uint64_t crc, const unsigned char *at, size_t len)
{
    for (; len >= 8; at += 8, len -= 8) {
        crc ^= load64(at);
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
              table[4][crc >> 24 & 255] ^ table[3][crc >> 32 & 255] ^ table[2][crc >> 40 & 255] ^
              table[1][crc >> 48 & 255] ^ table[0][crc >> 56];
    }
    for (; len > 0; at++, len--)
        crc = table[0][(crc ^ *at) & 255] ^ crc >> 8;
    return crc;
}

#if defined(__x86_64__)

// Shorter texts are as fast with the tables.
#define FOLD_MIN 256

#define BLOCK 16
#define LANES 4

// x^n mod P, reflected.
#define X_575 INT64_C(-0x5079104e92654b05)  // 0xaf86efb16d9ab4fb
#define X_511 INT64_C(-0x0b687b59cb0feb1c)  // 0xf49784a634f014e4
#define X_191 INT64_C(-0x26284182afa25cd4)  // 0xd9d7be7d505da32c
#define X_127 INT64_C(0x381d0015c96f4444)

__attribute__((target("pclmul,sse2"))) static inline __m128i fold(__m128i block, __m128i factors,
                                                                  __m128i onto)
{
    __m128i high = _mm_clmulepi64_si128(block, factors, 0x00);
    __m128i low = _mm_clmulepi64_si128(block, factors, 0x11);
    return _mm_xor_si128(_mm_xor_si128(high, low), onto);
}

__attribute__((target("pclmul,sse2"))) static inline __m128i load_block(const unsigned char *at)
{
    return _mm_loadu_si128((const __m128i *)at);
}

// Of whole groups of LANES blocks, two of them at least.
__attribute__((target("pclmul,sse2"))) static uint64_t crc64_folded(uint64_t crc,
                                                                    const unsigned char *at,
                                                                    size_t groups)
{
    const __m128i far = _mm_set_epi64x(X_511, X_575);
    const __m128i near = _mm_set_epi64x(X_127, X_191);
    __m128i lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = load_block(at + i * BLOCK);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi64_si128((int64_t)crc));
    while (--groups > 0) {
        at += LANES * BLOCK;
        for (int i = 0; i < LANES; i++)
            lane[i] = fold(lane[i], far, load_block(at + i * BLOCK));
    }
    for (int i = 1; i < LANES; i++)
        lane[i] = fold(lane[i - 1], near, lane[i]);
    unsigned char last[BLOCK];
    _mm_storeu_si128((__m128i *)last, lane[LANES - 1]);
    return crc64_tables(0, last, sizeof(last));
}

uint64_t crc64(uint64_t crc, const void *data, size_t len)
{
    const unsigned char *at = data;
    if (len >= FOLD_MIN && __builtin_cpu_supports("pclmul")) {
        size_t groups = len / (LANES * BLOCK);
        crc = crc64_folded(crc, at, groups);
        at += groups * LANES * BLOCK;
        len -= groups * LANES * BLOCK;
    }
    return crc64_tables(crc, at, len);
}

#else

uint64_t crc64(uint64_t crc, const void *data, size_t len)
{
    return crc64_tables(crc, data, len);
}

#endif
