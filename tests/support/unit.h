// SPDX-License-Identifier: BSD-3-Clause
// The main function of every unit test program.
#pragma once

#include <check.h>

// Sets up memory, clock and a fixed hash key, runs the suite and returns the exit status: 0 when at
// least one check ran and none failed. argv[1], if given, is the one test case to run.
int unit_main(Suite *(*make)(void), int argc, char **argv);

#define UNIT_TEST_MAIN(make)                \
    int main(int argc, char **argv)         \
    {                                       \
        return unit_main(make, argc, argv); \
    }
