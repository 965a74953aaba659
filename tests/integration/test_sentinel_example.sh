#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Sentinel with conf/sentinel.conf watches a server.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

# shellcheck disable=SC2317 # called through await_helper
is_up() {
    [ "$(redis-cli -p "$sentinel_port" ping 2>&1)" = PONG ]
}

start_sentinel() {
    for _ in {1..10}; do
        sentinel_port=$(random_port)
        sed -e "s/26379/$sentinel_port/; s/ 6379/ $port/; s,^dir .*,dir $work," conf/sentinel.conf \
            >"$work/sentinel.conf"
        start_helper sentinel redis-server "$work/sentinel.conf" --sentinel
        await_helper is_up && return 0
    done
    return 1
}

# field NAME: of what Sentinel says of the primary.
# shellcheck disable=SC2317 # called through says too
field() {
    redis-cli -p "$sentinel_port" sentinel master respite >"$work/out" 2>&1
    grep -x -A 1 "$1" "$work/out" | tail -n 1
}

# shellcheck disable=SC2317 # called through await
knows_run_id() {
    [ "$(field runid)" = "$run_id" ]
}

start_server --save ''
start_sentinel
status=$?
cp "$work/sentinel.log" "$work/out"
report "$status" 'Sentinel starts with the example'
run_id=$(redis-cli -p "$port" info server | tr -d '\r' | sed -n 's/^run_id://p')
await knows_run_id
report $? 'it has read INFO'
says 'the server is its primary' master field flags
says 'clients get its address' $'127.0.0.1\n'"$port" \
    redis-cli -p "$sentinel_port" sentinel get-master-addr-by-name respite
says 'two have to agree' 2 field quorum
says 'so long without an answer' 5000 field down-after-milliseconds
finish
