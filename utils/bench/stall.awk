# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_stall.sh into a table and says whether the bound holds; exit status 1 if
# not. Of several runs of a case the one with the smallest maximum counts.
#
#   awk -f stall.awk bounds.txt SAMPLES
#
#   stall  server type command max_ms p999_ms memory_back_ms

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
    if (!(($2, row) in longest) || $5 + 0 < longest[$2, row]) {
        longest[$2, row] = $5 + 0
        p999[$2, row] = $6
        back[$2, row] = $7
    }
}

END {
    if (!row_count) {
        print "nothing was measured"
        exit 1
    }
    print "Milliseconds; memory: until 95 % of what the collection took was free again."
    print ""
    print "| type | command | max ours | max theirs | p99.9 ours | p99.9 theirs | memory ours | memory theirs |"
    print "|---|---|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= row_count; i++) {
        row = rows[i]
        split(row, part, SUBSEP)
        printf "| %s | %s | **%.2f** | %.2f | %.2f | %.2f | %s | %s |\n", part[1], part[2], \
            longest["ours", row], longest["theirs", row], p999["ours", row], \
            p999["theirs", row], back["ours", row], back["theirs", row]
        if (part[2] == "nothing" && longest["ours", row] > idle)
            idle = longest["ours", row]
        if (part[2] != "nothing" && longest["ours", row] >= worst) {
            worst = longest["ours", row]
            where = part[1] ", " part[2]
        }
    }
    print ""
    holds = worst < limit + 0
    printf "Our longest is %.2f ms (%s; with nothing to do %.2f ms), it must be below %s ms: %s.\n", \
        worst, where, idle, limit, holds ? "holds" : "**DOES NOT HOLD**"
    if (!holds && idle >= limit + 0)
        print "The machine alone is over the bound: measure again when it is quiet."
    exit !holds
}
