#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# FAILOVER between live servers, under load: no write that was acknowledged is lost, and nobody needs all data again.
# Also with redis-server at either end; NODES names the program that stands for ours.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

ours=${NODES:-$server}

# says_in PORT SECTION LINE: INFO has it.
# shellcheck disable=SC2317 # called through await
says_in() {
    redis-cli -p "$1" info "$2" 2>&1 | tr -d '\r' >"$work/out"
    grep -q "^$3\$" "$work/out"
}

# offset PORT
# shellcheck disable=SC2317 # called through have_same_offset
offset() {
    redis-cli -p "$1" info replication | tr -d '\r' | sed -n 's/^master_repl_offset://p'
}

# shellcheck disable=SC2317 # called through await
have_same_offset() {
    [ "$(offset "$1")" = "$(offset "$2")" ]
}

# Writes until one is refused; what has been acknowledged last is in $work/acked.
write_on() {
    local reply
    while :; do
        reply=$(redis-cli -p "$1" incr counter 2>&1)
        case $reply in
        [0-9]*) echo "$reply" >"$work/acked" ;;
        *) break ;;
        esac
    done
}

# hand_over NAME FIRST SECOND: the programs of a primary and its replica.
hand_over() {
    local name=$1 first first_pid second second_pid writer
    node_server=$2
    start_node "$name-first" --repl-diskless-sync-delay 0
    first=$node_port
    first_pid=$helper
    # shellcheck disable=SC2034 # read by start_node
    node_server=$3
    start_node "$name-second" --replicaof "127.0.0.1 $first" --repl-diskless-sync-delay 0
    second=$node_port
    second_pid=$helper
    await says_in "$first" replication 'slave0:.*,state=online,.*'
    report $? "$name: the replica is in sync"

    # One that does not answer takes nothing over.
    kill -STOP "$second_pid"
    says "$name: asked for, by force" OK \
        redis-cli -p "$first" failover to 127.0.0.1 "$second" force timeout 100
    await says_in "$first" replication master_failover_state:failover-in-progress
    report $? "$name: the target is asked"
    says "$name: called off" OK redis-cli -p "$first" failover abort
    says_in "$first" replication role:master
    report $? "$name: the primary is one again"
    says "$name: and takes writes" OK redis-cli -p "$first" set kept 1
    kill -CONT "$second_pid"
    await says_in "$first" replication 'slave0:.*,state=online,.*'
    report $? "$name: the replica comes back"

    rm -f "$work/acked"
    write_on "$first" &
    writer=$!
    await test -s "$work/acked"
    report $? "$name: somebody writes"
    says "$name: asked for, under load" OK redis-cli -p "$first" failover timeout 20000
    await says_in "$second" replication role:master
    report $? "$name: the replica is the primary"
    await says_in "$first" replication master_link_status:up
    report $? "$name: the primary is its replica"
    wait "$writer"
    says "$name: what was acknowledged is there" "$(cat "$work/acked")" \
        redis-cli -p "$second" get counter
    says_in "$second" stats sync_full:0
    report $? "$name: without sending all data"
    says "$name: a write on the new primary" OK redis-cli -p "$second" set kept 2
    await have_same_offset "$first" "$second"
    report $? "$name: both are at the same offset"
    says "$name: with the same data" 2 redis-cli -p "$first" get kept
    kill -9 "$first_pid" "$second_pid"
    wait "$first_pid" "$second_pid" 2>/dev/null
}

hand_over alike "$ours" "$ours"
hand_over to-redis "$ours" redis-server
hand_over from-redis redis-server "$ours"
finish
