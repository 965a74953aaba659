# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For scripts that test a live server: one in a temporary folder ($work), on a free loopback port
# ($port), and checks that count. RESPITE_SERVER names the server (build/respite-server by default).
#
# A script sources this file from the root of the tree, calls start_server, runs its checks, and ends
# with finish. The server goes with the script, however that ends.

set -u

server=$(realpath --no-symlinks "${RESPITE_SERVER:-build/respite-server}") || exit 1
server_options=()
work=$(mktemp -d)
port=
pid=
passed=0
failed=0

clean_up() {
    [ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# Starts it on $port; false when it ends instead of serving.
serve_on_port() {
    "$server" --port "$port" --bind 127.0.0.1 --dir "$work" \
        "${server_options[@]}" >"$work/log" 2>&1 </dev/null &
    pid=$!
    for _ in {1..600}; do
        grep -q 'Ready to accept connections' "$work/log" && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

start_server() {
    for _ in {1..10}; do
        port=$((20000 + RANDOM % 10000))
        serve_on_port && return 0
        grep -q 'in use' "$work/log" || break
    done
    cat "$work/log"
    pid=
    echo '0 passed, 1 failed'
    exit 1
}

# report STATUS NAME: counts a check; shows $work/out when it failed.
report() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "ok    $2"
    else
        failed=$((failed + 1))
        echo "FAIL  $2: status $1"
        cat "$work/out"
    fi
}

# Ends the server, which is a check of its own, and the script.
finish() {
    local status
    kill -TERM "$pid" 2>/dev/null
    for _ in {1..600}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    # One that does not end is ended by force, and has failed.
    kill -9 "$pid" 2>/dev/null
    wait "$pid"
    status=$?
    pid=
    [ "$failed" = 0 ] || { echo '---- the server said'; cat "$work/log"; }
    cp "$work/log" "$work/out"
    report "$status" 'the server ends cleanly'
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
