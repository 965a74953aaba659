#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# HAProxy with conf/haproxy.cfg finds the server up, carries its clients, and finds it down.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

export HAPROXY_STATS_SOCKET=$work/haproxy.sock HAPROXY_CHECK_INTERVAL=100ms

# Debian puts it where only root looks.
PATH=$PATH:/usr/sbin

# shellcheck disable=SC2317 # called through is_in_state
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

# is_in_state PROXY STATE: what HAProxy says about the server behind a proxy begins so. A star says
# that it is asking right now; the rest is from the last time.
# shellcheck disable=SC2317 # called through await
is_in_state() {
    ask_haproxy >"$work/answer"
    awk -F , -v proxy="$1" '$1 == proxy && $2 == "respite" { sub(/^[*] /, "", $37); print $18, $37 }' \
        "$work/answer" >"$work/out"
    grep -q "^$2" "$work/out"
}

start_haproxy() {
    for _ in {1..10}; do
        primary_port=$(random_port)
        any_port=$(random_port)
        export HAPROXY_PRIMARY=127.0.0.1:$primary_port HAPROXY_ANY=127.0.0.1:$any_port
        start_helper haproxy haproxy -db -f conf/haproxy.cfg
        await_helper is_in_state any "[A-Z]" && return 0
    done
    return 1
}

# goes NAME PROXY STATE: HAProxy finds so within half a minute.
goes() {
    await is_in_state "$2" "$3"
    report $? "$1"
}

start_server --save ''
export RESPITE_ADDRESS=127.0.0.1:$port
haproxy -c -f conf/haproxy.cfg >"$work/out" 2>&1
report $? 'the example is valid'
start_haproxy
status=$?
cp "$work/haproxy.log" "$work/out"
report "$status" 'HAProxy starts'

goes 'up, says PING, INFO replication and QUIT' primary 'UP L7OK'
goes 'up, says the check for Redis' any 'UP L7OK'
says 'set through HAProxy' OK redis-cli -p "$primary_port" set carried 'by a proxy'
says 'get through HAProxy' 'by a proxy' redis-cli -p "$primary_port" get carried
says 'get through the other one' 'by a proxy' redis-cli -p "$any_port" -3 get carried
says 'it was this server' 'by a proxy' redis-cli -p "$port" get carried

says 'a password that HAProxy does not know' OK redis-cli -p "$port" config set requirepass secret
goes 'down without the password' primary 'DOWN L7'
goes 'down without the password, the check for Redis' any 'DOWN L7'
says 'no password again' OK redis-cli -p "$port" -a secret --no-auth-warning config set requirepass ''
goes 'up again' primary 'UP L7OK'
goes 'up again, the check for Redis' any 'UP L7OK'

stop_server
goes 'down when the server has ended' primary 'DOWN L4CON'
goes 'down when the server has ended, the check for Redis' any 'DOWN L4CON'
finish
