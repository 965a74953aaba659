# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For the benchmarks that run Respite and redis-server side by side: starts and stops them, loads
# them, and reads what they use. Servers are called `ours` and `theirs`, and `floor` is bench_floor. The
# script that sources this file has set -euo pipefail; it may set LC_ALL and traps of its own for other
# signals than EXIT.
#
#   BENCH_OURS=build/respite-server  BENCH_THEIRS=redis-server    any two servers; what is measured
#                             of others than these two is printed only
#   BENCH_PEER=valkey-8       theirs is one of those that deps/peers.sh fetches
#   BENCH_SERVER_CPU=0  BENCH_LOAD_CPU=1

server_cpu=${BENCH_SERVER_CPU:-0}
load_cpu=${BENCH_LOAD_CPU:-1}
programs=build/release/utils/bench
peer=${BENCH_PEER:-}
declare -A program=([ours]=${BENCH_OURS:-build/respite-server}
    [theirs]=${BENCH_THEIRS:-${peer:+build/peers/}${peer:-redis-server}})
declare -A pid port
server_env=()
out=build/bench${peer:+/$peer}
work=$(mktemp -d)

die() {
    echo "bench: $*" >&2
    exit 1
}

stop_server() {
    local name=$1
    [ -n "${pid[$name]:-}" ] || return 0
    kill "${pid[$name]}" 2>/dev/null || true
    wait "${pid[$name]}" 2>/dev/null || true
    unset "pid[$name]"
}

# Also those that have been stopped by a signal.
stop_all() {
    local name
    for name in "${!pid[@]}"; do
        kill -CONT "${pid[$name]}" 2>/dev/null || true
        stop_server "$name"
    done
}
trap 'stop_all; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cli() {
    local name=$1
    shift
    redis-cli -h 127.0.0.1 -p "${port[$name]}" "$@"
}

# As cli, but what a server refuses ends the script.
ask() {
    local said
    said=$(cli "$@") || die "$*: $said"
    [[ ! $said =~ ^[A-Z]+\ [^\ ]+\  ]] || die "$*: $said"
    echo "$said"
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

# start_server NAME [ARGUMENT...]: starts a server in a folder of its own, saving off, and waits until
# it answers. It gets what stands in server_env, and the CPUs of server_cpu.
start_server() {
    local name=$1
    launch_server "$@"
    for ((i = 0; i < 100; i++)); do
        [ "$(cli "$name" ping 2>/dev/null)" != PONG ] || return 0
        kill -0 "${pid[$name]}" 2>/dev/null || break
        sleep 0.05
    done
    cat "$work/$name.log" >&2
    die "$name does not answer on port ${port[$name]}"
}

# As start_server, but nobody waits.
launch_server() {
    local name=$1 path
    shift
    path=$(command -v "${program[$name]}") || die "no such server: ${program[$name]}"
    [ "${path#/}" != "$path" ] || path=$PWD/$path
    port[$name]=$(free_port)
    mkdir -p "$work/$name"
    (cd "$work/$name" && exec taskset -c "$server_cpu" env "${server_env[@]}" "$path" \
        --port "${port[$name]}" --bind 127.0.0.1 --save '' "$@") >"$work/$name.log" 2>&1 &
    pid[$name]=$!
}

# start_floor FILE: starts the server that answers everything with the bytes of FILE, and waits until it
# listens.
start_floor() {
    port[floor]=$(free_port)
    (exec taskset -c "$server_cpu" "$programs/bench_floor" "${port[floor]}" "$1") \
        >"$work/floor.log" 2>&1 &
    pid[floor]=$!
    for ((i = 0; i < 200; i++)); do
        ! (exec 3<>"/dev/tcp/127.0.0.1/${port[floor]}") 2>/dev/null || return 0
        kill -0 "${pid[floor]}" 2>/dev/null || break
        sleep 0.01
    done
    cat "$work/floor.log" >&2
    die "the floor does not listen on port ${port[floor]}"
}

# Has CPUs without work wait in the kernel instead of halting, until let_cpus_halt, by asking for a latency of
# 0 us (PM QoS of Linux): on a virtual machine what wakes a halted CPU up costs the CPU that does so a
# millisecond and more at times, because the host has other things to run meanwhile. A process that only loops is
# no substitute: however low its priority, the scheduler owes it time, and makes a server that wakes up wait for
# up to 3 ms.
keep_cpus_awake() {
    if [ -w /dev/cpu_dma_latency ] && exec {awake}<>/dev/cpu_dma_latency; then
        printf '\0\0\0\0' >&"$awake"
    else
        echo 'CPUs without work may halt: /dev/cpu_dma_latency is not for us' >&2
    fi
}

let_cpus_halt() {
    [ -z "${awake:-}" ] || exec {awake}>&-
    awake=
}

# fill NAME FIRST COUNT COMMAND: the command of bench_load with the numbers FIRST to FIRST+COUNT-1.
fill() {
    taskset -c "$load_cpu" "$programs/bench_load" -p "${port[$1]}" -c 1 -P 256 -f "$2" -n "$3" "$4" \
        >/dev/null || die "loading $1 failed: $4"
}

# User and system time of the whole process so far, in ticks of 10 ms.
cpu_ticks() {
    local stat
    stat=$(<"/proc/${pid[$1]}/stat")
    # shellcheck disable=SC2086 # fields, behind the program's name
    set -- ${stat##*) }
    echo $((${12} + ${13}))
}

# The same of the threads that it has now, in microseconds: exact, but it forgets those that have ended.
cpu_us() {
    cat /proc/"${pid[$1]}"/task/*/schedstat | awk '{ ns += $1 } END { printf "%.0f\n", ns / 1000 }'
}

used_memory() {
    cli "$1" info memory | awk -F: '/^used_memory:/ { print $2 + 0 }'
}

rss_bytes() {
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/${pid[$1]}/status"
}

# settle NAME [SECONDS]: waits until a server has done what it does in the background, such as rehashing
# or freeing, and prints its used_memory: it has when that stays the same for 4 times SECONDS (0.2).
settle() {
    local name=$1 pause=${2:-0.2} before now=-1 same=0
    for ((i = 0; i < 100 && same < 4; i++)); do
        before=$now
        sleep "$pause"
        now=$(used_memory "$name")
        if [ "$now" = "$before" ]; then same=$((same + 1)); else same=0; fi
    done
    echo "$now"
}

# What the figures were measured on and with; $1 is the command line that repeats them.
machine() {
    local model memory_gib
    model=$(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
    memory_gib=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)
    echo "Measured on $(date -u +%Y-%m-%d): ${model:-$(uname -m)}, $(nproc) CPUs, $memory_gib GiB," \
        "Linux $(uname -r)."
    if [ -n "${BENCH_OURS:-}" ]; then
        echo "Ours: $BENCH_OURS."
    else
        echo "Respite: $(git describe --always --dirty 2>/dev/null || echo 'no commit known')," \
            "$(gcc --version | head -n 1)."
    fi
    echo "Theirs: $("${program[theirs]}" --version | sed -E 's/ (sha|bits|build)=[^ ]*//g')."
    echo
    echo "Command line: \`$1\` (servers on CPU $server_cpu, load on CPU $load_cpu)." \
        "Load average of the machine before it began: $load_average."
}

# publish NAME FILE: puts a report into docs/benchmarks.md, unless it is of a part, or of others.
publish() {
    [ -z "${BENCH_QUICK:-}${BENCH_ONLY:-}${BENCH_OURS:-}${BENCH_THEIRS:-}" ] || return 0
    utils/bench/splice.sh docs/benchmarks.md "$1" "$2"
}

mkdir -p "$out"
read -r load_average _ </proc/loadavg
if awk "BEGIN { exit $load_average < 0.7 }"; then
    echo "bench: the machine is not idle (load average $load_average): expect noise" >&2
fi
