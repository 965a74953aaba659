# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # variables of bench.sh and servers.sh
# The rows `rss` and `idle` of the group `memory` of bench.sh, which sources this file: the resident set
# beside used_memory when 5 M keys have been inserted, and what an idle connection takes.

loaded=$([ -n "$quick" ] && echo 500000 || echo 5000000)
idle_counts=$([ -n "$quick" ] && echo 1000 || echo 1000 10000)

# rss_row NAME KIND CONNECTIONS PIPELINE: when the last key is in, and when the server has settled.
rss_row() {
    local name=$1 kind=$2 connections=$3 pipeline=$4 used rss
    start_server "$name"
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -c "$connections" \
        -P "$pipeline" -n "$loaded" "${fill_command[$kind]}" >/dev/null || die "loading $name failed"
    used=$(used_memory "$name")
    rss=$(rss_bytes "$name")
    printf 'rss\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$kind" "$connections" "$used" "$rss" \
        "$(settle "$name")" "$(rss_bytes "$name")" >>"$samples"
    stop_server "$name"
}

measure_rss() {
    local kind
    for kind in 16 64; do
        rss_row ours "$kind" 1 256
        rss_row ours "$kind" 50 16
        rss_row theirs "$kind" 1 256
        echo "RSS behind $loaded keys, $kind: done" >&2
    done
}

connected() {
    cli "$1" info clients | awk -F: '/^connected_clients:/ { print $2 + 0 }'
}

# idle_row COUNT STATE: of both servers, with so many connections; `pinged`: each has sent one command. What
# output took is given back within seconds by both.
idle_row() {
    local count=$1 state=$2 commands=1 name holders=()
    [ "$state" = connected ] || commands=$count
    for name in ours theirs; do
        taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -c "$count" -n "$commands" \
            -w 60000 PING >/dev/null &
        holders+=($!)
    done
    for name in ours theirs; do
        for ((i = 0; i < 200 && $(connected "$name") <= count; i++)); do sleep 0.05; done
        [ "$(connected "$name")" -gt "$count" ] || die "$name does not take $count connections"
    done
    [ "$state" = connected ] || sleep 8
    for name in ours theirs; do
        printf 'idle\t%s\t%s\t%s\t%s\t%s\n' "$name" "$count" "$state" \
            $(($(settle "$name") - ${idle_used[$name]})) $(($(rss_bytes "$name") - ${idle_rss[$name]})) \
            >>"$samples"
    done
    kill "${holders[@]}"
    wait "${holders[@]}" 2>/dev/null || true
}

measure_idle() {
    local name count state
    local -A idle_used idle_rss
    # Ten thousand connections here and there, and some more.
    ulimit -n 12000 2>/dev/null || die "no 12,000 descriptors"
    for name in ours theirs; do
        start_server "$name" --maxclients 11000
        idle_used[$name]=$(settle "$name")
        idle_rss[$name]=$(rss_bytes "$name")
    done
    for count in $idle_counts; do
        for state in connected pinged; do
            idle_row "$count" "$state"
        done
    done
    stop_server ours
    stop_server theirs
    echo "idle connections: done" >&2
}
