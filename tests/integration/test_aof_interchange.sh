#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Append-only files change hands: redis-server loads ours, checks them, and writes on; we load its.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

redis=$(command -v redis-server) || exit 1
data=$work/data
socket=$work/s
mkdir "$data"

# run PROGRAM OPTION...: the program serves the append-only file.
run() {
    local program=$1
    shift
    start_helper "$(basename "$program")" "$program" --port 0 --unixsocket "$socket" --dir "$data" \
        --appendonly yes --save '' "$@"
    await redis-cli -s "$socket" ping >/dev/null 2>&1
}

ask() {
    redis-cli -s "$socket" "$@"
}

end_run() {
    ask shutdown >/dev/null 2>&1
    wait "$helper"
}

fill() {
    local prefix=$1
    {
        printf '%s\n' "SET $prefix:string \"a\\r\\n\\x00b\""
        echo "INCRBY $prefix:int 42"
        echo "RPUSH $prefix:list $(seq -s ' ' 300)"
        echo "LPOP $prefix:list"
        echo "SADD $prefix:ints 1 2 3"
        echo "SADD $prefix:set a b c"
        echo "SPOP $prefix:set"
        echo "HSET $prefix:hash $(seq -s ' ' 400)"
        echo "HINCRBYFLOAT $prefix:hash 1 0.5"
        echo "ZADD $prefix:zset 1 a 2.5 b -inf c"
        echo "SET $prefix:ttl 1 EX 100000"
        echo "MULTI"
        echo "SET $prefix:multi 1"
        echo "EXPIRE $prefix:multi 100000"
        echo "EXEC"
        echo "SELECT 5"
        echo "SET $prefix:elsewhere 1"
    } | ask >/dev/null
}

# What is there, in both databases: a payload of each key, and whether it expires.
contents() {
    local db key
    for db in 0 5; do
        for key in $(ask -n "$db" keys '*' | sort); do
            echo "$db $key $(ask -n "$db" type "$key") $(ask -n "$db" ttl "$key" | sed 's/^[0-9].*/some/')"
            case $(ask -n "$db" type "$key") in
                string) ask -n "$db" get "$key" ;;
                list) ask -n "$db" lrange "$key" 0 -1 ;;
                set) ask -n "$db" smembers "$key" | sort ;;
                hash) ask -n "$db" hgetall "$key" | paste - - | sort ;;
                zset) ask -n "$db" zrange "$key" 0 -1 withscores ;;
            esac
        done
    done
}

# hand_over NAME FROM TO: what one has written the other has.
hand_over() {
    local name=$1 from=$2 to=$3 status
    run "$from" --aof-timestamp-enabled "$4"
    fill "$name"
    contents >"$work/from"
    end_run
    redis-check-aof "$data/appendonlydir/appendonly.aof.manifest" >"$work/out" 2>&1
    report $? "$name: redis-check-aof finds nothing"
    run "$to"
    contents >"$work/to"
    end_run
    diff -a "$work/from" "$work/to" >"$work/out"
    status=$?
    [ -s "$work/from" ] || status=1
    report "$status" "$name: $(wc -l <"$work/from") lines are the same"
}

# rewrite PROGRAM PREAMBLE: the base is an RDB file, or made of commands.
rewrite() {
    run "$1" --aof-use-rdb-preamble "$2"
    fill rewritten
    ask bgrewriteaof >/dev/null
    await rewritten >/dev/null
    ask set behind 1 >/dev/null
    end_run
}

# shellcheck disable=SC2317 # called through await
rewritten() {
    ask info persistence | grep -q 'aof_rewrite_in_progress:0' &&
        ask info persistence | grep -q 'aof_rewrites:1'
}

hand_over ours "$server" "$redis" no
hand_over theirs "$redis" "$server" yes
hand_over ours-again "$server" "$redis" yes
rewrite "$server" yes
hand_over behind-our-rewrite "$redis" "$server" no
rewrite "$redis" yes
hand_over behind-their-rewrite "$server" "$redis" no
rewrite "$server" no
hand_over behind-our-commands "$redis" "$server" no
rewrite "$redis" no
hand_over behind-their-commands "$server" "$redis" no
finish
