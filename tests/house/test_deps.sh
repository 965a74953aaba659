#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# deps/install.sh knows what is missing, and does nothing, quickly, when nothing is.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

make_tree

# What building, testing and checking need is there: this test runs after `make test` saw to it.
begin=${EPOCHREALTIME/[.,]/}
expect_ok 'nothing missing' deps/install.sh build test check
took_us=$((${EPOCHREALTIME/[.,]/} - begin))
expect_equal 'a no-op takes less than a second' yes \
    "$([ "$took_us" -lt 1000000 ] && echo yes || echo "$took_us us")"
expect_equal 'a no-op says nothing' '' "$(cd "$tree" && deps/install.sh build test check 2>&1)"

# Commands that are there stand for their packages; groups are told apart.
plant deps/packages.txt <<'END'
# package | needed to | command | reason
respite-no-such-package-a | build test | sh | its command is there
respite-no-such-package-b | build      |    | is not there
respite-no-such-package-c | fuzz       | respite-no-such-command | is not there
END
expect_refused 'missing, all groups' \
    'missing: respite-no-such-package-b respite-no-such-package-c' deps/install.sh -n
expect_refused 'missing, one group' 'missing: respite-no-such-package-c' deps/install.sh -n fuzz
expect_ok 'missing in another group only' deps/install.sh -n test

# The list itself: every line has its four parts, a known group, and a reason.
bad=$(awk -F '|' '/^#/ || /^[ \t]*$/ { next }
    NF != 4 || $4 !~ /[a-z]/ || $1 !~ /^[a-z0-9.+-]+ *$/ { print; next }
    {
        count = split($2, groups, " ")
        if (count == 0)
            print
        for (i = 1; i <= count; i++)
            if (groups[i] !~ /^(build|run|test|check|fuzz|coverage|bench|profile)$/)
                print
    }' "$root/deps/packages.txt")
expect_equal 'lines of deps/packages.txt' '' "$bad"

finish
