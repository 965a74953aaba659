# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_reclaim.sh into tables and says whether the bounds hold; exit status 1 if
# not. Of several runs of a FLUSHALL the smallest figure counts.
#
#   awk -f reclaim.awk bounds.txt SAMPLES
#
#   flush   server command max_ms p999_ms cpu_ms memory_back_ms p99_ms reply_ms
#   shrink  server used_before used_after rss_before rss_after          bytes

BEGIN { FS = "\t" }

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    split($0, part, "|")
    if (part[1] == "reclaim")
        limit[part[2]] = part[4]
    next
}

$1 == "flush" {
    if (!($3 in seen)) {
        seen[$3] = 1
        cases[++case_count] = $3
    }
    for (i = 4; i <= 9; i++)
        keep_smallest($2 SUBSEP $3 SUBSEP i, $i)
}

$1 == "shrink" {
    for (i = 3; i <= 6; i++)
        bytes[$2, i] = $i
}

# A "-" is no number, and stays only where there is none.
function keep_smallest(at, value) {
    if (!(at in least) || least[at] == "-" || (value != "-" && value + 0 < least[at] + 0))
        least[at] = value
}

function check(what, value, unit, text) {
    holds = value + 0 < limit[what] + 0
    broken += !holds
    printf "| %s | %s | %s | %s |\n", text, limit[what] unit, value unit, holds ? "holds" : "**DOES NOT HOLD**"
}

END {
    if (!case_count) {
        print "nothing was measured"
        exit 1
    }
    print "| FLUSHALL, ms | reply | PING p99 | PING p99.9 | PING longest | most CPU while one waited | memory back |"
    print "|---|---:|---:|---:|---:|---:|---:|"
    for (c = 1; c <= case_count; c++) {
        for (s = 1; s <= 2; s++) {
            name = s == 1 ? "ours" : "theirs"
            at = name SUBSEP cases[c] SUBSEP
            printf "| %s, %s | %.2f | %.2f | %.2f | %.2f | %.2f | %s |\n", cases[c], name, least[at 9], least[at 8], \
                least[at 5], least[at 4], least[at 6], least[at 7]
        }
    }
    print ""
    print "| 90 % deleted, MB | used_memory before | after | | resident before | after | |"
    print "|---|---:|---:|---:|---:|---:|---:|"
    for (s = 1; s <= 2; s++) {
        name = s == 1 ? "ours" : "theirs"
        printf "| %s | %.1f | %.1f | %.1f %% | %.1f | %.1f | %.1f %% |\n", name, \
            bytes[name, 3] / 1e6, bytes[name, 4] / 1e6, 100 * bytes[name, 4] / bytes[name, 3], \
            bytes[name, 5] / 1e6, bytes[name, 6] / 1e6, 100 * bytes[name, 6] / bytes[name, 5]
    }
    print ""
    print "| bound on ours | below | measured | |"
    print "|---|---:|---:|---|"
    at = "ours" SUBSEP "FLUSHALL" SUBSEP
    check("reply", sprintf("%.2f", least[at 9]), " ms", "reply of FLUSHALL")
    check("p99", sprintf("%.2f", least[at 8]), " ms", "p99 of a PING until the memory is back")
    check("used", sprintf("%.3f", bytes["ours", 4] / bytes["ours", 3]), "", "used_memory, after / before")
    check("rss", sprintf("%.3f", bytes["ours", 6] / bytes["ours", 5]), "", "resident, after / before")
    exit broken > 0
}
