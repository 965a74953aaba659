// SPDX-License-Identifier: BSD-3-Clause
// Tests of SHA-1 against the vectors of FIPS 180, and one value over all short lengths that another
// implementation (Python's hashlib) gave.
#include "base/sha1.h"

#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define LENGTHS_MAX 300

static void check(struct slice data, const char *want)
{
    unsigned char hash[SHA1_BYTES];
    char hex[2 * SHA1_BYTES + 1];
    sha1(data, hash);
    for (size_t i = 0; i < sizeof(hash); i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    ck_assert_str_eq(hex, want);
}

START_TEST(published_vectors)
{
    check((struct slice){ 0 }, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    check(SLICE("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    check(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}
END_TEST

START_TEST(a_million_letters)
{
    size_t len = 1000000;
    char *text = malloc(len);
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', len);
    check((struct slice){ .ptr = text, .len = len }, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    free(text);
}
END_TEST

// Each text is the hash of the one before it (the first has none) and so many bytes: one wrong hash
// spoils all that follow.
START_TEST(every_short_length)
{
    char text[SHA1_BYTES + LENGTHS_MAX];
    unsigned char hash[SHA1_BYTES];
    size_t before = 0;
    for (size_t len = 0; len <= LENGTHS_MAX; len++) {
        for (size_t i = 0; i < len; i++)
            text[before + i] = (char)(i * 7 + 3);
        struct slice data = { .ptr = text, .len = before + len };
        if (len == LENGTHS_MAX)
            check(data, "d852a275ef781bc4a5ac1a2117a0e9b5f2b99153");
        sha1(data, hash);
        memcpy(text, hash, sizeof(hash));
        before = SHA1_BYTES;
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sha1");
    TCase *tcase = tcase_create("sha1");
    tcase_add_test(tcase, published_vectors);
    tcase_add_test(tcase, a_million_letters);
    tcase_add_test(tcase, every_short_length);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
