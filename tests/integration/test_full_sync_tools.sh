#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Full syncs with real peers: redis-server as replica of ours, in both forms, and redis-cli's modes that are replicas.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

# Nothing of the user's own comes in.
export REDISCLI_RCFILE=/dev/null TERM=xterm

# shellcheck disable=SC2317 # called through says and holds
cli() {
    timeout 60 redis-cli -p "$port" "$@"
}

oracle() {
    timeout 60 redis-cli -p "$oracle_port" "$@"
}

# shellcheck disable=SC2317 # called through await
in_sync() {
    oracle info replication | tr -d '\r' | grep -qx 'master_link_status:up'
}

# shellcheck disable=SC2317 # called through await
has() {
    [ "$(oracle get "$1")" = "$2" ]
}

# equal NAME: the oracle has the data that we have.
equal() {
    says "$1" "$(cli debug digest)" oracle debug digest
}

# loads NAME KEYS FILE: redis-server finds so many keys in the file.
loads() {
    redis-check-rdb "$3" >"$work/out" 2>&1
    grep -q "RDB looks OK" "$work/out" && grep -q " $2 keys read" "$work/out"
    report $? "$1"
}

start_server --save '' --repl-diskless-sync-delay 0 --enable-debug-command yes
start_oracle --save '' --enable-debug-command yes

# All types, on both sides of their encodings' bounds, and some with an expiry.
{
    for i in {1..300}; do
        echo "SET key:$i value:$i"
        echo "RPUSH list $i"
        echo "RPUSH long-list element-of-a-long-list:$i"
        echo "SADD set element:$i"
        echo "SADD numbers $i"
        echo "HSET hash field:$i $i"
        echo "ZADD zset $i.5 element:$i"
    done
    echo 'RPUSH short-list 1 two'
    echo 'SADD short-set a 1'
    echo 'HSET short-hash a 1'
    echo 'ZADD short-zset 1 a -inf b'
    echo 'EXPIRE short-hash 100000'
    echo 'SELECT 5'
    echo 'SET elsewhere 1'
} | cli >/dev/null
cli setrange large 3000000 x >/dev/null

# redis-server, straight from the socket and by way of a file of its own.
for load in disabled swapdb; do
    oracle config set repl-diskless-load "$load" >/dev/null
    for diskless in yes no; do
        what="redis-server as replica: repl-diskless-sync $diskless, repl-diskless-load $load"
        cli config set repl-diskless-sync "$diskless" >/dev/null
        oracle replicaof no one >/dev/null
        oracle flushall >/dev/null
        oracle replicaof 127.0.0.1 "$port" >/dev/null
        await in_sync
        report $? "$what: the link is up"
        cli -n 5 set after "$load-$diskless" >/dev/null
        await oracle -n 5 exists after >/dev/null
        cli set last "$load-$diskless" >/dev/null
        await has last "$load-$diskless"
        report $? "$what: the stream follows"
        equal "$what: the same data"
    done
done
oracle replicaof no one >/dev/null
keys=$(($(cli dbsize) + $(cli -n 5 dbsize)))

# redis-cli as a replica.
for diskless in yes no; do
    cli config set repl-diskless-sync "$diskless" >/dev/null
    holds "--rdb: repl-diskless-sync $diskless" 'Transfer finished with success' \
        cli --rdb "$work/copy.rdb"
    loads "--rdb: the file is good: repl-diskless-sync $diskless" "$keys" "$work/copy.rdb"
done
holds '--functions-rdb' 'Transfer finished with success' cli --functions-rdb "$work/functions.rdb"
loads '--functions-rdb: nothing is in it' 0 "$work/functions.rdb"

start_helper listener redis-cli -p "$port" --replica
await_helper grep -q 'SYNC done' "$work/listener.log"
cp "$work/listener.log" "$work/out"
report $? '--replica: the data set has come'
cli set seen-by-replica 1 >/dev/null
await_helper grep -q '"set","seen-by-replica","1"' "$work/listener.log"
status=$?
cp "$work/listener.log" "$work/out"
report $status '--replica: what is written comes'

finish
