# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables of bench.sh and servers.sh
# The group `latency` of bench.sh, which sources this file: how long a GET (a PING, where keys go away)
# waits, 2,000 times a second, beside what makes a server work at length. The two servers take turns, round
# by round, each alone.
#
#   grow    5 M new keys by one connection, pipeline 256, as fast as the server takes them; windows of 1 s
#   flush   FLUSHALL of these
#   evict   1 M new keys the same way, at maxmemory, under allkeys-lru; windows of 1 s
#   expire  500,000 keys whose time is over in the same second
#   del     DEL of a set of a million members
#
# The clock says of a wait also what the machine itself made it last; so beside it stands how much of it
# was the server's own work (bench_probe.c). Server and probe come before all else that wants their CPUs
# where that is allowed, and before the load, which shares the probe's CPU: it always has something to do.
#
#   BENCH_LATENCY_ROUNDS=2

latency_rounds=${BENCH_LATENCY_ROUNDS:-$([ -n "$quick" ] && echo 1 || echo 2)}
grown=$([ -n "$quick" ] && echo 500000 || echo 5000000)
evicted=$((grown / 5))
expired=$((grown / 10))
first_nice=()
load_nice=()
if nice -n -20 true 2>/dev/null && [ "$(nice -n -20 nice)" = -20 ]; then
    first_nice=(nice -n -20)
    load_nice=(nice -n -10)
fi

# probe NAME CASE ROUND MS COMMAND: one line of samples.
probe() {
    local name=$1 case=$2 round=$3 window_ms=$4 command=$5 said
    said=$("${first_nice[@]}" taskset -c "$load_cpu" "$programs/bench_probe" -p "${port[$name]}" \
        -s "${pid[$name]}" -R 2000 -t "$window_ms" -r 100000 "$command") ||
        die "the probe of $name failed: $case"
    printf 'latency\t%s\t%s\t%s\t%s\n' "$name" "$case" "$round" "${said// /$'\t'}" >>"$samples"
}

# probe_load NAME CASE ROUND PROBED COUNT COMMAND: windows for as long as the load takes.
probe_load() {
    local name=$1 case=$2 round=$3 probed=$4 count=$5 command=$6 load
    "${load_nice[@]}" taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -P 256 \
        -n "$count" "$command" >"$work/load" &
    load=$!
    while
        probe "$name" "$case" "$round" 1000 "$probed"
        kill -0 "$load" 2>/dev/null
    do :; done
    wait "$load" || die "the load on $name failed: $case"
}

# probe_command NAME CASE ROUND COMMAND...: from a moment before the command on.
probe_command() {
    local name=$1 case=$2 round=$3
    shift 3
    (sleep 0.5 && ask "$name" "$@" >/dev/null) &
    probe "$name" "$case" "$round" 1500 PING
    wait $! || die "$name refuses $*"
}

probe_eviction() {
    local name=$1 round=$2
    fill "$name" 0 "$evicted" "${fill_command[64]}"
    ask "$name" config set maxmemory "$(settle "$name")" >/dev/null
    probe_load "$name" evict "$round" PING "$evicted" "SET later:%k $(printf 'x%.0s' {1..64})"
    ask "$name" config set maxmemory 0 >/dev/null
    ask "$name" flushall >/dev/null
    settle "$name" >/dev/null
}

# The keys are due when there has been time for all of them to come in.
probe_expiry() {
    local name=$1 round=$2 begun=${EPOCHREALTIME/./} due
    fill "$name" 0 100000 "${asked[@]}"
    due=$((EPOCHSECONDS + 3 + (${EPOCHREALTIME/./} - begun) * 2 * expired / 100000000000))
    fill "$name" 0 "$expired" "SET key:%k val:%k EXAT $due"
    ((EPOCHSECONDS < due)) || die "filling $name took too long"
    while ((EPOCHSECONDS < due - 1)); do sleep 0.05; done
    probe "$name" expire "$round" 3000 'GET asked:%k'
}

group_latency() {
    local name round asked=('SET asked:%k val:%k') order
    for ((round = 1; round <= latency_rounds; round++)); do
        order='ours theirs'
        [ $((round % 2)) = 1 ] || order='theirs ours'
        for name in $order; do
            server_env=("${first_nice[@]}")
            start_server "$name" --maxmemory-policy allkeys-lru
            server_env=()
            fill "$name" 0 100000 "${asked[@]}"
            probe_load "$name" grow "$round" 'GET asked:%k' "$grown" 'SET key:%k val:%k'
            probe_command "$name" flush "$round" flushall
            fill "$name" 0 100000 "${asked[@]}"
            probe_eviction "$name" "$round"
            probe_expiry "$name" "$round"
            fill "$name" 0 "$evicted" 'SADD big member:%n'
            probe_command "$name" del "$round" del big
            stop_server "$name"
            echo "latency, round $round of $latency_rounds: $name done" >&2
        done
    done
}
