// SPDX-License-Identifier: BSD-3-Clause
// Runs one Check suite with the base layer set up as the server does, but with a fixed hash key.
#include "support/unit.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

// Fixed, so that a run can be repeated.
static const uint8_t test_hash_key[HASH_KEY_BYTES] = { 0, 1, 2,  3,  4,  5,  6,  7,
                                                       8, 9, 10, 11, 12, 13, 14, 15 };

int unit_main(Suite *(*make)(void), int argc, char **argv)
{
    const char *only_case = argc > 1 ? argv[1] : NULL;

    mem_init();
    clock_init();
    hash_set_key(test_hash_key);

    SRunner *runner = srunner_create(make());
    srunner_run(runner, NULL, only_case, CK_NORMAL);
    int ran = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);

    if (ran == 0)
        fprintf(stderr, "no test was run%s%s\n", only_case ? ": no such case: " : "",
                only_case ? only_case : "");
    return ran > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
