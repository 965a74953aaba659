#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The benchmark's report: medians, ratios and bounds; and a document keeps what was not generated.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

cp -r "$root/utils" "$tree/utils"

# samples OURS_1 OURS_2 OURS_3: CPU time of three rounds of GET at pipeline 1; theirs is 10 each.
samples() {
    local round=0 cpu
    for cpu in "$@"; do
        round=$((round + 1))
        printf 'speed\tours\tGET\t1\t%d\t%s\t200000\t0.5\n' "$round" "$cpu"
        printf 'speed\ttheirs\tGET\t1\t%d\t10\t100000\t1.0\n' "$round"
    done | plant samples.tsv
}

samples 9 8 100
expect_said 'median of three' '| GET | 1 | 9.000 (1022 %) | 10.000 (0 %) | **0.900** |' \
    awk -f utils/bench/report.awk samples.tsv
expect_said 'throughput' '| 200 | 100 | 2.00 | 0.50 | 1.00 |' \
    awk -f utils/bench/report.awk samples.tsv
expect_said 'bound' '| CPU per GET, pipeline 1 | 0.97 | 0.900 | holds |' \
    awk -f utils/bench/report.awk samples.tsv
samples 9 9.8 9.9 100
expect_refused 'median of four, broken bound' '| 0.97 | 0.985 | **DOES NOT HOLD** |' \
    awk -f utils/bench/report.awk samples.tsv

plant samples.tsv < <(
    printf 'memory\tours\t16\t500000\t60\t70\nmemory\tours\t16\t1000000\t50\t60\n'
    printf 'memory\ttheirs\t16\t500000\t120\t130\nmemory\ttheirs\t16\t1000000\t100\t130\n'
)
expect_said 'mean of the sizes' \
    '| 16 bytes, 16 bytes | 55.0 | 110.0 | **0.500** | 65.0 | 130.0 | 0.500 |' \
    awk -f utils/bench/report.awk samples.tsv

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
