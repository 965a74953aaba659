# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_stall.sh into a table and says whether the bound holds; exit status 1 if
# not. Of several runs of a case the smallest figure counts: what the server itself does is in all.
#
#   awk -f stall.awk bounds.txt SAMPLES
#
#   stall  server type command max_ms p999_ms cpu_ms memory_back_ms
#
# The bound is on cpu_ms, the longest stall of the server's own making (bench_stall.c).

BEGIN { FS = "\t" }

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    split($0, part, "|")
    if (part[1] == "stall")
        limit = part[4]
    next
}

$1 == "stall" {
    row = $3 SUBSEP $4
    if (!(row in has_row)) {
        has_row[row] = 1
        rows[++row_count] = row
    }
    keep_smallest(longest, $2 SUBSEP row, $5)
    keep_smallest(p999, $2 SUBSEP row, $6)
    keep_smallest(cpu, $2 SUBSEP row, $7)
    keep_smallest(back, $2 SUBSEP row, $8)
}

# A "-" is no number, and stays only where there is none.
function keep_smallest(values, at, value) {
    if (!(at in values) || values[at] == "-" || (value != "-" && value + 0 < values[at] + 0))
        values[at] = value
}

END {
    if (!row_count) {
        print "nothing was measured"
        exit 1
    }
    print "Milliseconds; CPU: the most that the thread which executes commands worked while one PING waited, and at"
    print "most how long it waited; memory: until 95 % of"
    print "what the collection took was free again."
    print ""
    print "| type | command | max ours | max theirs | p99.9 ours | p99.9 theirs | CPU ours | CPU theirs | memory ours | memory theirs |"
    print "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= row_count; i++) {
        row = rows[i]
        split(row, part, SUBSEP)
        printf "| %s | %s | %.2f | %.2f | %.2f | %.2f | **%.2f** | %.2f | %s | %s |\n", part[1], part[2], \
            longest["ours", row], longest["theirs", row], p999["ours", row], p999["theirs", row], \
            cpu["ours", row], cpu["theirs", row], back["ours", row], back["theirs", row]
        if (part[2] == "nothing") {
            if (longest["ours", row] + 0 > idle + 0)
                idle = longest["ours", row]
            continue
        }
        if (longest["ours", row] + 0 > by_clock + 0)
            by_clock = longest["ours", row]
        if (cpu["ours", row] + 0 >= worst + 0) {
            worst = cpu["ours", row]
            where = part[1] ", " part[2]
        }
    }
    print ""
    holds = worst < limit + 0
    printf "Our longest stall is %.2f ms of CPU (%s), it must be below %s ms: %s. By the clock %.2f ms; with nothing to do %.2f ms.\n", \
        worst, where, limit, holds ? "holds" : "**DOES NOT HOLD**", by_clock, idle
    if (by_clock >= limit + 0 && holds)
        print "By the clock it is over the bound: measure again when the machine is quiet."
    exit !holds
}
