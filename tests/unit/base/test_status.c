// SPDX-License-Identifier: BSD-3-Clause
// Tests of the status texts.
#include "base/status.h"

#include "support/unit.h"

#include <string.h>

START_TEST(every_status_has_its_own_text)
{
    static const enum status all[] = {
#define LISTED(name, text) name,
        STATUS_LIST(LISTED)
#undef LISTED
    };
    int count = sizeof all / sizeof all[0];
    ck_assert_int_eq(all[0], 0);
    for (int i = 0; i < count; i++) {
        ck_assert_int_gt(strlen(status_text(all[i])), 0);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(status_text(all[i]), status_text(all[j]));
    }
    ck_assert_str_eq(status_text(STATUS_NOMEM), "out of memory");
}
END_TEST

START_TEST(an_unknown_status_has_a_text)
{
    ck_assert_str_eq(status_text((enum status)999), "unknown status");
    ck_assert_str_eq(status_text((enum status) - 1), "unknown status");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *tcase = tcase_create("texts");
    tcase_add_test(tcase, every_status_has_its_own_text);
    tcase_add_test(tcase, an_unknown_status_has_a_text);
    suite_add_tcase(suite, tcase);
    return suite;
}

UNIT_TEST_MAIN(make_suite)
