# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the scripts of tests/house/: a small tree of its own that obeys every rule, and checks that
# count. Each script sources this file, plants what it wants to see refused, and ends with finish.
#
# The tree is built with the project's own Makefile and checks, so their wiring is tested too.

set -u
unset MAKEFLAGS MAKELEVEL MFLAGS PACKAGES_CHECKED RESPITE_SERVER SAN CFLAGS LTO WERROR V PREFIX DESTDIR SYSCONFDIR UNITDIR

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree" "$tree.out"' EXIT
passed=0
failed=0

# Writes standard input to a file of the tree.
plant() {
    mkdir -p "$tree/$(dirname "$1")"
    cat >"$tree/$1"
}

# A tree with two folders of src/, a unit test, and nothing to complain about.
make_tree() {
    rm -rf "${tree:?}"
    mkdir -p "$tree/utils" "$tree/tests"
    cp "$root/Makefile" "$root/.clang-format" "$root/.clang-tidy" "$tree"
    cp -r "$root/utils/check" "$tree/utils/check"
    cp -r "$root/deps" "$tree/deps"
    cp "$root/tests/run.sh" "$tree/tests"
    sed -i '/^#/!d' "$tree/utils/check/size.allow" "$tree/utils/check/globals.allow"
    plant src/base/one.h <<'END'
// The lowest folder.
#pragma once

#include <stddef.h>

size_t one_length(const char *text);
END
    plant src/base/one.c <<'END'
#include "base/one.h"

#include <string.h>

static const char *const names[] = { "constants", "with", "addresses" };

size_t one_length(const char *text)
{
    return text ? strlen(text) : strlen(names[0]);
}
END
    plant src/ds/two.h <<'END'
// A folder above it.
#pragma once

#include <stddef.h>

size_t two_length(void);
END
    plant src/ds/two.c <<'END'
#include "ds/two.h"

#include "base/one.h"

size_t two_length(void)
{
    return one_length("two");
}
END
    plant src/main.c <<'END'
#include "ds/two.h"

int main(void)
{
    return two_length() == 3 ? 0 : 1;
}
END
    plant tests/support/unit.h <<'END'
#pragma once

#include <check.h>
END
    plant tests/support/unit.c <<'END'
#include "support/unit.h"
END
    plant tests/unit/base/test_one.c <<'END'
#include "base/one.h"
#include "support/unit.h"

START_TEST(length)
{
    ck_assert_uint_eq(one_length("one"), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("one");
    TCase *tcase = tcase_create("one");
    tcase_add_test(tcase, length);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
END
}

pass() {
    passed=$((passed + 1))
}

fail() {
    failed=$((failed + 1))
    echo "FAILED: $1"
    [ ! -f "$tree.out" ] || sed 's/^/    /' "$tree.out"
}

# expect_ok WHAT COMMAND...: the command succeeds.
expect_ok() {
    local what=$1
    shift
    if (cd "$tree" && "$@") >"$tree.out" 2>&1; then pass; else fail "$what: refused"; fi
    rm -f "$tree.out"
}

# expect_refused WHAT TEXT COMMAND...: the command fails, and says TEXT (may be empty).
expect_refused() {
    local what=$1 text=$2
    shift 2
    if (cd "$tree" && "$@") >"$tree.out" 2>&1; then
        fail "$what: accepted"
    elif [ -n "$text" ] && ! grep -qF -- "$text" "$tree.out"; then
        fail "$what: refused, but without the words '$text'"
    else
        pass
    fi
    rm -f "$tree.out"
}

# expect_said WHAT TEXT COMMAND...: the command succeeds, and says TEXT.
expect_said() {
    local what=$1 text=$2
    shift 2
    if ! (cd "$tree" && "$@") >"$tree.out" 2>&1; then
        fail "$what: refused"
    elif ! grep -qF -- "$text" "$tree.out"; then
        fail "$what: accepted, but without the words '$text'"
    else
        pass
    fi
    rm -f "$tree.out"
}

# expect_equal WHAT WANTED GOT
expect_equal() {
    if [ "$2" = "$3" ]; then pass; else fail "$1: wanted '$2', got '$3'"; fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
