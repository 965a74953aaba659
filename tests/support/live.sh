# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For scripts that test a live server: one in a temporary folder ($work), on a free loopback port
# ($port), and checks that count. RESPITE_SERVER names the server (build/respite-server by default).
#
# A script sources this file from the root of the tree, calls start_server, runs its checks, and ends
# with finish. The server goes with the script, however that ends.
#
# With REDIS=1 the server is redis-server: `REDIS=1 tests/integration/test_cli_modes.sh` proves that
# what the script expects is what Redis does.

set -u

if [ -n "${REDIS:-}" ]; then
    server=$(command -v redis-server) || exit 1
else
    server=$(realpath --no-symlinks "${RESPITE_SERVER:-build/respite-server}") || exit 1
fi
work=$(mktemp -d)
port=
pid=
helpers=()
passed=0
failed=0

clean_up() {
    local program
    for program in $pid ${helpers[@]+"${helpers[@]}"}; do
        kill -9 "$program" 2>/dev/null
        wait "$program" 2>/dev/null
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# await COMMAND...: until the command succeeds; false when it does not within half a minute.
await() {
    for _ in {1..600}; do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

random_port() {
    echo $((20000 + RANDOM % 10000))
}

# start_helper NAME COMMAND...: another program that goes with the script; its pid is $helper, its log
# $work/NAME.log.
start_helper() {
    local log=$work/$1.log
    shift
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    helper=$!
    helpers+=("$helper")
}

# await_helper COMMAND...: as await, but also false when the helper started last ends first.
await_helper() {
    for _ in {1..600}; do
        "$@" && return 0
        kill -0 "$helper" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# start_node NAME [OPTION...]: one more server, of $node_server or like the one under test; its port is $node_port, its
# pid $helper, its log $work/NAME.log.
start_node() {
    local name=$1
    shift
    mkdir -p "$work/$name"
    for _ in {1..10}; do
        node_port=$(random_port)
        start_helper "$name" "${node_server:-$server}" --port "$node_port" --bind 127.0.0.1 \
            --dir "$work/$name" --save '' "$@"
        await_helper grep -q 'Ready to accept connections' "$work/$name.log" && return 0
    done
    cat "$work/$name.log"
    echo '0 passed, 1 failed'
    exit 1
}

# start_oracle [OPTION...]: a redis-server beside the server under test, on $oracle_port.
# shellcheck disable=SC2120 # there may be options
start_oracle() {
    mkdir "$work/oracle"
    for _ in {1..10}; do
        oracle_port=$(random_port)
        start_helper oracle redis-server --port "$oracle_port" --bind 127.0.0.1 \
            --dir "$work/oracle" "$@"
        await_helper grep -q 'Ready to accept connections' "$work/oracle.log" && return 0
    done
    cat "$work/oracle.log"
    echo '0 passed, 1 failed'
    exit 1
}

# serve_on_port OPTION...: starts it on $port; false when it ends instead of serving.
serve_on_port() {
    : >"$work/log"
    "$server" --port "$port" --bind 127.0.0.1 --dir "$work" "$@" >"$work/log" 2>&1 </dev/null &
    pid=$!
    for _ in {1..600}; do
        grep -q 'Ready to accept connections' "$work/log" && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# start_server [OPTION...]
# shellcheck disable=SC2120 # there may be options
start_server() {
    for _ in {1..10}; do
        port=$(random_port)
        serve_on_port "$@" && return 0
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

# says NAME WANTED COMMAND...: what the command prints is exactly this.
says() {
    local name=$1 wanted=$2 got status
    shift 2
    got=$("$@" 2>&1)
    status=$?
    [ "$got" = "$wanted" ] || status=1
    printf 'wanted "%s", got "%s"\n' "$wanted" "$got" >"$work/out"
    report "$status" "$name"
}

# holds NAME TEXT COMMAND...: the command succeeds and prints this among other things.
holds() {
    local name=$1 text=$2 status
    shift 2
    "$@" >"$work/out" 2>&1
    status=$?
    grep -qF -- "$text" "$work/out" || status=1
    report "$status" "$name"
}

# Ends the server, which is a check of its own.
stop_server() {
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
}

# Ends the server and the script.
finish() {
    [ -z "$pid" ] || stop_server
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
