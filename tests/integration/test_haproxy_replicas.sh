#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# HAProxy with conf/haproxy-replicas.cfg sends writes to the primary and reads to replicas, also when another one has
# become the primary. NODES names the program of the nodes.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

export HAPROXY_STATS_SOCKET=$work/haproxy.sock HAPROXY_CHECK_INTERVAL=100ms

# Debian puts it where only root looks.
PATH=$PATH:/usr/sbin
# shellcheck disable=SC2034 # read by start_node
node_server=${NODES:-$server}

# shellcheck disable=SC2317 # called through are_up
ask_haproxy() {
    /usr/bin/python3 - "$HAPROXY_STATS_SOCKET" 2>&1 <<'END'
import socket, sys
with socket.socket(socket.AF_UNIX) as stats:
    stats.connect(sys.argv[1])
    stats.sendall(b"show stat\n")
    with stats.makefile() as lines:
        print(lines.read())
END
}

# are_up PROXY NAME...: these servers of a proxy are up, and no others.
# shellcheck disable=SC2317 # called through await
are_up() {
    local proxy=$1
    shift
    ask_haproxy >"$work/answer"
    awk -F , -v proxy="$proxy" '$1 == proxy && $2 ~ /^respite/ && $18 ~ /^UP/ { printf "%s ", $2 }' \
        "$work/answer" >"$work/out"
    [ "$(cat "$work/out")" = "$*${*:+ }" ]
}

start_haproxy() {
    for _ in {1..10}; do
        writes=$(random_port)
        reads=$(random_port)
        export HAPROXY_WRITES=127.0.0.1:$writes HAPROXY_READS=127.0.0.1:$reads
        start_helper haproxy haproxy -db -f conf/haproxy-replicas.cfg
        await_helper are_up primary respite1 && return 0
    done
    return 1
}

# goes NAME PROXY SERVER...: HAProxy finds so within half a minute.
goes() {
    local name=$1
    shift
    await are_up "$@"
    report $? "$name"
}

# is_linked PORT: a replica in sync.
# shellcheck disable=SC2317 # called through await
is_linked() {
    redis-cli -p "$1" info replication >"$work/out" 2>&1
    grep -q '^master_link_status:up' "$work/out"
}

# replies WANTED COMMAND...: redis-cli's answer.
# shellcheck disable=SC2317 # called through await
replies() {
    local wanted=$1
    shift
    redis-cli "$@" >"$work/out" 2>&1
    [ "$(cat "$work/out")" = "$wanted" ]
}

start_node one --repl-diskless-sync-delay 0
one=$node_port
one_pid=$helper
start_node two --replicaof "127.0.0.1 $one" --repl-diskless-sync-delay 0
two=$node_port
start_node three --replicaof "127.0.0.1 $one" --repl-diskless-sync-delay 0
three=$node_port
for node in "$two" "$three"; do
    await is_linked "$node"
    report $? 'a replica is in sync'
done

export RESPITE_1=127.0.0.1:$one RESPITE_2=127.0.0.1:$two RESPITE_3=127.0.0.1:$three
haproxy -c -f conf/haproxy-replicas.cfg >"$work/out" 2>&1
report $? 'the example is valid'
start_haproxy
status=$?
cp "$work/haproxy.log" "$work/out"
report "$status" 'HAProxy starts'
goes 'the primary is found' primary respite1
goes 'and the replicas' replicas respite2 respite3

says 'a write goes to the primary' OK redis-cli -p "$writes" set carried 1
says 'which has it' 1 redis-cli -p "$one" get carried
await replies 1 -p "$reads" get carried
report $? 'a read finds it'
says 'reads go to replicas' slave bash -c "redis-cli -p $reads role | head -1"

# A replica without its primary has old data.
says 'a replica loses its primary' OK redis-cli -p "$three" replicaof 127.0.0.1 1
goes 'it is left out' replicas respite2
says 'it gets it back' OK redis-cli -p "$three" replicaof 127.0.0.1 "$one"
goes 'it is in again' replicas respite2 respite3

# Hand-over: the old primary becomes a replica.
says 'the role is handed over' OK redis-cli -p "$one" failover to 127.0.0.1 "$two" timeout 20000
goes 'writes go to the new primary' primary respite2
await replies OK -p "$writes" set carried 2
report $? 'and are taken'
says 'it has them' 2 redis-cli -p "$two" get carried
says 'the third one follows it' OK redis-cli -p "$three" replicaof 127.0.0.1 "$two"
goes 'reads go to the others' replicas respite1 respite3
await replies 2 -p "$reads" get carried
report $? 'and find them'

# The primary dies, and somebody (Sentinel) makes a replica the primary.
kill -9 "$one_pid"
wait "$one_pid" 2>/dev/null
goes 'a dead replica is left out' replicas respite3
says 'no replica is left' OK redis-cli -p "$three" replicaof no one
says 'the old primary is one no more' OK redis-cli -p "$two" replicaof 127.0.0.1 1
goes 'the third one is the primary' primary respite3
goes 'nobody is a replica in sync' replicas
await replies OK -p "$writes" set carried 3
report $? 'it takes writes'
says 'reads go to the primary then' 3 redis-cli -p "$reads" get carried
finish
