// SPDX-License-Identifier: BSD-3-Clause
// Random numbers: a fast generator for sampling, and the system's for secrets.
#pragma once

#include <stddef.h>
#include <stdint.h>

// xoshiro256** (Blackman and Vigna, 2018). Not for secrets.
struct random {
    uint64_t state[4];
};

// Any seed will do: it is spread by splitmix64.
void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);

// Uniform in [0, bound), bound > 0, without bias (Lemire, 2019).
uint64_t random_below(struct random *random, uint64_t bound);

// Uniform in [0, 1).
double random_double(struct random *random);

// Bytes from the system's generator; ends the process if there is none.
void random_secret(void *out, size_t len);

// `len` lower-case hexadecimal digits from the system's generator and a NUL behind them; for run
// ids and the like.
void random_hex(char *out, size_t len);
