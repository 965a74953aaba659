#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tests/run.sh counts what programs say, and does not take silence for success.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

# program NAME: a shell script in the tree, from standard input.
program() {
    {
        echo '#!/bin/sh'
        cat
    } >"$tree/$1"
    chmod +x "$tree/$1"
}

# run WANTED_LAST_LINE WANTED_STATUS COMMAND...
run() {
    local want_line=$1 want_status=$2 line status
    shift 2
    (cd "$tree" && TEST_TIMEOUT=1 "$root/tests/run.sh" "$@") >"$tree.out" 2>&1
    status=$?
    line=$(tail -n 1 "$tree.out")
    expect_equal "last line of: $*" "$want_line" "$line"
    expect_equal "status of: $*" "$want_status" "$status"
}

program check-good <<'END'
echo 'Running suite(s): one'
echo '100%: Checks: 7, Failures: 0, Errors: 0'
END
program check-bad <<'END'
echo 'test_bad.c:12:F:bad:no_good:0: it is not'
echo '62%: Checks: 8, Failures: 2, Errors: 1'
exit 1
END
program script-good <<'END'
echo '3 passed, 0 failed'
END
program script-args <<'END'
echo "$1 passed, $2 failed"
[ "$2" = 0 ]
END
program crash <<'END'
echo '4 passed, 0 failed'
kill -SEGV $$
END
program silent <<'END'
echo 'all is well'
END
program status <<'END'
echo '100%: Checks: 5, Failures: 0, Errors: 0'
exit 3
END
program slow <<'END'
sleep 20
END

run '7 passed, 0 failed' 0 ./check-good
run '3 passed, 0 failed' 0 ./script-good
run '10 passed, 0 failed' 0 ./check-good ./script-good
run '5 passed, 3 failed' 1 ./check-bad
run '15 passed, 3 failed' 1 ./check-good ./check-bad ./script-good
run '2 passed, 1 failed' 1 './script-args 2 1'
run '4 passed, 1 failed' 1 ./crash
run '0 passed, 1 failed' 1 ./silent
run '5 passed, 1 failed' 1 ./status
run '0 passed, 1 failed' 1 ./slow
run '0 passed, 1 failed' 1 ./not-there
run '0 passed, 0 failed' 1
rm -f "$tree.out"

# What a failing program printed is shown, what a good one printed isn't; what names a failure is
# shown twice: where it happens, and with all the rest.
shown=$(cd "$tree" && "$root/tests/run.sh" ./check-good ./check-bad 2>&1)
expect_equal 'output of the failing program' 1 "$(grep -c '^62%: Checks' <<<"$shown")"
expect_equal 'the failure' 2 "$(grep -c 'test_bad.c:12:F:' <<<"$shown")"
expect_equal 'output of the good program' 0 "$(grep -c '^Running suite' <<<"$shown")"

finish
