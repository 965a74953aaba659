#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# twemproxy with conf/twemproxy.yml spreads keys over three servers, finds them again, and does what its pools say when
# one of the servers is gone.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

# Debian puts it where only root looks.
PATH=$PATH:/usr/sbin
keys=400

# The example with the ports of this run, and less patience.
write_config() {
    cache_port=$(random_port)
    store_port=$(random_port)
    sed -e "s/22121/$cache_port/; s/22122/$store_port/" \
        -e "s/:6379:/:${ports[0]}:/; s/:6380:/:${ports[1]}:/; s/:6381:/:${ports[2]}:/" \
        -e 's/server_retry_timeout: .*/server_retry_timeout: 200/' \
        conf/twemproxy.yml >"$work/twemproxy.yml"
}

# is_up PORT
# shellcheck disable=SC2317 # called through await_helper
is_up() {
    [ "$(redis-cli -p "$1" ping 2>&1)" = PONG ]
}

start_proxy() {
    for _ in {1..10}; do
        write_config
        start_helper twemproxy nutcracker -c "$work/twemproxy.yml" -p "$work/twemproxy.pid" \
            -o "$work/twemproxy.out" -a 127.0.0.1 -s "$(random_port)"
        await_helper is_up "$cache_port" && await_helper is_up "$store_port" && return 0
    done
    return 1
}

# through PORT WORD FIRST LAST: as many commands, WORD with a key each, in one connection.
through() {
    local i
    for ((i = $3; i <= $4; i++)); do
        if [ "$2" = SET ]; then echo "SET key:$i value:$i"; else echo "$2 key:$i"; fi
    done | redis-cli -p "$1" 2>&1
}

expected_values() {
    local i
    for ((i = 1; i <= keys; i++)); do echo "value:$i"; done
}

ports=()
pids=()
for name in one two three; do
    start_node "$name"
    ports+=("$node_port")
    pids+=("$helper")
done

write_config
nutcracker -t -c "$work/twemproxy.yml" >"$work/out" 2>&1
report $? 'the example is valid'
start_proxy
status=$?
cat "$work/twemproxy.log" "$work/twemproxy.out" >"$work/out" 2>/dev/null
report "$status" 'twemproxy starts'

through "$store_port" SET 1 "$keys" | sort | uniq -c >"$work/out"
[ "$(tr -s ' ' <"$work/out")" = " $keys OK" ]
report $? 'keys are set through it'
says 'and got back' "$(expected_values)" through "$store_port" GET 1 "$keys"
sum=0
for node in "${ports[@]}"; do
    size=$(redis-cli -p "$node" dbsize)
    sum=$((sum + size))
    echo "$node: $size" >"$work/out"
    [ "$size" -gt $((keys / 10)) ]
    report $? 'each server has its share'
done
says 'and no key lies twice' "$keys" echo "$sum"
says 'several keys at a time' $'OK\nvalue:1\nb\nvalue:3' \
    bash -c "redis-cli -p $store_port mset key:2 b more 1; redis-cli -p $store_port mget key:1 key:2 key:3"
says 'keys that belong together' $'2\n3' \
    bash -c "redis-cli -p $store_port sadd '{u}:a' 1 2; redis-cli -p $store_port sadd '{u}:b' 2 3 4"
says 'are worked on together' 2 redis-cli -p "$store_port" sinter '{u}:a' '{u}:b'

# One server is gone: the store says so for its keys, and finds the others.
kill -9 "${pids[0]}"
wait "${pids[0]}" 2>/dev/null
through "$store_port" GET 1 "$keys" >"$work/answers"
grep -c '^value:' "$work/answers" >"$work/out"
[ "$(cat "$work/out")" -gt $((keys / 3)) ] && [ "$(cat "$work/out")" -lt "$keys" ]
report $? 'the store: keys of the other servers are there'
grep -q 'ERR' "$work/answers"
report $? 'the store: those of the one that is gone are errors'

# The cache hands them to the others.
# shellcheck disable=SC2317 # called through await
takes_all() {
    through "$cache_port" SET 1 "$keys" | sort | uniq -c >"$work/out"
    [ "$(tr -s ' ' <"$work/out")" = " $keys OK" ]
}
await takes_all
report $? 'the cache: the others take all keys'
# shellcheck disable=SC2317 # called through await
gives_all() {
    [ "$(through "$cache_port" GET 1 "$keys")" = "$(expected_values)" ]
}
await gives_all
report $? 'the cache: and have them'

# It comes back at its address.
start_helper back "$server" --port "${ports[0]}" --bind 127.0.0.1 --dir "$work/one" --save ''
# shellcheck disable=SC2317 # called through await
answers_all() {
    ! through "$store_port" GET 1 "$keys" | grep -q ERR
}
await answers_all
report $? 'the store: no errors when it is back'
finish
