// SPDX-License-Identifier: BSD-3-Clause
// Random numbers: xoshiro256** and the system's generator.
#include "base/random.h"

#include "base/panic.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static inline uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

// splitmix64 (Vigna): spreads a poor seed over the whole state, which so is never all zero.
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix64(&seed);
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    ASSERT(bound > 0);
    unsigned __int128 product = (unsigned __int128)random_next(random) * bound;
    uint64_t low = (uint64_t)product;
    if (low < bound) {
        // The first 2^64 mod bound values of `low` come once too often.
        uint64_t threshold = (UINT64_MAX - bound + 1) % bound;
        while (low < threshold) {
            product = (unsigned __int128)random_next(random) * bound;
            low = (uint64_t)product;
        }
    }
    return (uint64_t)(product >> 64);
}

double random_double(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

void random_secret(void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            PANIC("the system's random generator failed: %s", strerror(errno));
        at += got;
        len -= (size_t)got;
    }
}

void random_hex(char *out, size_t len)
{
    random_secret(out, len);
    for (size_t i = 0; i < len; i++)
        out[i] = "0123456789abcdef"[(unsigned char)out[i] & 15];
    out[len] = '\0';
}
