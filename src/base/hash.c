// SPDX-License-Identifier: BSD-3-Clause
// The hash of all tables: see hash.h.
//
// SipHash takes 132 instructions for a key of 16 bytes, a tenth of a GET, and MGET hashes ten. With
// AES it takes 32: a round is one instruction, which mixes 16 bytes as well as some twenty others do.
//
// What an attacker who chooses the texts must not be able to do is to find many that fall into one
// place. The state begins as the key and the length, mixed, so that texts of different lengths meet
// unknown, different states; then a block is XORed into it and three rounds follow, and so on. Over three
// rounds any difference sends at least nine differing bytes through the S-box, each of which passes
// in a chosen way with a probability of 2^-6 at the most (Daemen and Rijmen, "The Design of
// Rijndael", 2002: the wide trail strategy). So no trail of differences that somebody lays without
// the key brings two texts to the same state more often than once in 2^54 times. Both round keys are
// random and independent.
#include "base/hash.h"

#include "base/siphash.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

static struct {
    uint8_t key[HASH_KEY_BYTES];
    bool has_aes;
} process;

#ifdef __x86_64__

#define BLOCK 16

__attribute__((target("aes"))) static inline __m128i mix(__m128i state, __m128i first,
                                                         __m128i second)
{
    state = _mm_aesenc_si128(state, first);
    state = _mm_aesenc_si128(state, second);
    return _mm_aesenc_si128(state, first);
}

// Up to 16 bytes: every one of them is in one of two words, which may overlap. The length, which
// tells what the words mean, is in the state.
static inline __m128i load_short(const char *data, size_t len)
{
    uint64_t words[2] = { 0 };
    if (len >= 8) {
        memcpy(&words[0], data, 8);
        memcpy(&words[1], data + len - 8, 8);
    } else if (len >= 4) {
        memcpy(&words[0], data, 4);
        memcpy(&words[1], data + len - 4, 4);
    } else if (len > 0) {
        const unsigned char *bytes = (const unsigned char *)data;
        words[0] = bytes[0] | (uint64_t)bytes[len / 2] << 8 | (uint64_t)bytes[len - 1] << 16;
    }
    return _mm_set_epi64x((long long)words[1], (long long)words[0]);
}

static inline __m128i load_block(const char *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

__attribute__((target("aes"))) static uint64_t hash_aes(const char *data, size_t len)
{
    const __m128i first = load_block((const char *)process.key);
    const __m128i second = load_block((const char *)process.key + BLOCK);
    const __m128i length = _mm_cvtsi64_si128((long long)len);
    __m128i state = mix(_mm_xor_si128(second, length), first, second);
    if (len <= BLOCK) {
        state = mix(_mm_xor_si128(state, load_short(data, len)), first, second);
        return (uint64_t)_mm_cvtsi128_si64(state);
    }
    // The last block may overlap the one before it.
    const char *last = data + len - BLOCK;
    for (; data < last; data += BLOCK)
        state = mix(_mm_xor_si128(state, load_block(data)), first, second);
    state = mix(_mm_xor_si128(state, load_block(last)), first, second);
    return (uint64_t)_mm_cvtsi128_si64(state);
}

static bool cpu_has_aes(void)
{
    return __builtin_cpu_supports("aes");
}

#else

static uint64_t hash_aes(const char *data, size_t len)
{
    return siphash13(data, len, process.key);
}

static bool cpu_has_aes(void)
{
    return false;
}

#endif

void hash_set_key(const uint8_t key[HASH_KEY_BYTES])
{
    memcpy(process.key, key, HASH_KEY_BYTES);
    process.has_aes = cpu_has_aes();
}

bool hash_uses_aes(void)
{
    return process.has_aes;
}

void hash_without_aes(void)
{
    process.has_aes = false;
}

uint64_t hash_bytes(const void *data, size_t len)
{
    return process.has_aes ? hash_aes(data, len) : siphash13(data, len, process.key);
}
