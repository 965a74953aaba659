#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What messages cost, Respite and redis-server side by side: CPU time of the server per delivered
# message, with few and with many subscribers; per published message with many patterns, of which three
# match; and the memory that subscribers take who never read. Prints tables and writes them into
# docs/benchmarks.md.
#
#   utils/bench/bench_pubsub.sh      run from the root of the tree, or through `make bench-pubsub`
#
# Both servers run at the same time, pinned to one CPU, and are measured in turn with publisher and
# subscribers (bench_pubsub.c) on another; who begins changes each round, and the median of the rounds
# counts. The publisher sends its next messages when the last ones are with all subscribers. Then each
# server has 1,000 subscribers that never read, with no limit to what it may keep for them. For theirs
# that is gigabytes: it gets two smaller numbers of messages, and what it would take is worked out from
# what the second one takes more.
#
#   BENCH_ROUNDS=5            rounds
#   BENCH_SECONDS=1           CPU time of the server in one measurement
#   BENCH_QUICK=1             2 rounds of 0.2 s; docs/benchmarks.md stays as it is
#   BENCH_ONLY='1000 stalled' only these: 100 1000 patterns stalled; docs/benchmarks.md stays as it is
#   BENCH_STALLED=100000      messages that nobody reads
#   and those of servers.sh: which servers on which CPUs
#
# The exit status is 1 if a bound of bounds.txt does not hold (not in quick runs).
set -euo pipefail
export LC_ALL=C

here=$(dirname "$0")
# shellcheck source=utils/bench/servers.sh
. "$here/servers.sh"

quick=${BENCH_QUICK:-}
rounds=${BENCH_ROUNDS:-$([ -n "$quick" ] && echo 2 || echo 5)}
seconds=${BENCH_SECONDS:-$([ -n "$quick" ] && echo 0.2 || echo 1)}
only=${BENCH_ONLY:-100 1000 patterns stalled}
stalled=${BENCH_STALLED:-100000}
stalled_theirs='4000 8000'
cases=('100 16' '1000 16' '100 1' '1000 1' 'patterns 16')
samples=$out/pubsub.tsv

for what in $only; do
    [[ " 100 1000 patterns stalled " == *" $what "* ]] ||
        die "nothing is called '$what': 100, 1000, patterns or stalled"
done

chosen() {
    [[ " $only " == *" $1 "* ]]
}

# client NAME ARGUMENT...: bench_pubsub against a server.
client() {
    local name=$1
    shift
    taskset -c "$load_cpu" "$programs/bench_pubsub" -p "${port[$name]}" -s "${pid[$name]}" "$@" ||
        die "messages through $name failed"
}

# One measurement, one line of samples.
measure() {
    local round=$1 name=$2 what=$3 pipeline=$4 said args
    args=(-c "$what")
    [ "$what" != patterns ] || args=(-c 100 -g 10000)
    said=$(client "$name" "${args[@]}" -P "$pipeline" \
        -t "$(awk "BEGIN { print int($seconds * 1000) }")")
    printf 'pubsub\t%s\t%s\t%s\t%s\t%s\n' "$name" "$what" "$pipeline" "$round" \
        "${said// /$'\t'}" >>"$samples"
}

measure_rounds() {
    local round order case name
    for ((round = 1; round <= rounds; round++)); do
        order='ours theirs'
        [ $((round % 2)) = 1 ] || order='theirs ours'
        for case in "${cases[@]}"; do
            chosen "${case% *}" || continue
            for name in $order; do
                measure "$round" "$name" "${case% *}" "${case#* }"
            done
        done
        echo "round $round: done" >&2
    done
}

# measure_stalled NAME MESSAGES...: bytes of used_memory above idle, for each number of messages.
measure_stalled() {
    local name=$1 messages grown
    shift
    ask "$name" config set client-output-buffer-limit 'pubsub 0 0 0' >/dev/null
    for messages in "$@"; do
        settle "$name" >/dev/null
        grown=$(client "$name" -c 1000 -P 16 -m "$messages")
        printf 'stalled\t%s\t%s\t%s\n' "$name" "$messages" "$grown" >>"$samples"
    done
}

: >"$samples"
start_server ours
start_server theirs
measure_rounds
if chosen stalled; then
    measure_stalled ours "$stalled"
    # shellcheck disable=SC2086 # several numbers
    measure_stalled theirs $stalled_theirs
fi
stop_server ours
stop_server theirs

holds=yes
{
    machine 'make bench-pubsub'
    echo "Messages of 100 bytes; $rounds rounds, $seconds s of server CPU a measurement; the median" \
        "of the rounds counts. It took $SECONDS s."
    echo
    awk -v messages="$stalled" -f "$here/pubsub.awk" "$here/bounds.txt" "$samples" || holds=no
} >"$out/pubsub.md"
cat "$out/pubsub.md"

[ -n "${BENCH_STALLED:-}" ] || publish 'make bench-pubsub' "$out/pubsub.md"
[ -n "$quick" ] || [ "$holds" = yes ]
