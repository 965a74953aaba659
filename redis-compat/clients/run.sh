#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the client programs of this folder, one after the other, against one live server.
#
#   redis-compat/clients/run.sh      RESPITE_SERVER names the server (build/respite-server)
#
# The server runs in a temporary folder, on a free loopback port. A client that is not there is a
# failure. The last check is that the server ends cleanly. Ends with the line "N passed, N failed".
set -u
server=$(realpath "${RESPITE_SERVER:-build/respite-server}") || exit 1
cd "$(dirname "$0")" || exit 1

limit_s=120
work=$(mktemp -d)
pid=
passed=0
failed=0

clean_up() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# Starts the server on $port; false when it ends instead of serving.
start_server() {
    "$server" --port "$port" --bind 127.0.0.1 --dir "$work" >"$work/log" 2>&1 </dev/null &
    pid=$!
    for _ in {1..600}; do
        grep -q 'Ready to accept connections' "$work/log" && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# report STATUS NAME: counts, and shows what was printed when it failed.
report() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$(tail -n 1 "$work/out")"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s: status %d\n' "$2" "$1"
        cat "$work/out"
    fi
}

# client NAME COMMAND...: runs COMMAND with the port as its last argument.
client() {
    local name=$1
    shift
    timeout --kill-after=10 "$limit_s" "$@" "$port" >"$work/out" 2>&1
    report $? "$name"
}

stop_server() {
    kill -TERM "$pid"
    # A server that does not end is ended by force, and has failed.
    (sleep 30 && kill -9 "$pid") 2>/dev/null &
    local guard=$!
    wait "$pid"
    local status=$?
    kill "$guard" 2>/dev/null
    wait "$guard" 2>/dev/null
    pid=
    if [ "$status" = 0 ]; then
        echo 'the server ended cleanly' >"$work/out"
    else
        cp "$work/log" "$work/out"
    fi
    report "$status" 'the server'
}

for _ in {1..10}; do
    port=$((20000 + RANDOM % 10000))
    start_server && break
    grep -q 'in use' "$work/log" || { cat "$work/log"; echo '0 passed, 1 failed'; exit 1; }
done

client 'python redis' /usr/bin/python3 python_redis.py

# Without packages the programs that need them fail, and say so.
./install.sh || echo 'npm ci failed'
node=$(./node.sh)
client 'npm redis' "${node:-node-is-missing}" node_redis.mjs
client 'npm ioredis' "${node:-node-is-missing}" ioredis.mjs

[ "$failed" = 0 ] || { echo '---- the server said'; cat "$work/log"; }
stop_server
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
