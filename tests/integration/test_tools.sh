#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# redis-cli with one command, and redis-benchmark, against a live server. The other things redis-cli
# can do are in test_cli_modes.sh.
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

# No snapshots, as in Respite so far.
start_server --save ''
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
holds 'info' 'redis_version:7.' cli info
holds 'a repeated command' '(integer) 5' bash -c "redis-cli --no-raw -p $port -r 5 incr counter"
benchmark 'benchmark' 6 -n 20000 -t ping,set,get,incr,mset
benchmark 'benchmark, pipelined, in RESP3' 3 -3 -n 100000 -P 100 -r 10000 -d 100 -t set,get,incr
benchmark 'benchmark, many clients' 1 -n 20000 -c 500 -t get
# Without -q it says how the server is configured, or warns that it could not find out.
# shellcheck disable=SC2317 # called through says
benchmark_configuration() {
    redis-benchmark -p "$port" -n 100 -t ping_mbulk 2>&1 | grep -E '^ *host configuration|WARNING'
}
says 'benchmark finds save and appendonly' $'  host configuration "save": \n  host configuration'\
' "appendonly": no' benchmark_configuration
finish
