#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Respite and redis-server side by side: CPU time of the server per command, throughput, p99, and
# bytes per key. Prints the tables and writes them into docs/benchmarks.md.
#
#   utils/bench/bench.sh        run from the root of the tree, or through `make bench`
#
# Both servers run at the same time, pinned to one CPU, and are measured in turn by redis-benchmark
# on another; who begins changes each round, and the median of the rounds counts. CPU time is user
# and system time of the whole process as /proc/PID/stat tells it, in ticks of 10 ms, so each
# measurement is made long enough for BENCH_SECONDS of it. It counts what a command costs the
# server, however busy the load generator is.
#
#   BENCH_ROUNDS=5            rounds
#   BENCH_SECONDS=2           CPU time of the server in one measurement
#   BENCH_QUICK=1             2 rounds of 0.3 s, three sizes; docs/benchmarks.md stays as it is
#   BENCH_ONLY=speed|memory   one half; docs/benchmarks.md stays as it is
#   BENCH_PIPELINES='1 16 100'
#   BENCH_OURS=build/respite-server  BENCH_THEIRS=redis-server
#   BENCH_SERVER_CPU=0  BENCH_LOAD_CPU=1
#
# The exit status is 1 if a bound does not hold (not in quick runs).
set -euo pipefail
export LC_ALL=C

quick=${BENCH_QUICK:-}
rounds=${BENCH_ROUNDS:-$([ -n "$quick" ] && echo 2 || echo 5)}
seconds=${BENCH_SECONDS:-$([ -n "$quick" ] && echo 0.3 || echo 2)}
only=${BENCH_ONLY:-}
pipelines=${BENCH_PIPELINES:-1 16 100}
server_cpu=${BENCH_SERVER_CPU:-0}
load_cpu=${BENCH_LOAD_CPU:-1}
sizes=$([ -n "$quick" ] && echo 50000 70000 100000 || echo 500000 600000 700000 850000 1000000)
keys=$([ -n "$quick" ] && echo 100000 || echo 1000000)
clients=50
value_bytes=64

here=$(dirname "$0")
declare -A program=([ours]=${BENCH_OURS:-build/respite-server} [theirs]=${BENCH_THEIRS:-redis-server})
declare -A pid port count
out=build/bench
work=$(mktemp -d)
samples=$out/samples.tsv

die() {
    echo "bench: $*" >&2
    exit 1
}

# ---- servers

stop_server() {
    local name=$1
    [ -n "${pid[$name]:-}" ] || return 0
    kill "${pid[$name]}" 2>/dev/null || true
    wait "${pid[$name]}" 2>/dev/null || true
    unset "pid[$name]"
}
trap 'stop_server ours; stop_server theirs; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cli() {
    local name=$1
    shift
    redis-cli -h 127.0.0.1 -p "${port[$name]}" "$@"
}

# Below the range from which outgoing connections take theirs.
free_port() {
    local candidate
    while :; do
        candidate=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
    done
    echo "$candidate"
}

# Starts a server in a folder of its own, saving off, and waits until it answers.
start_server() {
    local name=$1 path
    path=$(command -v "${program[$name]}") || die "no such server: ${program[$name]}"
    [ "${path#/}" != "$path" ] || path=$PWD/$path
    port[$name]=$(free_port)
    mkdir -p "$work/$name"
    (cd "$work/$name" && exec taskset -c "$server_cpu" "$path" --port "${port[$name]}" \
        --bind 127.0.0.1 --save '') >"$work/$name.log" 2>&1 &
    pid[$name]=$!
    for ((i = 0; i < 100; i++)); do
        [ "$(cli "$name" ping 2>/dev/null)" != PONG ] || return 0
        kill -0 "${pid[$name]}" 2>/dev/null || break
        sleep 0.05
    done
    cat "$work/$name.log" >&2
    die "$path does not answer on port ${port[$name]}"
}

# Keys $2 to $3 - 1 as SET commands in RESP, values of kind $1.
commands() {
    awk -v kind="$1" -v first="$2" -v last="$3" -v size="$value_bytes" 'BEGIN {
        pad = sprintf("%" size "s", ""); gsub(/ /, "x", pad)
        for (i = first; i < last; i++) {
            if (kind == "64")
                value = substr(sprintf("%012d:", i) pad, 1, size)
            else if (kind == "integer")
                value = 1000000 + i
            else
                value = sprintf("val:%012d", i)
            if (kind == "ttl") {
                ttl = 86400 + i % 86400
                printf "*5\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n$2\r\nEX\r\n$%d\r\n%d\r\n", \
                    i, length(value), value, length(ttl), ttl
            } else {
                printf "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", i, length(value), value
            }
        }
    }'
}

# load NAME KIND FIRST LAST
load() {
    local name=$1 said
    shift
    said=$(commands "$@" | cli "$name" --pipe 2>&1) || die "loading $name: $said"
    grep -q "errors: 0, replies: $(($3 - $2))" <<<"$said" || die "loading $name: $said"
}

# ---- speed

cpu_ticks() {
    local stat
    stat=$(<"/proc/${pid[$1]}/stat")
    # shellcheck disable=SC2086 # fields, behind the program's name
    set -- ${stat##*) }
    echo $((${12} + ${13}))
}

benchmark() {
    local name=$1 command=$2 pipeline=$3 requests=$4 args
    case $command in
    GET) args=(-t get) ;;
    SET) args=(-t set) ;;
    INCR) args=(INCR key:__rand_int__) ;;
    MGET) args=(MGET key:__rand_int__{,,,,,,,,,}) ;;
    esac
    taskset -c "$load_cpu" redis-benchmark -h 127.0.0.1 -p "${port[$name]}" -c "$clients" \
        -n "$requests" -P "$pipeline" -r "$keys" -d "$value_bytes" --csv "${args[@]}" \
        2>"$work/benchmark.log" | tail -n 1
}

# The number of requests that costs the server about BENCH_SECONDS.
calibrate() {
    local name=$1 command=$2 pipeline=$3 requests=20000 before ticks
    while :; do
        before=$(cpu_ticks "$name")
        benchmark "$name" "$command" "$pipeline" "$requests" >/dev/null
        ticks=$(($(cpu_ticks "$name") - before))
        [ "$ticks" -lt 10 ] || break
        requests=$((requests * 4))
    done
    count["$name $command $pipeline"]=$(awk "BEGIN {
        n = $requests * $seconds * 100 / $ticks
        print int(n / 1000 + 1) * 1000 }")
}

# One measurement, one line of samples.
measure() {
    local round=$1 name=$2 command=$3 pipeline=$4 requests before ticks csv rps p99
    requests=${count["$name $command $pipeline"]}
    before=$(cpu_ticks "$name")
    csv=$(benchmark "$name" "$command" "$pipeline" "$requests")
    ticks=$(($(cpu_ticks "$name") - before))
    IFS=, read -r rps p99 < <(awk -F , '{ gsub(/"/, ""); print $(NF - 6) "," $(NF - 1) }' <<<"$csv")
    [[ $rps =~ ^[0-9.]+$ && $p99 =~ ^[0-9.]+$ ]] || die "redis-benchmark said: $csv"
    printf 'speed\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$command" "$pipeline" "$round" \
        "$(awk "BEGIN { printf \"%.4f\", $ticks * 10000 / $requests }")" "$rps" "$p99" >>"$samples"
}

# Rounds of the named commands at every pipeline depth.
measure_speed() {
    local round command pipeline order
    for command in "$@"; do
        for pipeline in $pipelines; do
            calibrate ours "$command" "$pipeline"
            calibrate theirs "$command" "$pipeline"
        done
    done
    for ((round = 1; round <= rounds; round++)); do
        order='ours theirs'
        [ $((round % 2)) = 1 ] || order='theirs ours'
        for command in "$@"; do
            for pipeline in $pipelines; do
                for name in $order; do
                    measure "$round" "$name" "$command" "$pipeline"
                done
            done
        done
        echo "round $round of $rounds: $* done" >&2
    done
}

# Fills the keyspaces again, with values of one kind.
refill() {
    local name
    for name in ours theirs; do
        cli "$name" flushall >/dev/null
        load "$name" "$1" 0 "$keys"
    done
}

speed() {
    start_server ours
    start_server theirs
    refill 64
    measure_speed GET SET MGET
    # INCR wants integers.
    refill integer
    measure_speed INCR
    stop_server ours
    stop_server theirs
}

# ---- memory

used_memory() {
    cli "$1" info memory | awk -F: '/^used_memory:/ { print $2 + 0 }'
}

rss_bytes() {
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/${pid[$1]}/status"
}

# Waits until a server has done what it does in the background, such as rehashing.
settle() {
    local name=$1 before now=-1 same=0
    for ((i = 0; i < 100 && same < 4; i++)); do
        before=$now
        sleep 0.2
        now=$(used_memory "$name")
        if [ "$now" = "$before" ]; then same=$((same + 1)); else same=0; fi
    done
    echo "$now"
}

# A server of its own for each kind of value, filled step by step.
measure_memory() {
    local name=$1 kind=$2 empty empty_rss used have=0 size
    start_server "$name"
    empty=$(settle "$name")
    empty_rss=$(rss_bytes "$name")
    for size in $sizes; do
        load "$name" "$kind" "$have" "$size"
        have=$size
        used=$(settle "$name")
        [ "$(cli "$name" dbsize)" = "$size" ] || die "$name holds other than $size keys"
        printf 'memory\t%s\t%s\t%s\t%s\t%s\n' "$name" "$kind" "$size" \
            "$(awk "BEGIN { printf \"%.3f\", ($used - $empty) / $size }")" \
            "$(awk "BEGIN { printf \"%.3f\", ($(rss_bytes "$name") - $empty_rss) / $size }")" \
            >>"$samples"
    done
    stop_server "$name"
}

memory() {
    local kind
    for kind in 16 64 integer ttl; do
        measure_memory ours "$kind"
        measure_memory theirs "$kind"
        echo "bytes per key, $kind: done" >&2
    done
}

# ---- report

machine() {
    local model memory_gib
    model=$(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
    memory_gib=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
    echo "Measured on $(date -u +%Y-%m-%d): ${model:-$(uname -m)}, $(nproc) CPUs, $memory_gib GiB," \
        "Linux $(uname -r)."
    echo "Respite: $(git describe --always --dirty 2>/dev/null || echo 'no commit known')," \
        "$(gcc --version | head -n 1)."
    echo "Theirs: $("${program[theirs]}" --version | sed -E 's/ (sha|bits|build)=[^ ]*//g')."
    echo
    echo "Command line: \`make bench\` ($rounds rounds, $seconds s of server CPU a measurement," \
        "servers on CPU $server_cpu, load on CPU $load_cpu)."
    echo "Load: \`redis-benchmark -c $clients -r $keys -d $value_bytes -P DEPTH\` on $keys keys;" \
        "MGET asks for 10 keys. The median of the rounds counts." \
        "Load average of the machine before it began: $load_average."
}

mkdir -p "$out"
: >"$samples"
read -r load_average _ </proc/loadavg
awk "BEGIN { exit $load_average < 0.7 }" &&
    echo "bench: the machine is not idle (load average $load_average): expect noise" >&2
[ "$only" = memory ] || speed
[ "$only" = speed ] || memory

holds=yes
{
    machine
    echo
    awk -f "$here/report.awk" "$samples" || holds=no
} >"$out/report.md"
cat "$out/report.md"

if [ -z "$quick$only" ]; then
    "$here/splice.sh" docs/benchmarks.md 'make bench' "$out/report.md"
    [ "$holds" = yes ]
fi
