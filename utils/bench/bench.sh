#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Respite and redis-server side by side: CPU time of the server per command, throughput, p99, and
# bytes per key and per item. Prints the tables and writes them into docs/benchmarks.md.
#
#   utils/bench/bench.sh [GROUP]    run from the root of the tree, or through `make bench BENCH=GROUP`
#
#   strings      GET, SET, MGET and INCR by redis-benchmark, SETEX of new keys by bench_load
#   collections  lists, sets, hashes and sorted sets by bench_load, which can do what it cannot
#   memory       bytes per key, per item of collections and per idle connection; RSS behind 5 M keys
#   latency      how long a GET waits beside growth, eviction, expiry and freeing (bench_latency.sh)
#   all          all of them (if no group is named)
#
# Both servers run at the same time, pinned to one CPU, and are measured in turn with the load on
# another; who begins changes each round. CPU time is user and system time of all threads of the
# process, as the scheduler counts it, and each measurement is made long enough for BENCH_SECONDS of it.
# It counts what a command costs the server, however busy the load generator is. Each round gives the ratio of
# two measurements that follow on each other, and the median of the rounds counts: what other guests of the
# same host do to caches and clocks lasts longer than a round, so it is in both, or spoils one round of many.
# Of collections and SETEX both servers get the same number of commands, the one that is slower uses
# BENCH_SECONDS: these commands make the collection or the keyspace grow.
#
# The floor of each command is bench_floor, under the same load as ours: it parses nothing and answers each
# request with one reply that ours gave. It is measured in every second round.
#
#   BENCH_ROUNDS=15           rounds
#   BENCH_SECONDS=0.25        CPU time of the server in one measurement
#   BENCH_QUICK=1             3 rounds of 0.1 s, three sizes; docs/benchmarks.md stays as it is
#   BENCH_ONLY='HSET big-hash'   only these commands and kinds; docs/benchmarks.md stays as it is
#   BENCH_PIPELINES='1 16 100'   of strings
#   BENCH_PEER=valkey-8          instead of redis-server; the bounds are not about it (make bench-peers)
#   and those of servers.sh: which servers on which CPUs
#
# The exit status is 1 if a bound of bounds.txt does not hold (not in quick runs).
set -euo pipefail
export LC_ALL=C

here=$(dirname "$0")
case ${1:-all} in
strings | collections | memory | latency) groups=$1 ;;
all) groups='strings collections memory latency' ;;
*)
    echo "bench: no group '$1': strings, collections, memory, latency or all" >&2
    exit 2
    ;;
esac

# shellcheck source=utils/bench/workloads.sh
. "$here/workloads.sh"

quick=${BENCH_QUICK:-}
rounds=${BENCH_ROUNDS:-$([ -n "$quick" ] && echo 3 || echo 15)}
seconds=${BENCH_SECONDS:-$([ -n "$quick" ] && echo 0.1 || echo 0.25)}
only=${BENCH_ONLY:-}
pipelines=${BENCH_PIPELINES:-1 16 100}
sizes=$([ -n "$quick" ] && echo 50000 70000 100000 || echo 500000 600000 700000 850000 1000000)
keys=$([ -n "$quick" ] && echo 100000 || echo 1000000)
members=$([ -n "$quick" ] && echo 60000 || echo 600000)
value_bytes=64
declare -A count

# Commands of bench_load: what is measured of collections and SETEX, what redis-benchmark sends of the
# others (for the floor's reply), and below which number they are random (0: numbers in order).
workload_command+=(
    [MGET]="MGET$(printf ' key:%%k%.0s' {1..10})"
    [INCR]='INCR key:%k'
    [SETEX]="SETEX key:%k 86400 $(printf "x%.0s" $(seq "$value_bytes"))"
    [ZRANGE]='ZRANGE zset %n %e'
    [SINTER]='SINTER tags:0 tags:1'
)
declare -A range=([SADD]=$keys [HSET]=$keys [ZADD]=$members [ZRANK]=$members
    [ZRANGE]=$((members - 100)))

# And what fills a server in the measurements of memory. big-hash is ten hashes.
declare -A fill_command=(
    [16]='SET key:%k val:%k'
    [64]="SET key:%k %k:$(printf 'x%.0s' {1..51})"
    [integer]='SET key:%k %i'
    [ttl]='SET key:%k val:%k EX %t'
    [small-hash]='HSET key:%k name bob%n age 30 city Paris score %n mail u%n@example.com'
    [small-set]='SADD key:%k a%n b c d e'
    [small-list]='RPUSH key:%k a%n b c d e'
    [small-zset]='ZADD key:%k 1 a%n 2 b 3 c 4 d 5 e'
    [big-hash]='HSET hash:%d field:%n value:%n'
    [big-set]='SADD set member:%n'
    [big-zset]='ZADD zset %s member:%n'
    [big-list]='RPUSH list element:%n'
)

# Of the given names those that BENCH_ONLY wants.
chosen() {
    local name
    for name in "$@"; do
        [ -n "$only" ] && [[ " $only " != *" $name "* ]] || echo "$name"
    done
}

# ---- speed

# Runs a command; prints commands per second and p99 in ms.
benchmark() {
    local name=$1 command=$2 pipeline=$3 requests=$4 args csv
    case $command in
    GET) args=(-t get) ;;
    SET) args=(-t set) ;;
    INCR) args=(INCR key:__rand_int__) ;;
    MGET) args=(MGET key:__rand_int__{,,,,,,,,,}) ;;
    *)
        benchmark_collection "$@"
        return
        ;;
    esac
    csv=$(taskset -c "$load_cpu" redis-benchmark -h 127.0.0.1 -p "${port[$name]}" -c "$clients" \
        -n "$requests" -P "$pipeline" -r "$keys" -d "$value_bytes" --csv "${args[@]}" \
        2>"$work/benchmark.log" | tail -n 1)
    awk -F , '{ gsub(/"/, ""); print $(NF - 6), $(NF - 1) }' <<<"$csv"
}

benchmark_collection() {
    local name=$1 what=$2 pipeline=$3 requests=$4 numbers=(-f 0)
    [ -z "${range[$what]:-}" ] || numbers=(-r "${range[$what]}")
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$name]}" -c "$clients" -P "$pipeline" \
        -n "$requests" "${numbers[@]}" "${workload_command[$what]}"
}

# Before a command is measured: what it makes grow or shrink is as it was before.
prepare() {
    local name=$1 command=$2 requests=$3 key
    [ "$name" != floor ] || return 0
    case $command in
    SETEX)
        ask "$name" flushall >/dev/null
        # Some ten thousand small keys are soon gone.
        settle "$name" 0.05 >/dev/null
        return 0
        ;;
    LPUSH | RPOP) key=queue ;;
    SADD) key='set' ;;
    HSET) key='hash' ;;
    *) return 0 ;;
    esac
    ask "$name" del "$key" >/dev/null
    [ "$command" != RPOP ] || fill "$name" 0 "$requests" 'LPUSH queue element:%n'
    settle "$name" 0.1 >/dev/null
}

# The number of requests that costs the server about BENCH_SECONDS.
calibrate() {
    local name=$1 command=$2 pipeline=$3 requests=1000 before us enough=0 least=
    while [ "$enough" -lt 3 ]; do
        prepare "$name" "$command" "$requests"
        before=$(cpu_us "$name")
        benchmark "$name" "$command" "$pipeline" "$requests" >/dev/null
        us=$(($(cpu_us "$name") - before))
        if [ "$us" -lt 50000 ]; then
            requests=$((requests * 4))
            continue
        fi
        enough=$((enough + 1))
        us=$(awk "BEGIN { printf \"%.4f\", $us / $requests }")
        least=$(printf '%s\n' ${least:+"$least"} "$us" | sort -n | head -n 1)
    done
    count["$name $command $pipeline"]=$(awk "BEGIN {
        n = $seconds * 1e6 / $least
        print int(n / 1000 + 1) * 1000 }")
}

# Keeps the reply of ours to one such command as the floor's: with a number from the middle, so that what it
# names is as long as most.
keep_reply() {
    local command=$1 number=$((${range[$1]:-$keys} / 2)) file=$work/$1.reply
    [ "$command" != RPOP ] || fill ours "$number" 1 'LPUSH queue element:%n'
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[ours]}" -n 1 -f "$number" -o "$file" \
        "${workload_command[$command]}" >/dev/null || die "ours does not answer $command"
    [[ $(head -c 2 "$file") != [\$*][-0] ]] || die "ours has nothing for $command"
}

# One measurement, one line of samples.
measure() {
    local round=$1 name=$2 command=$3 pipeline=$4 requests before us said rps p99
    requests=${count["$name $command $pipeline"]}
    prepare "$name" "$command" "$requests"
    before=$(cpu_us "$name")
    said=$(benchmark "$name" "$command" "$pipeline" "$requests")
    us=$(($(cpu_us "$name") - before))
    read -r rps p99 <<<"$said"
    [[ $rps =~ ^[0-9.]+$ && $p99 =~ ^[0-9.]+$ ]] || die "the load generator said: $said"
    printf 'speed\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$command" "$pipeline" "$round" \
        "$(awk "BEGIN { printf \"%.4f\", $us / $requests }")" "$rps" "$p99" >>"$samples"
}

measure_floor() {
    local round=$1 command=$2 pipeline=$3
    start_floor "$work/$command.reply"
    count["floor $command $pipeline"]=${count["ours $command $pipeline"]}
    measure "$round" floor "$command" "$pipeline"
    stop_server floor
}

# measure_rounds DEPTHS COMMAND...: the rounds of calibrated commands.
measure_rounds() {
    local depths=$1 round command pipeline order
    shift
    for command in "$@"; do
        keep_reply "$command"
    done
    for ((round = 1; round <= rounds; round++)); do
        order='ours theirs'
        [ $((round % 2)) = 1 ] || order='theirs ours'
        for command in "$@"; do
            for pipeline in $depths; do
                for name in $order; do
                    measure "$round" "$name" "$command" "$pipeline"
                done
                [ $((round % 2)) = 0 ] || measure_floor "$round" "$command" "$pipeline"
            done
        done
        echo "round $round of $rounds: $* done" >&2
    done
}

# Strings of one kind in both servers instead of what they hold, then rounds of commands on them.
measure_strings() {
    local kind=$1 command pipeline
    shift
    [ $# -gt 0 ] || return 0
    for name in ours theirs; do
        ask "$name" flushall >/dev/null
        fill "$name" 0 "$keys" "$kind"
    done
    for command in "$@"; do
        for pipeline in $pipelines; do
            calibrate ours "$command" "$pipeline"
            calibrate theirs "$command" "$pipeline"
        done
    done
    measure_rounds "$pipelines" "$@"
}

# The smaller number of commands for both.
calibrate_both() {
    local command=$1 ours theirs
    calibrate ours "$command" 16
    calibrate theirs "$command" 16
    ours=${count["ours $command 16"]}
    theirs=${count["theirs $command 16"]}
    [ "$ours" -lt "$theirs" ] || ours=$theirs
    count["ours $command 16"]=$ours
    count["theirs $command 16"]=$ours
}

# New keys in servers that hold nothing.
measure_new_keys() {
    [ $# -gt 0 ] || return 0
    calibrate_both "$1"
    measure_rounds 16 "$1"
}

group_strings() {
    # shellcheck disable=SC2046 # names without blanks
    {
        measure_new_keys $(chosen SETEX)
        measure_strings "${fill_command[64]}" $(chosen GET SET MGET)
        # INCR wants integers.
        measure_strings "${fill_command[integer]}" $(chosen INCR)
    }
}

# What a command finds that does not make it itself; several commands share the sorted set.
fill_for() {
    local name=$1 command=$2
    case $command in
    ZADD | ZRANK | ZRANGE)
        [ "$(ask "$name" exists zset)" = 1 ] ||
            fill "$name" 0 "$members" 'ZADD zset %s member:%n'
        ;;
    LRANGE) fill "$name" 0 100000 'RPUSH list element:%n' ;;
    HGETALL) fill "$name" 0 50 'HSET profile field:%n value:%n' ;;
    SINTER)
        fill "$name" 0 10000 'SADD tags:0 member:%n'
        fill "$name" 5000 10000 'SADD tags:1 member:%n'
        ;;
    esac
}

group_collections() {
    local commands name command
    mapfile -t commands < <(chosen LPUSH RPOP SADD HSET ZADD ZRANK ZRANGE LRANGE HGETALL SINTER)
    [ ${#commands[@]} -gt 0 ] || return 0
    for name in ours theirs; do
        for command in "${commands[@]}"; do
            fill_for "$name" "$command"
        done
        settle "$name" >/dev/null
    done
    for command in "${commands[@]}"; do
        calibrate_both "$command"
    done
    measure_rounds 16 "${commands[@]}"
}

# ---- memory

# How many keys a kind has with so many items.
keys_of() {
    case $1 in
    big-hash) echo 10 ;;
    big-*) echo 1 ;;
    *) echo "$2" ;;
    esac
}

# A server of its own for each kind, filled step by step.
measure_memory() {
    local name=$1 kind=$2 command=$3 empty empty_rss used have=0 size
    start_server "$name"
    empty=$(settle "$name")
    empty_rss=$(rss_bytes "$name")
    for size in $sizes; do
        fill "$name" "$have" $((size - have)) "$command"
        have=$size
        used=$(settle "$name")
        [ "$(cli "$name" dbsize)" = "$(keys_of "$kind" "$size")" ] ||
            die "$name holds another number of keys ($kind, $size)"
        printf 'memory\t%s\t%s\t%s\t%s\t%s\n' "$name" "$kind" "$size" \
            "$(awk "BEGIN { printf \"%.3f\", ($used - $empty) / $size }")" \
            "$(awk "BEGIN { printf \"%.3f\", ($(rss_bytes "$name") - $empty_rss) / $size }")" \
            >>"$samples"
    done
    stop_server "$name"
}

group_memory() {
    local what
    for what in $(chosen 16 64 integer ttl small-hash small-set small-list small-zset \
        big-hash big-set big-zset big-list); do
        measure_memory ours "$what" "${fill_command[$what]}"
        measure_memory theirs "$what" "${fill_command[$what]}"
        echo "bytes of each, $what: done" >&2
    done
    [ -z "$(chosen rss)" ] || measure_rss
    [ -z "$(chosen idle)" ] || measure_idle
}

# shellcheck source=utils/bench/bench_footprint.sh
. "$here/bench_footprint.sh"
# shellcheck source=utils/bench/bench_latency.sh
. "$here/bench_latency.sh"

# ---- report

# How the group was measured.
method() {
    case $1 in
    strings) echo "Load: \`redis-benchmark -c $clients -r $keys -d $value_bytes -P DEPTH\` on" \
        "$keys keys; MGET asks for 10 keys. SETEX: \`bench_load -c $clients -P 16\`, new keys with" \
        "$value_bytes bytes and a TTL of a day in an empty server. $rounds rounds, $seconds s of" \
        "server CPU a measurement; the median of the rounds' ratios counts." ;;
    collections)
        echo "Load: \`bench_load -c $clients -P 16\`. $rounds rounds, $seconds s of server CPU a" \
            "measurement; the median of the rounds' ratios counts."
        echo "LPUSH and RPOP: one list, \`element:N\`. SADD and HSET: into one empty key, random" \
            "\`member:N\` and \`field:N\` \`value:N\` of $keys. ZADD: random 32-bit scores for" \
            "random members of $members; ZRANK: random ones of them; ZRANGE: 100 of them from a" \
            "random rank. LRANGE: 0 to 99 of 100000. HGETALL: 50 fields. SINTER: two sets of" \
            "10000 members that share 5000."
        ;;
    memory) echo "Sizes: $(tr ' ' , <<<"$sizes" | sed 's/,/, /g'). A key is \`key:%012d\`; the big" \
        "collections are one key (of hashes ten) of \`field:N\` \`value:N\`, \`member:N\`, random" \
        "32-bit scores for \`member:N\`, and \`element:N\`." ;;
    latency) echo "2,000 GETs or PINGs a second; inserting: one connection, pipeline 256. Of the parts of 1 M" \
        "keys, the best round of each, the median p99.9 and the longest wait." ;;
    esac
}

run_group() {
    local group=$1 begun=$SECONDS holds=yes report=report.awk bounds=$here/bounds.txt
    local command_line="make bench BENCH=$1"
    if [ -n "$peer" ]; then
        bounds=/dev/null
        command_line="make bench-peers BENCH=$1 PEERS=$peer"
    fi
    samples=$out/$group.tsv
    : >"$samples"
    [ "$group" != latency ] || report=latency.awk
    if [[ $group != memory && $group != latency ]]; then
        start_server ours
        start_server theirs
    fi
    "group_$group"
    stop_all
    [ -s "$samples" ] || return 0
    {
        machine "$command_line"
        method "$group"
        echo "It took $((SECONDS - begun)) s."
        echo
        awk -f "$here/$report" "$bounds" "$samples" || holds=no
    } >"$out/$group.md"
    cat "$out/$group.md"
    echo
    publish "$command_line" "$out/$group.md"
    [ -n "$quick" ] || [ "$holds" = yes ] || failed=$group
}

failed=
for group in $groups; do
    run_group "$group"
done
echo "bench: $groups took $SECONDS s in all" >&2
[ -z "$failed" ]
