// SPDX-License-Identifier: BSD-3-Clause
// Tests of the tables' hash: against AES rounds written out after the standard (FIPS 197), and without
// AES against SipHash.
#include "base/hash.h"

#include "base/siphash.h"
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN_MAX 300
#define BLOCK   16

static const uint8_t key[HASH_KEY_BYTES] = { 7,  1,  4,  9,  200, 30, 8,   77, 5, 6,  250,
                                             11, 12, 99, 14, 150, 61, 17,  2,  3, 20, 210,
                                             22, 23, 0,  25, 26,  27, 128, 29, 4, 31 };

static void set_up(void)
{
    hash_set_key(key);
}

// ---- the reference --------------------------------------------------------------------------------

static uint8_t times(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (; b; b >>= 1) {
        if (b & 1)
            product ^= a;
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
    }
    return product;
}

static uint8_t substitute(uint8_t byte)
{
    uint8_t inverse = 0;
    for (int i = 1; byte && i < 256; i++) {
        if (times(byte, (uint8_t)i) == 1)
            inverse = (uint8_t)i;
    }
    uint8_t out = 0x63;
    for (int i = 0; i < 5; i++)
        out ^= (uint8_t)(inverse << i | inverse >> (8 - i));
    return out;
}

// SubBytes, ShiftRows, MixColumns, AddRoundKey; a column is four bytes that follow one another.
static void aes_round(uint8_t state[BLOCK], const uint8_t round_key[BLOCK])
{
    static const uint8_t matrix[4][4] = {
        { 2, 3, 1, 1 }, { 1, 2, 3, 1 }, { 1, 1, 2, 3 }, { 3, 1, 1, 2 }
    };
    uint8_t shifted[BLOCK];
    for (int column = 0; column < 4; column++) {
        for (int row = 0; row < 4; row++)
            shifted[4 * column + row] = substitute(state[4 * ((column + row) % 4) + row]);
    }
    for (int column = 0; column < 4; column++) {
        for (int row = 0; row < 4; row++) {
            uint8_t mixed = round_key[4 * column + row];
            for (int i = 0; i < 4; i++)
                mixed ^= times(matrix[row][i], shifted[4 * column + i]);
            state[4 * column + row] = mixed;
        }
    }
}

static void absorb(uint8_t state[BLOCK], const uint8_t block[BLOCK])
{
    for (int i = 0; i < BLOCK; i++)
        state[i] ^= block[i];
    aes_round(state, key);
    aes_round(state, key + BLOCK);
    aes_round(state, key);
}

// The bytes of a text of up to 16 as hash.c lays them.
static void lay_short(uint8_t block[BLOCK], const uint8_t *text, size_t len)
{
    memset(block, 0, BLOCK);
    if (len >= 8) {
        memcpy(block, text, 8);
        memcpy(block + 8, text + len - 8, 8);
    } else if (len >= 4) {
        memcpy(block, text, 4);
        memcpy(block + 8, text + len - 4, 4);
    } else if (len > 0) {
        block[0] = text[0];
        block[1] = text[len / 2];
        block[2] = text[len - 1];
    }
}

static uint64_t reference(const uint8_t *text, size_t len)
{
    uint8_t state[BLOCK] = { 0 };
    uint8_t block[BLOCK] = { (uint8_t)len, (uint8_t)(len >> 8) };
    for (int i = 0; i < BLOCK; i++)
        block[i] ^= key[BLOCK + i];
    absorb(state, block);
    if (len <= BLOCK) {
        lay_short(block, text, len);
        absorb(state, block);
    } else {
        for (size_t at = 0; at + BLOCK < len; at += BLOCK)
            absorb(state, text + at);
        absorb(state, text + len - BLOCK);
    }
    uint64_t hash = 0;
    for (int i = 7; i >= 0; i--)
        hash = hash << 8 | state[i];
    return hash;
}

// ---- tests ----------------------------------------------------------------------------------------

// From FIPS 197, appendix B: the first round.
START_TEST(the_reference_is_aes)
{
    static const uint8_t start[BLOCK] = { 0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b,
                                          0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08 };
    static const uint8_t round_key[BLOCK] = { 0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1,
                                              0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05 };
    static const uint8_t end[BLOCK] = { 0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b,
                                        0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49 };
    uint8_t state[BLOCK];
    memcpy(state, start, BLOCK);
    aes_round(state, round_key);
    ck_assert_mem_eq(state, end, BLOCK);
}
END_TEST

// Each text is a block of its own of just its length: a sanitizer sees what is read behind it.
START_TEST(every_length_equals_the_reference)
{
    if (!hash_uses_aes())
        return;
    for (size_t len = 0; len <= LEN_MAX; len++) {
        uint8_t *text = malloc(len ? len : 1);
        ck_assert_ptr_nonnull(text);
        for (size_t i = 0; i < len; i++)
            text[i] = (uint8_t)(i * 151 + len);
        ck_assert_msg(hash_bytes(text, len) == reference(text, len), "%zu bytes", len);
        free(text);
    }
}
END_TEST

START_TEST(without_aes_it_is_siphash)
{
    hash_without_aes();
    ck_assert(!hash_uses_aes());
    ck_assert_uint_eq(hash_bytes("key:1", 5), siphash13("key:1", 5, key));
}
END_TEST

static void expect_other_hashes(const uint8_t other[HASH_KEY_BYTES])
{
    uint64_t before[40];
    uint8_t text[40] = { 0 };
    for (size_t len = 1; len < 40; len++)
        before[len] = hash_bytes(text, len);
    hash_set_key(other);
    for (size_t len = 1; len < 40; len++)
        ck_assert_uint_ne(hash_bytes(text, len), before[len]);
    hash_set_key(key);
}

START_TEST(every_half_of_the_key_is_used)
{
    uint8_t other[HASH_KEY_BYTES];
    memcpy(other, key, sizeof other);
    other[3] ^= 1;
    expect_other_hashes(other);
    if (!hash_uses_aes())
        return;
    memcpy(other, key, sizeof other);
    other[BLOCK + 3] ^= 1;
    expect_other_hashes(other);
}
END_TEST

START_TEST(every_input_bit_changes_half_of_the_output)
{
    for (size_t len = 1; len <= 50; len++) {
        int changed = 0;
        uint8_t text[50] = { 0 };
        uint64_t plain = hash_bytes(text, len);
        for (size_t bit = 0; bit < len * 8; bit++) {
            text[bit / 8] ^= (uint8_t)(1 << bit % 8);
            changed += __builtin_popcountll(plain ^ hash_bytes(text, len));
            text[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        double mean = (double)changed / (double)(len * 8);
        ck_assert_double_gt(mean, 24);
        ck_assert_double_lt(mean, 40);
    }
}
END_TEST

// Texts that differ in little but their length: 0 to 300 bytes of zeros.
START_TEST(lengths_make_a_difference)
{
    static uint64_t hashes[LEN_MAX + 1];
    static const uint8_t zeros[LEN_MAX];
    for (size_t len = 0; len <= LEN_MAX; len++) {
        hashes[len] = hash_bytes(zeros, len);
        for (size_t i = 0; i < len; i++)
            ck_assert_msg(hashes[i] >> 32 != hashes[len] >> 32, "%zu and %zu", i, len);
    }
}
END_TEST

// Keys as they are, numbered, over 1,024 places by the upper ten bits, ten in the middle, and the lowest
// ten. With 1,023 degrees of freedom chi-square is outside of these bounds once in 50,000 times, and
// the key is fixed.
START_TEST(numbered_keys_are_spread)
{
    enum { PLACES = 1024, KEYS = 1 << 17 };
    static const unsigned shifts[] = { 54, 38, 0 };
    for (size_t kind = 0; kind < 3; kind++) {
        static uint32_t counts[PLACES];
        memset(counts, 0, sizeof counts);
        for (int i = 0; i < KEYS; i++) {
            char text[24];
            int len = snprintf(text, sizeof text, "key:%d", i);
            counts[hash_bytes(text, (size_t)len) >> shifts[kind] & (PLACES - 1)]++;
        }
        double chi_square = 0;
        const double expected = (double)KEYS / PLACES;
        for (int i = 0; i < PLACES; i++)
            chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
        ck_assert_msg(chi_square > 830 && chi_square < 1250, "%f", chi_square);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, the_reference_is_aes);
    tcase_add_test(tcase, every_length_equals_the_reference);
    tcase_add_test(tcase, without_aes_it_is_siphash);
    tcase_add_test(tcase, every_half_of_the_key_is_used);
    tcase_add_test(tcase, every_input_bit_changes_half_of_the_output);
    tcase_add_test(tcase, lengths_make_a_difference);
    tcase_add_test(tcase, numbered_keys_are_spread);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
