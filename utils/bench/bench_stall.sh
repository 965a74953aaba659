#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# How long a server keeps everybody waiting while a collection of a million elements goes away, ours
# and redis-server: PINGs at 2 kHz from a connection of their own (bench_stall.c) during DEL, UNLINK,
# SET over it, RENAME over it, PEXPIRE 1 and FLUSHDB. Prints a table and writes it into
# docs/benchmarks.md.
#
#   utils/bench/bench_stall.sh       run from the root of the tree, or through `make bench-stall`
#
# Whatever else runs on the machine can hold up a PING as well, but not each time: every case runs
# three times, or up to nine times if that leaves it at the bound or above, and the smallest maximum
# counts: what a server itself does is in all of them. The row "nothing" was measured
# in the same way with no command at all, and says what the machine itself does to a maximum. The bound
# is on the stall of the server's own making: what its thread worked while one PING waited.
#
#   BENCH_REPEATS=3           runs of each case; up to three times as many if they don't settle it
#   BENCH_QUICK=1             one run each, 100,000 elements; docs/benchmarks.md stays as it is
#   BENCH_ONLY='hash set'     only these types; docs/benchmarks.md stays as it is
#   and those of servers.sh: which servers on which CPUs
#
# The exit status is 1 if our own longest stall is not below the bound of bounds.txt (not in quick runs).
set -euo pipefail
export LC_ALL=C

here=$(dirname "$0")
# shellcheck source=utils/bench/servers.sh
. "$here/servers.sh"

quick=${BENCH_QUICK:-}
repeats=${BENCH_REPEATS:-$([ -n "$quick" ] && echo 1 || echo 3)}
elements=$([ -n "$quick" ] && echo 100000 || echo 1000000)
only=${BENCH_ONLY:-}
types=${only:-list set hash zset}
samples=$out/stall.tsv
bound=$(awk -F'|' '/^[^#]/ && $1 ~ /^stall/ { print $4 + 0; exit }' "$here/bounds.txt")

declare -A fill_command=(
    [list]='RPUSH big element:%n'
    [set]='SADD big member:%n'
    [hash]='HSET big field:%n value:%n'
    [zset]='ZADD big %s member:%n'
)
cases=(nothing 'DEL big' 'UNLINK big' 'SET big x' 'RENAME small big' 'PEXPIRE big 1' FLUSHDB)

for type in $types; do
    [ -n "${fill_command[$type]:-}" ] || die "no type '$type': list, set, hash or zset"
done

# One run, one line of samples. What a run has left in place, the next one uses.
probe() {
    local name=$1 type=$2 case=$3 full args said
    if [ "$(ask "$name" type big)" != "$type" ]; then
        ask "$name" flushall >/dev/null
        fill "$name" 0 "$elements" "${fill_command[$type]}"
    fi
    ask "$name" set small x >/dev/null
    full=$(used_memory "$name")
    args=(-m $((empty + (full - empty) / 20)) "$case")
    [ "$case" != nothing ] || args=()
    said=$(taskset -c "$load_cpu" "$programs/bench_stall" -p "${port[$name]}" \
        -s "${pid[$name]}" "${args[@]}") ||
        die "the probe of $name failed: $type, $case"
    printf 'stall\t%s\t%s\t%s\t%s\n' "$name" "$type" "$case" "${said// /$'\t'}" >>"$samples"
}

# Whether the runs so far say all that more of them could: ten times the bound is no mishap.
settled() {
    local name=$1 type=$2 case=$3 runs=$4
    ((runs >= repeats)) || return 1
    ((runs < 3 * repeats)) || return 0
    awk -F'\t' -v name="$name" -v type="$type" -v case="$case" -v bound="$bound" \
        '$2 == name && $3 == type && $4 == case && ($7 < bound || $7 > 10 * bound) { good = 1 } END { exit !good }' "$samples"
}

: >"$samples"
for name in ours theirs; do
    start_server "$name"
    empty=$(settle "$name")
    for type in $types; do
        for case in "${cases[@]}"; do
            runs=0
            until settled "$name" "$type" "$case" "$runs"; do
                probe "$name" "$type" "$case"
                runs=$((runs + 1))
            done
        done
        echo "$name, $type: done" >&2
    done
    stop_server "$name"
done

holds=yes
{
    machine 'make bench-stall'
    echo "A PING every 0.5 ms while a collection of $elements elements goes away; of $repeats to $((3 * repeats)) runs" \
        "the smallest figures count, because the machine holds up PINGs too: the row \"nothing\"" \
        "has the same without a command. It took $SECONDS s."
    echo
    awk -f "$here/stall.awk" "$here/bounds.txt" "$samples" || holds=no
} >"$out/stall.md"
cat "$out/stall.md"

publish 'make bench-stall' "$out/stall.md"
[ -n "$quick" ] || [ "$holds" = yes ]
