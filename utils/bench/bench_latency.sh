# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables of bench.sh and servers.sh
# The group `latency` of bench.sh, which sources this file: how long a GET (a PING, where keys go away)
# waits, 2,000 times a second, beside what makes a server work at length. The two servers take turns, round
# by round, each alone.
#
#   grow    5 M new keys by one connection, pipeline 256, as fast as the server takes them; in parts of 1 M;
#           twice a round, the second time in a server that has done the rest
#   flush   FLUSHALL of these
#   evict   1 M new keys the same way, at maxmemory, under allkeys-lru
#   expire  500,000 keys whose time is over in the same second
#   del     DEL of a set of a million members
#
# The clock says of a wait also what the machine itself made it last; so beside it stands how much of it
# was the server's own work (bench_probe.c). Where that is allowed the probe is a real-time process and the
# server comes before all else that wants its CPU: the load shares the probe's CPU and is always ready to run,
# the more so the faster the server is, and would have it wait for milliseconds.
# A host that takes the CPUs away for some ms spoils what was asked meanwhile, and says so (bench_probe -q
# leaves it out). A measurement of which less than half is left doesn't count, and there are more rounds until
# one of each counts that a bound is on. Also the CPUs are kept from halting. Much of a busy host stays in the figures
# all the same, while what a server makes last long comes again in every round: so of each case, and of each
# part of `grow` by itself, the best round counts.
#
#   BENCH_LATENCY_ROUNDS=4       at least so many
#   BENCH_LATENCY_MOST=12        and at most

latency_rounds=${BENCH_LATENCY_ROUNDS:-$([ -n "$quick" ] && echo 1 || echo 4)}
latency_most=${BENCH_LATENCY_MOST:-$([ -n "$quick" ] && echo 1 || echo 12)}
quiet_percent=50
grow_parts=5
grown=$([ -n "$quick" ] && echo 500000 || echo 5000000)
evicted=$((grown / 5))
expired=$((grown / 10))
first_nice=()
load_nice=()
probe_first=()
if nice -n -20 true 2>/dev/null && [ "$(nice -n -20 nice)" = -20 ]; then
    first_nice=(nice -n -20)
    load_nice=(nice -n -10)
fi
if chrt -f 10 true 2>/dev/null; then
    probe_first=(chrt -f 10)
fi

# probe NAME CASE ROUND PART MS COMMAND [OPTION...]: one line of samples.
probe() {
    local name=$1 case=$2 round=$3 part=$4 window_ms=$5 command=$6 said
    shift 6
    said=$("${probe_first[@]}" taskset -c "$load_cpu" "$programs/bench_probe" -p "${port[$name]}" \
        -s "${pid[$name]}" -R 2000 -t "$window_ms" -r 100000 -q "$@" "$command") ||
        die "the probe of $name failed: $case"
    printf 'latency\t%s\t%s\t%s\t%s\t%s\n' "$name" "$case" "$round" "$part" \
        "${said// /$'\t'}" >>"$samples"
}

# probe_load NAME CASE ROUND PART PROBED FIRST COUNT COMMAND: for as long as the load takes, which begins
# when the probe has warmed up.
probe_load() {
    local name=$1 case=$2 round=$3 part=$4 probed=$5 first=$6 count=$7 command=$8 load
    (
        sleep 0.3
        exec "${load_nice[@]}" taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" \
            -P 256 -f "$first" -n "$count" "$command" >"$work/load"
    ) &
    load=$!
    probe "$name" "$case" "$round" "$part" 60000 "$probed" -u "$load"
    wait "$load" || die "the load on $name failed: $case"
}

probe_growth() {
    local name=$1 round=$2 part
    for ((part = 1; part <= grow_parts; part++)); do
        probe_load "$name" grow "$round" "$part" 'GET asked:%k' $(((part - 1) * grown / grow_parts)) \
            $((grown / grow_parts)) 'SET key:%k val:%k'
    done
}

# probe_command NAME CASE ROUND COMMAND...: from a moment before the command on.
probe_command() {
    local name=$1 case=$2 round=$3
    shift 3
    (sleep 0.5 && ask "$name" "$@" >/dev/null) &
    probe "$name" "$case" "$round" 1 1500 PING
    wait $! || die "$name refuses $*"
}

probe_eviction() {
    local name=$1 round=$2
    fill "$name" 0 "$evicted" "${fill_command[64]}"
    ask "$name" config set maxmemory "$(settle "$name")" >/dev/null
    probe_load "$name" evict "$round" 1 PING 0 "$evicted" "SET later:%k $(printf 'x%.0s' {1..64})"
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
    probe "$name" expire "$round" 1 3000 'GET asked:%k'
}

probe_rest() {
    local name=$1 round=$2
    probe_command "$name" flush "$round" flushall
    fill "$name" 0 100000 "${asked[@]}"
    probe_eviction "$name" "$round"
    probe_expiry "$name" "$round"
    fill "$name" 0 "$evicted" 'SADD big member:%n'
    probe_command "$name" del "$round" del big
    ask "$name" flushall >/dev/null
    settle "$name" >/dev/null
}

# Whether a measurement of each counts that a bound is on. (One wait of seconds, as for FLUSHALL in theirs, is
# hardly ever left alone.)
was_quiet() {
    awk -F '\t' -v quiet="$quiet_percent" '
        $2 == "theirs" && $3 != "grow" { next }
        { count[$2, $3, $5] += $NF >= quiet }
        END { for (what in count) if (!count[what]) exit 1 }' "$samples"
}

group_latency() {
    local name round asked=('SET asked:%k val:%k') order
    keep_cpus_awake
    for ((round = 1; round <= latency_most; round++)); do
        [ "$round" -le "$latency_rounds" ] || ! was_quiet || break
        order='ours theirs'
        [ $((round % 2)) = 1 ] || order='theirs ours'
        for name in $order; do
            server_env=("${first_nice[@]}")
            start_server "$name" --maxmemory-policy allkeys-lru
            server_env=()
            fill "$name" 0 100000 "${asked[@]}"
            probe_growth "$name" "$round"
            probe_rest "$name" "$round"
            fill "$name" 0 100000 "${asked[@]}"
            probe_growth "$name" "$round"
            stop_server "$name"
            echo "latency, round $round ($latency_rounds to $latency_most): $name done" >&2
        done
    done
    let_cpus_halt
}
