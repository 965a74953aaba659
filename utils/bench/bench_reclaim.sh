#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Millions of keys that go away, ours and redis-server: how long FLUSHALL keeps everybody waiting
# (bench_stall.c), and what memory comes back when 90 % of the keys are deleted. Prints a table and
# writes it into docs/benchmarks.md.
#
#   utils/bench/bench_reclaim.sh     run from the root of the tree, or through `make bench-reclaim`
#
#   BENCH_REPEATS=3           runs of each FLUSHALL; the smallest figures count (see bench_stall.sh)
#   BENCH_QUICK=1             one run each, 500,000 keys; docs/benchmarks.md stays as it is
#   and those of servers.sh: which servers on which CPUs
#
# The exit status is 1 if a bound of bounds.txt does not hold (not in quick runs).
set -euo pipefail
export LC_ALL=C

here=$(dirname "$0")
# shellcheck source=utils/bench/servers.sh
. "$here/servers.sh"

quick=${BENCH_QUICK:-}
repeats=${BENCH_REPEATS:-$([ -n "$quick" ] && echo 1 || echo 3)}
keys=$([ -n "$quick" ] && echo 500000 || echo 5000000)
samples=$out/reclaim.tsv

fill_keys() {
    fill "$1" 0 "$keys" 'SET key:%k value:%k'
}

# flush NAME COMMAND: one line of samples. The window ends when the memory is back.
flush() {
    local name=$1 case=$2 full said
    fill_keys "$name"
    full=$(used_memory "$name")
    said=$(taskset -c "$load_cpu" "$programs/bench_stall" -p "${port[$name]}" -s "${pid[$name]}" \
        -t 1 -m $((empty + (full - empty) / 20)) "$case") || die "the probe of $name failed: $case"
    printf 'flush\t%s\t%s\t%s\n' "$name" "$case" "${said// /$'\t'}" >>"$samples"
    settle "$name" >/dev/null
}

# The allocator gives its free pages back within some seconds.
settled_rss() {
    local name=$1 now least=0 same=0
    for ((i = 0; i < 60 && same < 12; i++)); do
        now=$(rss_bytes "$name")
        if ((least == 0 || now < least - 1048576)); then
            least=$now
            same=0
        else
            same=$((same + 1))
        fi
        sleep 1
    done
    echo "$now"
}

# shrink NAME: used_memory and resident bytes, above those of the empty server, before and after.
shrink() {
    local name=$1 used rss
    fill_keys "$name"
    used=$(settle "$name")
    rss=$(rss_bytes "$name")
    fill "$name" 0 $((keys * 9 / 10)) 'DEL key:%k'
    printf 'shrink\t%s\t%s\t%s\t%s\t%s\n' "$name" "$((used - empty))" \
        "$(($(settle "$name") - empty))" "$((rss - empty_rss))" \
        "$(($(settled_rss "$name") - empty_rss))" >>"$samples"
}

: >"$samples"
for name in ours theirs; do
    start_server "$name"
    empty=$(settle "$name")
    empty_rss=$(rss_bytes "$name")
    shrink "$name"
    stop_server "$name"
    start_server "$name"
    for case in FLUSHALL 'FLUSHALL ASYNC'; do
        for ((run = 0; run < repeats; run++)); do
            flush "$name" "$case"
        done
    done
    stop_server "$name"
    echo "$name: done" >&2
done

holds=yes
{
    machine 'make bench-reclaim'
    echo "$keys keys with values of 18 bytes; $repeats runs of each FLUSHALL. It took $SECONDS s."
    echo
    awk -f "$here/reclaim.awk" "$here/bounds.txt" "$samples" || holds=no
} >"$out/reclaim.md"
cat "$out/reclaim.md"

publish 'make bench-reclaim' "$out/reclaim.md"
[ -n "$quick" ] || [ "$holds" = yes ]
