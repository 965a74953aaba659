#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# How late keys expire that nobody asks for: Respite and redis-server side by side.
#
#   utils/bench/bench_expire.sh        run from the root of the tree, or through `make bench-expire`
#
# For each number of background keys with a TTL of 1 to 3 hours: the CPU time of the server while nothing
# is due, and the lag (time gone - time due) of 1,000 probes with a TTL of 1 to 3 s. Then a burst: keys due
# within one second, when the last of them was gone, and the latency of GETs meanwhile.
#
#   BENCH_KEYS='0 10000 100000 1000000'  BENCH_BURST=500000
#   BENCH_OURS=build/respite-server  BENCH_THEIRS=redis-server ('' leaves it out)
set -euo pipefail
export LC_ALL=C

keys=${BENCH_KEYS-0 10000 100000 1000000}
burst=${BENCH_BURST:-500000}
programs=("${BENCH_OURS:-build/respite-server}")
[ -z "${BENCH_THEIRS-redis-server}" ] || programs+=("${BENCH_THEIRS-redis-server}")
client=build/release/utils/bench/bench_expire
work=$(mktemp -d)
pid=

stop_server() {
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=
    rm -f "$work/socket"
}
trap 'stop_server; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start_server PROGRAM: in a folder of its own, saving off.
start_server() {
    "$1" --port 0 --unixsocket "$work/socket" --dir "$work" --save '' >"$work/log" 2>&1 &
    pid=$!
    for _ in {1..200}; do
        [ "$(redis-cli -s "$work/socket" PING 2>/dev/null)" != PONG ] || return 0
        sleep 0.05
    done
    cat "$work/log" >&2
    exit 1
}

# measure lag|burst KEYS...: one line a program and number.
measure() {
    local what=$1 program count
    shift
    for count in "$@"; do
        for program in "${programs[@]}"; do
            start_server "$program"
            printf '%-16s' "${program##*/}"
            "$client" "$work/socket" "$pid" "$what" "$count"
            stop_server
        done
    done
}

printf '%-16s%9s %9s %10s %10s %10s %8s\n' server keys 'idle %' 'lag p50 ms' 'p99 ms' 'max ms' 'after 60 s'
# shellcheck disable=SC2086 # several numbers
measure lag $keys
echo
printf '%-16s%9s %14s %10s %10s %10s\n' server 'due in 1s' 'last gone, ms' 'GET p50 ms' 'p99 ms' 'max ms'
measure burst "$burst"
