#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The reports of the benchmarks: medians of rounds and of their ratios, the best of rounds, bounds; a document keeps what was not generated;
# the server that is the floor; and what is not there is refused before anything starts.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

cp -r "$root/utils" "$tree/utils"

# samples OURS:THEIRS...: CPU times of rounds of GET at pipeline 1; of the floor 7.5 and 6.5.
samples() {
    local round=0 cpu
    for cpu in "$@"; do
        round=$((round + 1))
        printf 'speed\tours\tGET\t1\t%d\t%s\t200000\t0.5\n' "$round" "${cpu%:*}"
        printf 'speed\ttheirs\tGET\t1\t%d\t%s\t100000\t1.0\n' "$round" "${cpu#*:}"
        [ "$round" -gt 2 ] || printf 'speed\tfloor\tGET\t1\t%d\t%s\t90000\t0.4\n' "$round" "$((8 - round)).5"
    done | plant samples.tsv
}

samples 9:10 8:20 100:100
expect_said 'medians of three, and the floor' \
    '| GET | 1 | 7.000 | 9.000 | 20.000 | **0.900** | 2.000 |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
expect_said 'throughput' '| 200 | 100 | 0.50 | 1.00 |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
expect_said 'bound' '| CPU per GET, pipeline 1, ours / theirs | 0.91 | 0.900 | holds |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
samples 1:10 92:100 9.6:10 11:10
expect_refused 'broken bound' '| 0.91 | 0.940 | **DOES NOT HOLD** |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
expect_refused 'medians of four' '| GET | 1 | 7.000 | 10.300 | 10.000 | **0.940** |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv

plant samples.tsv < <(
    printf 'memory\tours\t16\t500000\t60\t70\nmemory\tours\t16\t1000000\t50\t60\n'
    printf 'memory\ttheirs\t16\t500000\t120\t130\nmemory\ttheirs\t16\t1000000\t100\t130\n'
)
expect_said 'mean of the sizes' \
    '| key and value of 16 bytes | 55.0 | 110.0 | **0.500** | 65.0 | 130.0 | 0.500 |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
expect_said 'bound of a ratio of bytes' \
    '| key and value of 16 bytes, ours / theirs | 0.55 | 0.500 | holds |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
expect_said 'another bound of the same' '| key and value of 16 bytes, bytes | 61 | 55.0 | holds |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv

# big_list OURS: bytes of an element; theirs are 1.
big_list() {
    printf 'memory\tours\tbig-list\t500000\t%s\t20\nmemory\ttheirs\tbig-list\t500000\t1\t20\n' \
        "$1" | plant samples.tsv
}

big_list 16.5
expect_said 'bound of bytes, whatever theirs are' '| element of a big list, bytes | 16.5 | 16.5 | holds |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
big_list 16.6
expect_refused 'broken bound of bytes' '| 16.5 | 16.6 | **DOES NOT HOLD** |' \
    awk -f utils/bench/report.awk utils/bench/bounds.txt samples.tsv
plant bounds.txt <<<'memory | big-list | bytes | 17'
expect_said 'a bound is one line' '| 17 | 16.6 | holds |' \
    awk -f utils/bench/report.awk bounds.txt samples.tsv

# Every bound is about something that bench.sh measures.
# shellcheck disable=SC2016 # what stands there is bench.sh's
measured=$(sed -n -e 's/^ *\[\([A-Za-z0-9-]*\)\]=.*/\1/p' -e 's/^ *\[ -z "$(chosen \([a-z]*\))" \].*/\1/p' \
    "$root"/utils/bench/{bench,workloads}.sh)
unknown=$(awk -F '|' '/^(cpu|memory) / { gsub(/ /, ""); print $2 }' "$root/utils/bench/bounds.txt" |
    grep -vxF "$measured")
expect_equal 'bounds of what nobody measures' '' "$unknown"

twice=$(awk -F '|' '/^[a-z]+ .*\|/ { gsub(/ /, ""); print $1, $2, $3 }' "$root/utils/bench/bounds.txt" | sort | uniq -d)
expect_equal 'bounds that are there twice' '' "$twice"

expect_refused 'unknown group' "no group 'x'" utils/bench/bench.sh x
expect_refused 'no such server' 'no such server: ./none' \
    env BENCH_OURS=./none BENCH_THEIRS=./none utils/bench/bench.sh strings
expect_refused 'unknown type' "no type 'x'" env BENCH_ONLY=x utils/bench/bench_stall.sh

# The floor's server: a reply for each request, wherever reads cut it; and a reader who is slow gets them all.
connect_floor() {
    { exec 3<>"/dev/tcp/127.0.0.1/$floor_port"; } 2>/dev/null
}

# start_floor BYTES: replies are so many of r. Connects to it.
start_floor() {
    head -c "$1" /dev/zero | tr '\0' r >"$tree/reply"
    floor_port=$((20000 + RANDOM % 12000))
    while connect_floor; do
        floor_port=$((20000 + RANDOM % 12000))
    done
    "$tree/bench_floor" "$floor_port" "$tree/reply" &
    floor=$!
    for ((i = 0; i < 500; i++)); do
        ! connect_floor || return 0
        sleep 0.01
    done
}

# requests COUNT
requests() {
    for ((i = 0; i < $1; i++)); do
        printf '%s' $'*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'
    done >&3
}

# answers BYTES: how many come, at most so many.
answers() {
    timeout 10 head -c "$1" <&3 | wc -c
}

# Ends it, which closes the connection behind what it had to say.
end_floor() {
    kill "$floor"
    wait "$floor" 2>/dev/null
    expect_equal "floor: $1" 0 "$(answers 1000)"
}

expect_ok 'the floor compiles alone' \
    cc -std=gnu11 -O1 -D_GNU_SOURCE -I"$root/src" -o bench_floor utils/bench/bench_floor.c
start_floor 7
printf '%s' $'*2\r\n$3\r\nGE' >&3
expect_equal 'floor: half a request' 7 "$(answers 7)"
printf '%s' $'T\r\n$1\r\nk\r\n' >&3
requests 300
expect_equal 'floor: a pipeline' 2100 "$(answers 2100)"
end_floor 'no reply too many'
start_floor 100003
requests 200
expect_equal 'floor: more than the socket takes' 20000600 "$(answers 20000600)"
requests 1
expect_equal 'floor: and another request' 100003 "$(answers 100003)"
end_floor 'nothing behind it'
expect_refused 'floor: no reply' "cannot read the reply's file" ./bench_floor 1 none

# stalls MS CPU...: longest answers of several DELs and the CPU time in them; with no command 9 ms.
stalls() {
    {
        printf 'stall\tours\tset\tnothing\t9\t8\t7\t-\n'
        printf 'stall\tours\tset\tDEL big\t%s\t1\t%s\t30\n' "$@"
        printf 'stall\ttheirs\tset\tDEL big\t60\t50\t59\t61\n'
    } | plant samples.tsv
}

stalls 17 2 6 4.9 12 3
expect_said 'the smallest of each' \
    '| set | DEL big | 6.00 | 60.00 | 1.00 | 50.00 | **2.00** | 59.00 | 30 | 61 |' \
    awk -f utils/bench/stall.awk utils/bench/bounds.txt samples.tsv
expect_said 'the longest stall, no matter how idle the machine' \
    'Our longest stall is 2.00 ms of CPU (set, DEL big), it must be below 5 ms: holds. By the clock 6.00 ms; with nothing to do 9.00 ms.' \
    awk -f utils/bench/stall.awk utils/bench/bounds.txt samples.tsv
stalls 5.2 5 5.3 11
expect_refused 'a stall of just the bound' 'it must be below 5 ms: **DOES NOT HOLD**' \
    awk -f utils/bench/stall.awk utils/bench/bounds.txt samples.tsv
plant samples.tsv </dev/null
expect_refused 'no stall was measured' 'nothing was measured' \
    awk -f utils/bench/stall.awk utils/bench/bounds.txt samples.tsv

# waits PART P999 LONGEST OWN_LONGEST QUIET...: of ours while keys are inserted; theirs waits 4 ms and works 9, when nobody disturbs it.
waits() {
    {
        printf 'latency\tours\tgrow\t1\t%d\t0.1\t0.2\t%s\t%s\t-\t-\t0.3\t%s\t%d\n' "$@"
        printf 'latency\ttheirs\tgrow\t1\t%d\t0.1\t0.2\t4\t5\t-\t-\t1\t9\t%d\n' 1 90 2 10 2 70
    } | plant samples.tsv
}
latency_report() {
    awk -f utils/bench/latency.awk utils/bench/bounds.txt samples.tsv
}

waits 1 1.5 2 1 90 1 99 99 99 10 2 1 7 6 60 2 2.5 6.5 4 80
expect_said 'waits: the best of what counts, of each part' \
    '| 5 M keys are inserted | 1.25 | 4.00 | 6.50 | 5.00 | **0.30** | 1.00 | **4.00** | 9.00 | 3 of 4, 2 of 3 |' \
    latency_report
expect_said 'waits: bound of a ratio' 'p99.9 of a wait, ours / theirs | 0.5 | 0.31 | holds |' latency_report
waits 1 1.5 2 1 90 2 1 7 6 60
expect_refused 'waits: broken bound of work' 'ms of ours | 5 | 6.00 | **DOES NOT HOLD** |' latency_report
waits 1 1.5 2 1 90 2 1 7 6 49
expect_refused 'waits: nothing counts of a part' \
    '| 5 M keys are inserted, the server'"'"'s own work in the longest | 5 | | **NOT KNOWN** |' latency_report
plant samples.tsv <<'END'
latency	ours	flush	1	1	0.1	0.2	1.5	2	-	-	0.3	1	90
latency	theirs	flush	1	1	0.1	0.2	4	5	-	-	1	9	20
END
expect_said 'waits: ours counts where theirs does not' \
    '| FLUSHALL of 5 M keys | 1.50 | - | 2.00 | - | **0.30** | - | **1.00** | - | 1 of 1, 0 of 1 |' latency_report

# messages CPU...: of ours, rounds with 100 subscribers; theirs is 2 each. And what stalled ones take.
messages() {
    {
        printf 'pubsub\tours\t100\t16\t1\t%s\t300000\n' "$@"
        printf 'pubsub\ttheirs\t100\t16\t1\t2\t200000\n'
        printf 'stalled\tours\t100000\t30000000\n'
        printf 'stalled\ttheirs\t4000\t600000000\nstalled\ttheirs\t8000\t1400000000\n'
    } | plant samples.tsv
}

pubsub_report() {
    awk -v messages=100000 -f utils/bench/pubsub.awk utils/bench/bounds.txt samples.tsv
}

messages 1.3 9 1.2
expect_said 'message: median of three' \
    '| delivered, 100 subscribers | 16 | 1.300 (600 %) | 2.000 (0 %) | **0.650** | 300.0 | 200.0 |' pubsub_report
expect_said 'message: bound' \
    '| CPU per message delivered, 100 subscribers, pipeline 16, ours / theirs | 0.70 | 0.650 | holds |' \
    pubsub_report
expect_said 'stalled: what was not measured' \
    'grows by 30.0 MB, redis-server'"'"'s by 19800 MB (worked out from 4000 and 8000 messages: 600 and 1400 MB)' \
    pubsub_report
expect_said 'stalled: bound' '| memory of 1,000 stalled subscribers, MB | 40 | 30.000 | holds |' pubsub_report
messages 1.5
expect_refused 'message: broken bound' '| 0.70 | 0.750 | **DOES NOT HOLD** |' pubsub_report
messages 1
sed -i 's/30000000/40000001/' "$tree/samples.tsv"
expect_refused 'stalled: broken bound' '| 40 | 40.000 | **DOES NOT HOLD** |' pubsub_report
plant samples.tsv </dev/null
expect_refused 'no message was measured' 'nothing was measured' pubsub_report

# Every bound of messages is about a case that is measured.
measured=$(sed -n "s/^cases=(\(.*\))/\1/p" "$root/utils/bench/bench_pubsub.sh" | tr -s "'" '\n' | grep . |
    grep -v '^ $'; echo 'stalled MB')
unknown=$(awk -F '|' '/^pubsub / { gsub(/ /, ""); print $2, $3 }' "$root/utils/bench/bounds.txt" |
    grep -vxF "$measured")
expect_equal 'bounds of messages that nobody measures' '' "$unknown"
expect_refused 'unknown measurement' "nothing is called 'x'" env BENCH_ONLY=x utils/bench/bench_pubsub.sh

# reclaims RSS P99...: a server that keeps so much of 100 MB, and FLUSHALLs with these p99.
reclaims() {
    {
        printf 'shrink\t%s\t100000000\t11000000\t100000000\t%s\n' ours "$1" theirs 50000000
        shift
        printf 'flush\tours\tFLUSHALL\t9\t8\t7\t600\t%s\t0.2\n' "$@"
        printf 'flush\ttheirs\tFLUSHALL\t900\t800\t700\t-\t800\t900\n'
    } | plant samples.tsv
}

reclaims 20000000 12 4.9
expect_said 'the smallest p99' '| FLUSHALL, ours | 0.20 | 4.90 | 8.00 | 9.00 | 7.00 | 600 |' \
    awk -f utils/bench/reclaim.awk utils/bench/bounds.txt samples.tsv
reclaims 20000000 12 5
expect_refused 'a p99 of just the bound' '5.00 ms | **DOES NOT HOLD**' \
    awk -f utils/bench/reclaim.awk utils/bench/bounds.txt samples.tsv
reclaims 25000000 1
expect_refused 'memory that stays resident' '0.250 | **DOES NOT HOLD**' \
    awk -f utils/bench/reclaim.awk utils/bench/bounds.txt samples.tsv
plant samples.tsv </dev/null
expect_refused 'nothing was flushed' 'nothing was measured' \
    awk -f utils/bench/reclaim.awk utils/bench/bounds.txt samples.tsv

# What callgrind_annotate and perf say.
plant GET.functions <<'END'
--------------------------------------------------------------------------------
9,999 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir                   file:function
--------------------------------------------------------------------------------
6,000 (60.00%)  /home/x/src/server/../../src/server/batch.c:run.lto_priv.0 [/home/x/build/respite-server]
1,500 (15.00%)  src/ds/table_inl.h:run.lto_priv.0
  500 ( 5.00%)  /usr/lib/gcc/x86_64-linux-gnu/12/include/emmintrin.h:run.lto_priv.0
1,900 (19.00%)  ./string/../sysdeps/x86_64/strcmp.S:strcmp [/usr/lib/x86_64-linux-gnu/libc.so.6]
  100 ( 1.00%)  ???:ev_run'2 [/home/x/build/respite-server]
END
profile() {
    awk -v name=GET -v count=10 -f "$tree/utils/bench/callgrind.awk" "$tree/GET.functions" >"$tree/samples.tsv" &&
        awk -v top=2 -v unit=instructions -f "$tree/utils/bench/profile.awk" "$tree/samples.tsv"
}
expect_equal 'profile' '| command | **instructions** | server | ds | libraries | libc | rest |
|---|---:|---:|---:|---:|---:|---:|
| GET | **1000** | 650 | 150 | 10 | 190 | 0 |

| command | costliest functions, % |
|---|---|
| GET | run 80.0, strcmp 19.0 |' "$(profile)"
plant GET.functions </dev/null
expect_refused 'nothing was counted' 'no totals' profile
plant GET.functions <<'END'
# Overhead  Symbol              Shared Object
    60.00%  [.] run.lto_priv.0  respite-server
    15.50%  [k] tcp_ack         [kernel.kallsyms]
     4.50%  [.] __send          libc.so.6
END
expect_said 'samples of perf' $'folder\tGET\tkernel\t15.50' \
    awk -v name=GET -f utils/bench/perf.awk GET.functions
expect_said 'functions of perf' $'function\tGET\trun\t60.00' \
    awk -v name=GET -f utils/bench/perf.awk GET.functions
expect_refused 'unknown command of a profile' "no command 'x'" env PROFILE_ONLY=x utils/bench/profile.sh

plant doc.md <<'END'
before
<!-- generated: x -->
old
<!-- end: x -->
after
END
printf 'new\nlines\n' | plant text
expect_ok 'splice' utils/bench/splice.sh doc.md x text
expect_equal 'spliced' 'before
<!-- generated: x -->
new
lines
<!-- end: x -->
after' "$(cat "$tree/doc.md")"
expect_ok 'splice of a second block' utils/bench/splice.sh doc.md y text
expect_equal 'blocks' '4' "$(grep -c '^<!--' "$tree/doc.md")"
echo '<!-- generated: z -->' >>"$tree/doc.md"
expect_refused 'half a block' 'only half of the block' utils/bench/splice.sh doc.md z text

finish
