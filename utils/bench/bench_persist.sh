#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What durability costs, ours and redis-server: SAVE and loading, appendfsync always and everysec with the
# disk as it is and with a slow one, and how long a GET waits while a BGSAVE runs. Prints tables and writes
# them into docs/benchmarks.md.
#
#   utils/bench/bench_persist.sh     run from the root of the tree, or through `make bench-persist`
#
# The two servers take turns, round by round. What else runs on the machine only adds to a figure, so of
# all rounds the best one counts, of both servers. Latencies are spoilt by one moment without a CPU, so
# there the rounds are many and short.
#
#   save      SAVE of 1.3 M mixed keys, and starting with the file that the server itself wrote, until it
#             answers PING. CPU is that of the whole process, all threads, kernel and user.
#   always    SET from 50 connections under appendfsync always; a GET 500 times a second beside it. Twice:
#             with the disk as it is, and with 2 ms added to each fdatasync (tests/support/faults.c)
#   everysec  CPU of the whole process for a SET at pipeline 16; then SET 1,000 times a second while each
#             fdatasync takes 500 ms more
#   bgsave    GET 2,000 times a second while a BGSAVE of 2 M keys runs
#
# For `save` and CPU per command a server has one CPU, as in the other benchmarks. Elsewhere both servers
# have something that works beside the thread which executes commands (ours: threads that write and sync, and
# a child; theirs: a thread that syncs, and a child), so there each has both CPUs.
#
#   BENCH_ROUNDS=3            rounds of each measurement (always: twice as many; BGSAVE: four times)
#   BENCH_QUICK=1             one round, a tenth of the keys; docs/benchmarks.md stays as it is
#   BENCH_ONLY='save always'  only these parts; docs/benchmarks.md stays as it is
#   FAULTS_SHIM=FILE          the library that slows fdatasync down; without it that is left out
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
parts=${BENCH_ONLY:-save always everysec bgsave}
shim=${FAULTS_SHIM:-}
[ -z "$shim" ] || shim=$(realpath "$shim")
samples=$out/persist.tsv
one_cpu=$server_cpu
both_cpus=$server_cpu,$load_cpu
aof=(--appendonly yes --auto-aof-rewrite-percentage 0)

# What a cache holds as a rule repeats itself, and shrinks; tokens don't.
text='{"id":%k,"name":"user-%n","mail":"user-%n@example.org","roles":["reader","writer"],"active":true}'
token='%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s'

sample() {
    local IFS=$'\t'
    echo "$*" >>"$samples"
}

probe() {
    local name=$1
    shift
    taskset -c "$load_cpu" "$programs/bench_probe" -p "${port[$name]}" "$@"
}

# A server that slows each fdatasync down, or not.
start_slow_server() {
    local name=$1 delay_ms=$2
    shift 2
    server_env=()
    [ "$delay_ms" = 0 ] || server_env=("LD_PRELOAD=$shim" "FAULTS_DIR=$work/$name" "FAULTS=fdatasync:delay=$((delay_ms * 1000))")
    rm -rf "${work:?}/$name"
    start_server "$name" "$@"
    server_env=()
}

# ---- save ---------------------------------------------------------------------------------------

# fill_mixed NAME: 1.3 M keys, of all types, small and large.
fill_mixed() {
    local name=$1 key
    fill "$name" 0 $((200000 / scale)) 'SET count:%k %n'
    fill "$name" 0 $((400000 / scale)) 'SET short:%k value:%k'
    fill "$name" 0 $((100000 / scale)) 'SETEX session:%k %t session-of-%k'
    fill "$name" 0 $((150000 / scale)) "SET page:%k $text$text"
    fill "$name" 0 $((50000 / scale)) "SET token:%k $token"
    fill "$name" 0 $((160000 / scale)) 'HSET user:%k name user-%n mail user-%n@example.org visits %n city Berlin'
    fill "$name" 0 $((80000 / scale)) 'RPUSH queue:%k job:%k job:%n done %s %n'
    fill "$name" 0 $((40000 / scale)) 'SADD tags:%k red green blue tag:%d tag:%k'
    fill "$name" 0 $((40000 / scale)) 'SADD ids:%k %n %i %e'
    fill "$name" 0 $((80000 / scale)) 'ZADD rank:%k %n member:%n %s member:%k %i third'
    for key in 1 2 3 4; do
        fill "$name" 0 $((50000 / scale)) "HSET big-hash:$key field:%k value:%n"
        fill "$name" 0 $((50000 / scale)) "RPUSH big-list:$key element:%k"
        fill "$name" 0 $((50000 / scale)) "SADD big-set:$key member:%k"
        fill "$name" 0 $((50000 / scale)) "ZADD big-zset:$key %s member:%k"
    done
}

save() {
    local name=$1 before_us=0 begun=0
    before_us=$(cpu_us "$name")
    begun=${EPOCHREALTIME/./}
    ask "$name" save >/dev/null
    local wall_us=$((${EPOCHREALTIME/./} - begun))
    sample save "$name" $(($(cpu_us "$name") - before_us)) "$wall_us" "$(stat -c %s "$work/$name/dump.rdb")"
}

# Whether the server answers PING, and with PONG: one that loads does not.
is_ready() {
    local said=
    { { printf 'PING\r\n' >&3 && read -r -t 5 said <&3; } 3<>"/dev/tcp/127.0.0.1/${port[$1]}"; } 2>/dev/null ||
        return 1
    [[ $said == +PONG* ]]
}

load() {
    local name=$1 begun=${EPOCHREALTIME/./}
    launch_server "$name"
    until is_ready "$name"; do
        kill -0 "${pid[$name]}" 2>/dev/null || die "$name does not start with its file"
        sleep 0.01
    done
    local wall_us=$((${EPOCHREALTIME/./} - begun))
    sample load "$name" "$(cpu_us "$name")" "$wall_us" "$(cli "$name" dbsize)"
}

part_save() {
    local name round
    server_cpu=$one_cpu
    for name in ours theirs; do
        start_server "$name"
        fill_mixed "$name"
        settle "$name" >/dev/null
    done
    for ((round = 0; round < rounds; round++)); do
        for name in ours theirs; do save "$name"; done
    done
    stop_server ours
    stop_server theirs
    for ((round = 0; round < rounds; round++)); do
        for name in ours theirs; do
            load "$name"
            stop_server "$name"
        done
    done
}

# ---- always -------------------------------------------------------------------------------------

always() {
    local name=$1 delay_ms=$2 window_ms=$3 said
    start_slow_server "$name" "$delay_ms" "${aof[@]}" --appendfsync always
    fill "$name" 0 1000 'SET asked:%k value:%k'
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -c 50 -n 100000000 \
        -t $((window_ms + 600)) -r 1000000 "SET key:%k $value" >"$work/sets" &
    sleep 0.2
    said=$(probe "$name" -R 500 -t "$window_ms" -r 1000 'GET asked:%k') || die "the probe of $name failed"
    wait $! || die "the load on $name failed"
    sample "always" "$name" "$delay_ms" "$(<"$work/sets")" "$said"
    stop_server "$name"
}

part_always() {
    local name round delay_ms
    server_cpu=$both_cpus
    for delay_ms in $delays; do
        for ((round = 0; round < 2 * rounds; round++)); do
            for name in ours theirs; do always "$name" "$delay_ms" 1500; done
        done
    done
}

# ---- everysec -----------------------------------------------------------------------------------

everysec_cpu() {
    local name=$1 count=$((1000000 / scale)) before_us
    before_us=$(cpu_us "$name")
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -c 50 -P 16 -n "$count" \
        -r 1000000 "SET key:%k $value" >"$work/sets" || die "the load on $name failed"
    sample everysec "$name" $(($(cpu_us "$name") - before_us)) "$count" "$(<"$work/sets")"
}

everysec_slow() {
    local name=$1 said
    start_slow_server "$name" 500 "${aof[@]}" --appendfsync everysec
    said=$(probe "$name" -R 1000 -t $((5000 / (quick ? 2 : 1))) -r 1000000 "SET key:%k $value") ||
        die "the probe of $name failed"
    sample slow "$name" "$said"
    stop_server "$name"
}

part_everysec() {
    local name round
    server_cpu=$one_cpu
    for name in ours theirs; do
        start_slow_server "$name" 0 "${aof[@]}" --appendfsync everysec
        fill "$name" 0 $((1000000 / scale)) "SET key:%k $value"
    done
    for ((round = 0; round < rounds; round++)); do
        for name in ours theirs; do everysec_cpu "$name"; done
    done
    stop_server ours
    stop_server theirs
    [ -n "$shim" ] || return 0
    server_cpu=$both_cpus
    for ((round = 0; round < rounds; round++)); do
        for name in ours theirs; do everysec_slow "$name"; done
    done
}

# ---- bgsave -------------------------------------------------------------------------------------

part_bgsave() {
    local name round said keys=$((2000000 / scale))
    server_cpu=$both_cpus
    for name in ours theirs; do
        start_slow_server "$name" 0
        fill "$name" 0 "$keys" "SET key:%k $value"
        settle "$name" >/dev/null
    done
    for ((round = 0; round < 4 * rounds; round++)); do
        for name in ours theirs; do
            said=$(probe "$name" -b -R 2000 -t $((4000 / scale)) -r "$keys" 'GET key:%k') ||
                die "the probe of $name failed"
            sample bgsave "$name" "$said"
        done
    done
    stop_server ours
    stop_server theirs
}

# ---- all of it ----------------------------------------------------------------------------------

printf -v value '%064d' 0
delays=0
[ -z "$shim" ] || delays='0 2'
[ -n "$shim$quick${BENCH_ONLY:-}" ] || die "FAULTS_SHIM is not set: nothing slows fdatasync down"
: >"$samples"
for part in $parts; do
    declare -F "part_$part" >/dev/null || die "no part '$part': save, always, everysec or bgsave"
    "part_$part"
    echo "$part: done" >&2
done

holds=yes
{
    server_cpu="$one_cpu or $both_cpus"
    machine 'make bench-persist'
    echo "Files on $(df --output=fstype "$work" | tail -n 1). The best of $rounds rounds in turns, of each server (always: of $((2 * rounds)), BGSAVE: of $((4 * rounds))). It took $SECONDS s."
    echo
    awk -f "$here/persist.awk" "$here/bounds.txt" "$samples" || holds=no
} >"$out/persist.md"
cat "$out/persist.md"

publish 'make bench-persist' "$out/persist.md"
[ -n "$quick" ] || [ "$holds" = yes ]
