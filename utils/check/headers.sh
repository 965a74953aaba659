#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check-headers: every header of src/ and tests/ compiles alone, and twice in one file.
#
#   CC=gcc CFLAGS='...' utils/check/headers.sh      run from the root of the tree
set -euo pipefail

compile_alone() {
    local path=${1#src/} errors
    path=${path#tests/}
    # shellcheck disable=SC2086 # a list of flags
    errors=$(printf '#include "%s"\n#include "%s"\n' "$path" "$path" |
        ${CC:-gcc} ${CFLAGS:-} -Isrc -Itests -fsyntax-only -x c - 2>&1) && return 0
    printf '%s: does not compile alone\n%s\n' "$1" "$errors"
    return 1
}
export -f compile_alone

find src tests -name '*.h' | sort |
    xargs -r -P2 -I{} bash -c 'compile_alone {}' || { echo 'check-headers: failed'; exit 1; }
