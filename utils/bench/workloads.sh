# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The commands that profiles are made of, and what each of them finds; make bench measures most of them, too.
# Sourced in place of servers.sh, which it brings along.

# shellcheck source=utils/bench/servers.sh
. "${BASH_SOURCE[0]%/*}/servers.sh"

# shellcheck disable=SC2034 # read by the scripts that source this file
workloads=(GET SET INCR MGET SETEX LPUSH RPOP SADD HSET ZADD ZRANK LRANGE HGETALL)
# Keys of each kind, members and elements, and below it the numbers of what is random.
key_count=100000
# Connections of the load.
clients=50
fifty=$(printf 'x%.0s' {1..50})

# What stands behind a % is filled in by bench_load.
declare -A workload_command=(
    [GET]='GET key:%k'
    [SET]="SET key:%k %k:$fifty"
    [INCR]='INCR count:%k'
    [MGET]='MGET key:%r key:%r key:%r key:%r key:%r key:%r key:%r key:%r key:%r key:%r'
    [SETEX]='SETEX new:%k %t val:%k'
    [LPUSH]='LPUSH queue element:%n'
    [RPOP]='RPOP queue'
    [SADD]='SADD set member:%n'
    [HSET]='HSET hash field:%n value:%n'
    [ZADD]='ZADD zset %s member:%n'
    [ZRANK]='ZRANK zset member:%n'
    [LRANGE]='LRANGE list 0 99'
    [HGETALL]='HGETALL profile'
)

# Numbers in order, each used once.
declare -A next_number=([SETEX]=0 [LPUSH]=0)

# workload_count NAME COUNT: those with long replies are measured with fewer commands.
workload_count() {
    case $1 in
    LRANGE | HGETALL) echo $(($2 / 10)) ;;
    *) echo "$2" ;;
    esac
}

# fill_once SERVER KEY COUNT COMMAND: fills a server with what makes this key, unless it is there.
fill_once() {
    [ "$(ask "$1" exists "$2")" = 1 ] || fill "$1" 0 "$3" "$4"
}

# prepare_workload SERVER NAME COUNT: makes what so many commands find.
prepare_workload() {
    local server=$1 name=$2 count=$3
    case $name in
    GET | SET | MGET) fill_once "$server" key:000000000000 "$key_count" "${workload_command[SET]}" ;;
    INCR) fill_once "$server" count:000000000000 "$key_count" 'SET count:%k %i' ;;
    RPOP)
        ask "$server" del queue >/dev/null
        fill "$server" 0 "$count" "${workload_command[LPUSH]}"
        ;;
    SADD) ask "$server" del set >/dev/null ;;
    HSET) ask "$server" del hash >/dev/null ;;
    ZADD | ZRANK) fill_once "$server" zset "$key_count" "${workload_command[ZADD]}" ;;
    LRANGE) fill_once "$server" list "$key_count" 'RPUSH list element:%n' ;;
    HGETALL) fill_once "$server" profile 50 'HSET profile field:%n value:%n' ;;
    esac
}

# run_workload SERVER NAME COUNT PIPELINE SEED: sends the commands, random ones in the seed's order.
run_workload() {
    local server=$1 name=$2 count=$3 pipeline=$4 numbers=(-r "$key_count" -f "$5")
    if [ -n "${next_number[$name]:-}" ]; then
        numbers=(-f "${next_number[$name]}")
        next_number[$name]=$((next_number[$name] + count))
    fi
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$server]}" -c "$clients" \
        -P "$pipeline" -n "$count" "${numbers[@]}" "${workload_command[$name]}" >/dev/null ||
        die "the load failed: ${workload_command[$name]}"
}
