// SPDX-License-Identifier: BSD-3-Clause
// An assertion for loops: Check writes a record for each of its own, which is most of the time there.
// This one reports only failures.
#pragma once

#include <check.h>

#define EXPECT(cond)                                       \
    do {                                                   \
        if (!(cond)) {                                     \
            ck_abort_msg("expectation failed: %s", #cond); \
        }                                                  \
    } while (0)
