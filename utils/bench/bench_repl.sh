#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What replication costs: Respite -> Respite beside redis-server -> redis-server. Prints tables and writes them
# into docs/benchmarks.md.
#
#   utils/bench/bench_repl.sh        run from the root of the tree, or through `make bench-repl`
#
# The two pairs take turns, round by round. What else runs on the machine only adds to a figure, so of
# all rounds the best one counts, of both.
#
#   sync      from REPLICAOF until an empty replica has all of 2 M keys and says master_link_status:up. Without files on the
#             primary's side (repl-diskless-sync, no delay); redis-server once as it loads by default, through a
#             file, and once with repl-diskless-load swapdb, which is what Respite does
#   apply     1 M SETs at pipeline 16 with one replica: CPU of the primary for one, and CPU of the replica
#   catch-up  a replica is stopped (SIGSTOP) while 2 M SETs are written, and goes on: how long until it has them
#   stalled   a replica is stopped for 10 s under 20,000 SETs of 1 kB a second: what the primary's memory grows by,
#             for each byte that waits in it (those that the kernel has taken don't)
#
# In `apply` a primary has one CPU, and its replica shares the other one with the load: CPU counts there. Elsewhere all
# have both CPUs, because both primaries have a child that works beside them.
#
#   BENCH_ROUNDS=3            rounds of each measurement (stalled: two at most)
#   BENCH_QUICK=1             one round, a tenth of the keys; docs/benchmarks.md stays as it is
#   BENCH_ONLY='sync apply'   only these parts; docs/benchmarks.md stays as it is
#   and those of servers.sh: which servers on which CPUs
#
# The exit status is 1 if a bound of bounds.txt does not hold (not in quick runs).
set -euo pipefail
export LC_ALL=C

here=$(dirname "$0")
# shellcheck source=utils/bench/servers.sh
. "$here/servers.sh"

quick=${BENCH_QUICK:-}
rounds=${BENCH_ROUNDS:-$([ -n "$quick" ] && echo 1 || echo 3)}
scale=$([ -n "$quick" ] && echo 10 || echo 1)
parts=${BENCH_ONLY:-sync apply catch-up stalled}
samples=$out/repl.tsv
one_cpu=$server_cpu
both_cpus=$server_cpu,$load_cpu
for name in ours theirs; do program[$name-replica]=${program[$name]}; done
unlimited=(--client-output-buffer-limit 'replica 0 0 0')

sample() {
    local IFS=$'\t'
    echo "$*" >>"$samples"
}

# field NAME FIELD: of INFO replication; nothing while the server does not answer.
field() {
    cli "$1" info replication 2>/dev/null | awk -F: -v name="$2" '{ sub(/\r$/, "") } $1 == name { print $2 }'
}

# await_true SECONDS COMMAND...: looks every 10 ms.
await_true() {
    local limit=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$limit" ] || die "waited in vain: $*"
        sleep 0.01
    done
}

# shellcheck disable=SC2317 # called through await_true
is_up() {
    [ "$(field "$1-replica" master_link_status)" = up ]
}

# shellcheck disable=SC2317 # called through await_true
has_all() {
    is_up "$1" && [ "$(cli "$1-replica" dbsize)" = "$2" ]
}

# shellcheck disable=SC2317 # called through await_true
has_caught_up() {
    [ "$(field "$1-replica" slave_repl_offset)" = "$(field "$1" master_repl_offset)" ]
}

start_primary() {
    local name=$1
    shift
    start_server "$name" --repl-diskless-sync yes --repl-diskless-sync-delay 0 "$@"
}

# follow NAME: its replica, which has been started, and is in sync afterwards.
follow() {
    ask "$1-replica" replicaof 127.0.0.1 "${port[$1]}" >/dev/null
    await_true 120 is_up "$1"
}

# A primary and its replica in sync.
start_pair() {
    local name=$1
    shift
    start_primary "$name" "$@"
    server_cpu=$replica_cpu start_server "$name-replica"
    follow "$name"
}

stop_pair() {
    stop_server "$1-replica"
    stop_server "$1"
}

# ---- sync ---------------------------------------------------------------------------------------

# sync NAME LOADING KEYS: LOADING is the replica's repl-diskless-load.
sync() {
    local name=$1 loading=$2 keys=$3 begun
    start_server "$name-replica" --repl-diskless-load "$loading"
    begun=${EPOCHREALTIME/./}
    ask "$name-replica" replicaof 127.0.0.1 "${port[$name]}" >/dev/null
    await_true 120 has_all "$name" "$keys"
    sample sync "$name" "$loading" $((${EPOCHREALTIME/./} - begun)) "$(cpu_us "$name-replica")"
    stop_server "$name-replica"
}

part_sync() {
    local name round keys=$((2000000 / scale))
    server_cpu=$both_cpus
    for name in ours theirs; do
        start_primary "$name"
        fill "$name" 0 "$keys" "SET key:%k $value"
        settle "$name" >/dev/null
    done
    for ((round = 0; round < rounds; round++)); do
        sync ours swapdb "$keys"
        sync theirs disabled "$keys"
        sync theirs swapdb "$keys"
    done
    stop_server ours
    stop_server theirs
}

# ---- apply --------------------------------------------------------------------------------------

apply() {
    local name=$1 count=$((1000000 / scale)) primary_us replica_us
    primary_us=$(cpu_us "$name")
    replica_us=$(cpu_us "$name-replica")
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -c 50 -P 16 -n "$count" \
        -r 1000000 "SET key:%k $value" >/dev/null || die "the load on $name failed"
    primary_us=$(($(cpu_us "$name") - primary_us))
    await_true 120 has_caught_up "$name"
    sample apply "$name" "$count" "$primary_us" $(($(cpu_us "$name-replica") - replica_us))
}

part_apply() {
    local name round
    server_cpu=$one_cpu replica_cpu=$load_cpu
    for name in ours theirs; do
        start_pair "$name" "${unlimited[@]}"
        fill "$name" 0 $((1000000 / scale)) "SET key:%k $value"
        await_true 120 has_caught_up "$name"
    done
    for ((round = 0; round < rounds; round++)); do
        for name in ours theirs; do apply "$name"; done
    done
    stop_pair ours
    stop_pair theirs
}

# ---- catch-up -----------------------------------------------------------------------------------

catch_up() {
    local name=$1 count=$((2000000 / scale)) begun replica_us
    kill -STOP "${pid[$name-replica]}"
    fill "$name" 0 "$count" "SET key:%k $value"
    replica_us=$(cpu_us "$name-replica")
    begun=${EPOCHREALTIME/./}
    kill -CONT "${pid[$name-replica]}"
    await_true 120 has_caught_up "$name"
    sample catch-up "$name" "$count" $((${EPOCHREALTIME/./} - begun)) $(($(cpu_us "$name-replica") - replica_us))
}

part_catch-up() {
    local name round
    server_cpu=$both_cpus replica_cpu=$both_cpus
    for name in ours theirs; do
        start_pair "$name" "${unlimited[@]}" --repl-backlog-size 512mb
        fill "$name" 0 $((2000000 / scale)) "SET key:%k $value"
        await_true 120 has_caught_up "$name"
    done
    for ((round = 0; round < rounds; round++)); do
        for name in ours theirs; do catch_up "$name"; done
    done
    stop_pair ours
    stop_pair theirs
}

# ---- stalled ------------------------------------------------------------------------------------

# in_sockets PORT: bytes that the kernel holds of connections to this port of ours.
in_sockets() {
    local local_end remote_end queues hex bytes=0
    hex=$(printf '%04X' "$1")
    while read -r _ local_end remote_end _ queues _; do
        [ "${local_end#*:}" != "$hex" ] || bytes=$((bytes + 16#${queues%:*}))
        [ "${remote_end#*:}" != "$hex" ] || bytes=$((bytes + 16#${queues#*:}))
    done </proc/net/tcp
    echo "$bytes"
}

# The same keys and values again and again: only what waits for the replica grows.
stalled() {
    local name=$1 used rss waiting
    start_pair "$name" "${unlimited[@]}"
    fill "$name" 0 1000 "SET key:%k $kilobyte"
    used=$(settle "$name")
    await_true 120 has_caught_up "$name"
    rss=$(rss_bytes "$name")
    waiting=$(field "$name" master_repl_offset)
    kill -STOP "${pid[$name-replica]}"
    taskset -c "$load_cpu" "$programs/bench_probe" -p "${port[$name]}" -R $((20000 / scale)) -t 10000 -r 1000 \
        "SET key:%k $kilobyte" >/dev/null || die "the probe of $name failed"
    waiting=$(($(field "$name" master_repl_offset) - waiting - $(in_sockets "${port[$name]}")))
    sample stalled "$name" $(($(used_memory "$name") - used)) $(($(rss_bytes "$name") - rss)) "$waiting"
    kill -CONT "${pid[$name-replica]}"
    await_true 120 has_caught_up "$name"
    stop_pair "$name"
}

part_stalled() {
    local name round
    server_cpu=$both_cpus replica_cpu=$both_cpus
    for ((round = 0; round < rounds && round < 2; round++)); do
        for name in ours theirs; do stalled "$name"; done
    done
}

# ---- all of it ----------------------------------------------------------------------------------

printf -v value '%064d' 0
printf -v kilobyte '%01000d' 0
: >"$samples"
for part in $parts; do
    declare -F "part_$part" >/dev/null || die "no part '$part': sync, apply, catch-up or stalled"
    "part_$part"
    echo "$part: done" >&2
done

holds=yes
{
    server_cpu="$one_cpu or $both_cpus"
    machine 'make bench-repl'
    echo "The best of $rounds rounds in turns, of each pair (stalled: of two at most). It took $SECONDS s."
    echo
    awk -f "$here/repl.awk" "$here/bounds.txt" "$samples" || holds=no
} >"$out/repl.md"
cat "$out/repl.md"

publish 'make bench-repl' "$out/repl.md"
[ -n "$quick" ] || [ "$holds" = yes ]
