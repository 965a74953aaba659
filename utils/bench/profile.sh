#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Where the instructions of a command go: counts what the server executes for one command after the
# other, by callgrind, and prints them by folder of src/ and by function. Rewrites docs/benchmarks.md.
#
#   utils/bench/profile.sh    run from the root of the tree, or through `make profile`
#
# Each has a server of its own, so that one key is where it belongs in its table, whatever the random
# key of the hash. It is filled without being counted; then a few commands warm it up, the counter is
# set to zero, and the measured ones follow. What it counts are instructions in user space: the
# kernel's share, and what waiting for memory costs, are not in it. For these there is
#
#   PERF=1 make profile    samples with perf by the clock, kernel included; nothing is rewritten
#
#   PROFILE_ONLY='GET ZADD'   only these commands (workloads.sh has them)
#   PROFILE_PIPELINE=16       commands that a connection sends at once
#   PROFILE_CLIENTS=50        connections
#   PROFILE_KEYS=100000       keys of each kind, members, elements (PERF=1: 1000000)
#   PROFILE_COMMANDS=40000    how many are counted; a tenth for long replies (PERF=1: 1000000)
#   PROFILE_TOP=12            functions of each command
#   PROFILE_LINES=1           the source with counts, too: build/profile/COMMAND.lines
#   BENCH_OURS=build/respite-server    the server; what another one does is printed only
#
# What callgrind or perf wrote, and all functions, are in build/profile/ (COMMAND.callgrind,
# COMMAND.functions or COMMAND.perf). Link-time optimisation puts most functions into others: a name
# stands for what was inlined into it, while the folders are those of the source lines.
set -euo pipefail
export LC_ALL=C

here=$(dirname "$0")
# shellcheck source=utils/bench/workloads.sh
. "$here/workloads.sh"

perf=${PERF:-}
only=${PROFILE_ONLY:-}
pipeline=${PROFILE_PIPELINE:-16}
clients=${PROFILE_CLIENTS:-$clients}
key_count=${PROFILE_KEYS:-$([ -n "$perf" ] && echo 1000000 || echo "$key_count")}
commands=${PROFILE_COMMANDS:-$([ -n "$perf" ] && echo 1000000 || echo 40000)}
top=${PROFILE_TOP:-12}
lines=${PROFILE_LINES:-}
changed=$perf$only${PROFILE_PIPELINE:-}${PROFILE_CLIENTS:-}${PROFILE_KEYS:-}${PROFILE_COMMANDS:-}${PROFILE_TOP:-}
warm_up=4000
out=$PWD/build/profile
samples=$out/samples.tsv

for name in $only; do
    [ -n "${workload_command[$name]:-}" ] || die "no command '$name': ${workloads[*]}"
done

# Tells the server's callgrind something; what it says itself matters only when it fails.
control() {
    callgrind_control "$@" "${pid[ours]}" >"$work/control.log" 2>&1 || {
        cat "$work/control.log" >&2
        die "callgrind_control $1 failed"
    }
}

# count_instructions NAME COUNT: counts a prepared command.
count_instructions() {
    local name=$1 count=$2 file=$out/$1.callgrind
    control --instr=on
    run_workload ours "$name" "$warm_up" "$pipeline" 1
    control --zero
    run_workload ours "$name" "$count" "$pipeline" 0
    control --dump="$name"
    control --instr=off
    mv "$work/callgrind.1" "$file"
    callgrind_annotate --threshold=100 --auto=no "$file" >"$out/$name.functions"
    awk -v name="$name" -v count="$count" -f "$here/callgrind.awk" "$out/$name.functions" >>"$samples"
    [ -z "$lines" ] || callgrind_annotate --threshold=90 --auto=yes "$file" >"$out/$name.lines"
}

# sample NAME COUNT: samples a prepared command.
sample() {
    local name=$1 count=$2 file=$out/$1.perf recorder
    run_workload ours "$name" "$warm_up" "$pipeline" 1
    perf record --quiet -e cpu-clock -F 5000 -p "${pid[ours]}" -o "$file" 2>"$work/perf.log" &
    recorder=$!
    # Until it says so by its file, it samples nothing.
    for ((i = 0; i < 100 && $(stat -c %s "$file" 2>/dev/null || echo 0) == 0; i++)); do
        sleep 0.02
    done
    run_workload ours "$name" "$count" "$pipeline" 0
    kill -INT "$recorder"
    wait "$recorder" || true
    perf report -i "$file" --stdio --no-children -F overhead,sym,dso 2>>"$work/perf.log" \
        >"$out/$name.functions" || die "perf: $(cat "$work/perf.log")"
    awk -v name="$name" -f "$here/perf.awk" "$out/$name.functions" >>"$samples"
}

method() {
    echo "Measured on $(date -u +%Y-%m-%d). Respite: ${BENCH_OURS:-$(git describe --always --dirty \
        2>/dev/null || echo 'no commit known')}, $(gcc --version | head -n 1); $(valgrind --version)."
    echo "Load: \`bench_load -c $clients -P $pipeline\`, $commands commands of each kind, a tenth of it" \
        "of those with long replies; $key_count keys, members and elements."
}

mkdir -p "$out"
: >"$samples"
if [ -z "$perf" ]; then
    server_env=(valgrind --tool=callgrind --instr-atstart=no
        "--callgrind-out-file=$work/callgrind" --log-file="$work/valgrind.log")
fi
for name in ${only:-"${workloads[@]}"}; do
    count=$(workload_count "$name" "$commands")
    # Its clock is the machine's, while it runs fifty times slower: once a second is often enough.
    start_server ours --hz 1
    prepare_workload ours "$name" $((count + warm_up))
    if [ -n "$perf" ]; then sample "$name" "$count"; else count_instructions "$name" "$count"; fi
    stop_server ours
    echo "$name: done" >&2
done

report=$out/report.md
{
    [ -n "$perf" ] || method
    echo
    awk -v top="$top" -v unit="$([ -n "$perf" ] && echo % || echo instructions)" \
        -f "$here/profile.awk" "$samples"
} >"$report"
cat "$report"
[ -n "$changed" ] || publish 'make profile' "$report"
echo "profile: it took $SECONDS s" >&2
