#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs a fuzz target built with tests/fuzz/fuzz_main.c on its seeds, for tests/run.sh.
#
#   tests/support/fuzz-seeds.sh PROGRAM     (.../fuzz_NAME: seeds in tests/data/fuzz/NAME/)
#
# Each seed is one check; the program itself adds mutations of it.
set -u

program=$1
name=${program##*/fuzz_}
passed=0
failed=0
for seed in "tests/data/fuzz/$name"/*; do
    if "$program" "$seed"; then
        passed=$((passed + 1))
    else
        echo "failed: $program $seed"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
