#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs test programs and sums up what they say.
#
#   tests/run.sh [COMMAND...]
#
# Each COMMAND is a program with its arguments, in one word. It tells its result either as Check
# does ("100%: Checks: 7, Failures: 0, Errors: 0") or with a line "7 passed, 0 failed"; several
# such lines add up. A program that ends with an error although it counted no failure, that runs
# longer than TEST_TIMEOUT, or that checked nothing counts as one failure.
# What a program prints is shown only when it fails: the lines that name a failed check at once, all
# of it at the end. The last line is "N passed, N failed"; the exit status is 1 if any failed.
#
#   TEST_JOBS=2        programs at a time
#   TEST_TIMEOUT=300   seconds for one program
set -u

jobs=${TEST_JOBS:-2}
limit=${TEST_TIMEOUT:-300}
work=$(mktemp -d)

stop_running() {
    local pids
    pids=$(jobs -p)
    # shellcheck disable=SC2086 # a list of pids
    [ -z "$pids" ] || kill $pids 2>/dev/null
    wait
}
trap 'stop_running; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints "passed failed" as the program's own lines tell it.
count_checks() {
    awk '
        /^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/ {
            gsub(/[^0-9 ]/, ""); bad = $3 + $4; passed += $2 - bad; failed += bad
        }
        /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
        END { print passed + 0, failed + 0 }' "$1"
}

# The first lines with which command $1 named what failed: Check's, and those of the scripts.
named_failures() {
    grep -m 5 -E '^[^ ]+:[0-9]+:[FE]:|^FAIL' "$work/$1.out" | sed 's/^/          /'
}

# Runs command $2 as number $1; leaves its output and "passed failed" in the work folder.
run_one() {
    local number=$1 command=$2 begin=$EPOCHREALTIME status passed failed pid named note='' word=ok
    # shellcheck disable=SC2086 # the command's arguments are meant to be split
    timeout --kill-after=10 "$limit" $command >"$work/$number.out" 2>&1 </dev/null &
    pid=$!
    trap 'kill "$pid" 2>/dev/null; wait "$pid"; exit 143' TERM
    wait "$pid" 2>/dev/null
    status=$?
    read -r passed failed < <(count_checks "$work/$number.out")
    if [ "$status" = 124 ]; then
        note=", stopped after $limit s"
    elif [ "$status" -gt 128 ]; then
        note=", ended by signal $((status - 128))"
    elif [ "$status" != 0 ] && [ "$failed" = 0 ]; then
        note=", exit status $status"
    elif [ $((passed + failed)) = 0 ]; then
        note=", checked nothing"
    fi
    [ -z "$note" ] || failed=$((failed + 1))
    [ "$failed" = 0 ] || word=FAIL
    echo "$passed $failed" >"$work/$number.result"
    named=$(named_failures "$number")
    LC_ALL=C printf '%-4s  %s: %d passed, %d failed%s (%.1f s)\n%s' "$word" \
        "${command##*build/}" "$passed" "$failed" "$note" \
        "$(awk "BEGIN { print ${EPOCHREALTIME/,/.} - ${begin/,/.} }")" "${named:+$named$'\n'}"
}

number=0
for command in "$@"; do
    while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do
        wait -n
    done
    number=$((number + 1))
    run_one "$number" "$command" &
done
wait

total_passed=0
total_failed=0
number=0
for command in "$@"; do
    number=$((number + 1))
    passed=0
    failed=1
    [ ! -f "$work/$number.result" ] || read -r passed failed <"$work/$number.result"
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    [ "$failed" = 0 ] && continue
    printf '\n---- %s\n' "$command"
    cat "$work/$number.out"
done
[ "$total_failed" = 0 ] || echo
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
