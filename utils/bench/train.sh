#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Makes a server that counts what it executes (make pgo) do what servers do most: the commands of
# workloads.sh at three pipeline depths, pub/sub, transactions, scans, expiry, an append-only file and its
# rewrite. The server writes its counts when it ends.
#
#   BENCH_OURS=build/pgo-gen/respite-server utils/bench/train.sh    from the root of the tree
#
# What is trained counts by how often it runs, so numbers of commands stand here, not times.
set -euo pipefail
export LC_ALL=C

# shellcheck source=utils/bench/workloads.sh
. "$(dirname "$0")/workloads.sh"

# load COUNT PIPELINE COMMAND: a command that is nobody's workload.
load() {
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[ours]}" -c "$clients" -P "$2" -n "$1" \
        -r "$key_count" "$3" >/dev/null || die "the load failed: $3"
}

# each_workload PIPELINE COUNT
each_workload() {
    local name count
    for name in "${workloads[@]}"; do
        count=$(workload_count "$name" "$2")
        prepare_workload ours "$name" "$count"
        run_workload ours "$name" "$count" "$1" "$1"
    done
}

# What else clients send.
others() {
    local command
    while read -r command; do
        load 20000 16 "$command"
    done <<'END'
SET key:%k %k EX %t
DEL new:%k
EXPIRE key:%k %t
TTL key:%k
EXISTS key:%k
MSET key:%r a key:%r b key:%r c
APPEND tail:%d x
HSET user:%k name bob%n age 30 city Paris score %n mail u%n@example.com
HGET user:%k city
HINCRBY user:%k age 1
SADD tags:%k a%n b c d e
SISMEMBER set member:%n
ZINCRBY zset 1 member:%n
ZADD board:%k 1 a%n 2 b 3 c
ZRANGEBYSCORE zset %i +inf LIMIT 0 10
RPUSH list:%k a%n b c d e
LRANGE list:%k 0 -1
PUBLISH news:%d message:%n
PING
END
    load 2000 4 'SCAN 0 COUNT 100'
    load 2000 4 'INFO'
}

subscribe() {
    local i
    for ((i = 0; i < 10; i++)); do
        redis-cli -h 127.0.0.1 -p "${port[ours]}" subscribe "news:$i" >/dev/null &
        subscribers+=($!)
    done
}

end_subscribers() {
    kill "${subscribers[@]}" 2>/dev/null || true
    wait "${subscribers[@]}" 2>/dev/null || true
}

start_server ours
subscribers=()
each_workload 16 100000
each_workload 100 50000
each_workload 1 20000
subscribe
others
end_subscribers
ask ours config set appendonly yes >/dev/null
each_workload 16 10000
ask ours config set maxmemory-policy allkeys-lru >/dev/null
ask ours config set maxmemory 50mb >/dev/null
load 100000 16 'SET more:%k %k'
# Before its first append-only file is whole a server doesn't shut down.
until [[ $(ask ours info persistence) == *aof_rewrite_in_progress:0* ]]; do
    sleep 0.1
done
stop_server ours
# What was written is loaded again.
start_server ours --appendonly yes
stop_server ours
echo "train: it took $SECONDS s" >&2
