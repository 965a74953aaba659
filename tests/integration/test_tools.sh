#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# redis-cli and redis-benchmark against a live server.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

# shellcheck disable=SC2317 # called through says and holds
cli() {
    timeout 60 redis-cli -p "$port" "$@"
}

# The load generator prints one line for each test, and warnings or errors if something is amiss.
benchmark() {
    local name=$1 lines=$2 status
    shift 2
    timeout 100 redis-benchmark -p "$port" -q "$@" 2>&1 | tr '\r' '\n' >"$work/out"
    status=${PIPESTATUS[0]}
    grep -qiE 'warning|error|unexpected' "$work/out" && status=1
    [ "$(grep -c 'requests per second' "$work/out")" = "$lines" ] || status=1
    report "$status" "$name"
}

start_server
says 'ping' PONG cli ping
says 'set' OK cli set greeting 'hello there'
says 'get' 'hello there' cli get greeting
says 'another database' '' cli -n 3 get greeting
says 'nothing, in RESP3' '' cli -3 get nokey
says 'a map, in RESP3' 'timeout 0' bash -c "redis-cli -3 -p $port config get timeout | xargs"
says 'a value from standard input' 'from a pipe' \
    bash -c "printf 'from a pipe' | redis-cli -p $port -x set piped >/dev/null; redis-cli -p $port get piped"
says 'an error' "ERR wrong number of arguments for 'get' command" \
    bash -c "redis-cli -p $port get | head -n 1"
holds 'info' 'redis_version:7.2' cli info
holds 'mass insertion' 'errors: 0, replies: 3000' \
    bash -c "for i in {1..3000}; do printf 'SET key:%d 1000\r\n' \$i; done | redis-cli -p $port --pipe"
says 'its keys are there' 3002 cli dbsize
says 'scan' 3000 bash -c "redis-cli -p $port --scan --pattern 'key:*' | sort -u | wc -l"
holds 'big keys' '3002 strings' cli --bigkeys
holds 'a repeated command' '(integer) 1005' bash -c "redis-cli --no-raw -p $port -r 5 incr key:1000"
benchmark 'benchmark' 6 -n 20000 -t ping,set,get,incr,mset
benchmark 'benchmark, pipelined, in RESP3' 3 -3 -n 100000 -P 100 -r 10000 -d 100 -t set,get,incr
benchmark 'benchmark, many clients' 1 -n 20000 -c 500 -t get
finish
