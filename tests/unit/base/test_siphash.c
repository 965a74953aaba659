// SPDX-License-Identifier: BSD-3-Clause
// Tests of SipHash-1-3 against a plain transcription of the paper, which is itself held against the
// paper's published vector for SipHash-2-4.
#include "base/siphash.h"

#include "base/random.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

#define LEN_MAX 300

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static uint64_t number_at(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << (8 * i);
    return number;
}

// The paper's SipRound, on v0 to v3.
static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13);
        v[1] ^= v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16);
        v[3] ^= v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21);
        v[3] ^= v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17);
        v[1] ^= v[2];
        v[2] = rotate(v[2], 32);
    }
}

// SipHash-c-d as section 2 of the paper describes it: the text is padded with zeros and its length
// into whole words.
static uint64_t reference(int c, int d, const uint8_t *text, size_t len, const uint8_t key[16])
{
    static const char constant[] = "somepseudorandomlygeneratedbytes";
    const uint64_t k[2] = { number_at(key, 8), number_at(key + 8, 8) };
    uint64_t v[4];
    for (int i = 0; i < 4; i++) {
        // The constants are that sentence, in big-endian words.
        v[i] = 0;
        for (int j = 0; j < 8; j++)
            v[i] = v[i] << 8 | (uint8_t)constant[8 * i + j];
        v[i] ^= k[i % 2];
    }
    uint8_t padded[LEN_MAX + 8] = { 0 };
    size_t words = len / 8 + 1;
    memcpy(padded, text, len);
    padded[8 * words - 1] = (uint8_t)len;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = number_at(padded + 8 * i, 8);
        v[3] ^= word;
        rounds(v, c);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    rounds(v, d);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static const uint8_t paper_key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

START_TEST(the_reference_gives_the_papers_vector)
{
    // Appendix A: key 00..0f, text 00..0e.
    uint8_t text[15];
    for (int i = 0; i < 15; i++)
        text[i] = (uint8_t)i;
    ck_assert_uint_eq(reference(2, 4, text, 15, paper_key), UINT64_C(0xa129ca6149be45e5));
}
END_TEST

START_TEST(siphash13_equals_the_reference)
{
    struct random random;
    random_seed(&random, 5);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        uint8_t key[16];
        uint8_t text[LEN_MAX];
        for (size_t i = 0; i < sizeof key; i++)
            key[i] = (uint8_t)random_next(&random);
        for (size_t i = 0; i < len; i++)
            text[i] = (uint8_t)random_next(&random);
        ck_assert_uint_eq(siphash13(text, len, key), reference(1, 3, text, len, key));
    }
}
END_TEST

START_TEST(only_len_bytes_are_read)
{
    // In a block of exactly that size, where AddressSanitizer sees any other read; at all alignments.
    for (size_t len = 1; len <= 40; len++) {
        uint8_t text[LEN_MAX];
        for (size_t i = 0; i < len; i++)
            text[i] = (uint8_t)(200 + i);
        uint64_t expected = reference(1, 3, text, len, paper_key);
        for (size_t offset = 0; offset < 8; offset++) {
            uint8_t *block = malloc(offset + len);
            ck_assert_ptr_nonnull(block);
            memset(block, 0xaa, offset);
            memcpy(block + offset, text, len);
            ck_assert_uint_eq(siphash13(block + offset, len, paper_key), expected);
            free(block);
        }
    }
    ck_assert_uint_eq(siphash13(NULL, 0, paper_key), reference(1, 3, paper_key, 0, paper_key));
}
END_TEST

START_TEST(every_input_bit_changes_half_of_the_output)
{
    for (size_t len = 1; len <= 24; len++) {
        int changed = 0;
        uint8_t text[24] = { 0 };
        uint64_t plain = siphash13(text, len, paper_key);
        for (size_t bit = 0; bit < len * 8; bit++) {
            text[bit / 8] ^= (uint8_t)(1 << bit % 8);
            changed += __builtin_popcountll(plain ^ siphash13(text, len, paper_key));
            text[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        double mean = (double)changed / (double)(len * 8);
        ck_assert_double_gt(mean, 24);
        ck_assert_double_lt(mean, 40);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tcase = tcase_create("siphash");
    tcase_add_test(tcase, the_reference_gives_the_papers_vector);
    tcase_add_test(tcase, siphash13_equals_the_reference);
    tcase_add_test(tcase, only_len_bytes_are_read);
    tcase_add_test(tcase, every_input_bit_changes_half_of_the_output);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
