# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_latency.sh into a table and says which bounds hold; exit status 1 if one
# does not. Measurements count of which the host left at least half. Of each part of a case the best round counts,
# of each figure; of the parts the median p99.9 and the longest wait.
#
#   awk -f latency.awk bounds.txt SAMPLES
#
#   latency  server case round part p50 p99 p999 max - - own_p999 own_max      ms
#            quiet       percent of the commands that were asked while the host took nothing

BEGIN {
    FS = "\t"
    quiet_percent = 50
    title["grow"] = "5 M keys are inserted"
    title["flush"] = "FLUSHALL of 5 M keys"
    title["evict"] = "1 M keys push others out"
    title["expire"] = "500,000 keys expire"
    title["del"] = "DEL of a set of 1 M"
    name["p999"] = "p99.9 of a wait"
    name["max"] = "longest wait"
    name["own_p999"] = "p99.9 of the server's own work in a wait"
    name["own_max"] = "the server's own work in the longest"
    column["p999"] = 8
    column["max"] = 9
    column["own_p999"] = 12
    column["own_max"] = 13
}

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    if ($0 ~ /^latency\|/)
        bounds[++bound_count] = $0
    next
}

$1 == "latency" {
    if (!($3 in seen)) {
        seen[$3] = 1
        cases[++case_count] = $3
    }
    if ($5 > parts[$3])
        parts[$3] = $5
    measured[$2, $3]++
    if ($14 < quiet_percent)
        next
    counted[$2, $3]++
    for (what in column) {
        x = $(column[what]) + 0
        at = $2 SUBSEP $3 SUBSEP $5 SUBSEP what
        if (!(at in least) || x < least[at])
            least[at] = x
    }
}

# Over the parts: the median, or the largest.
function figure_of(server, kind, what,    i, j, n, x, sorted) {
    n = parts[kind]
    for (i = 1; i <= n; i++) {
        x = least[server, kind, i, what]
        for (j = i - 1; j > 0 && sorted[j] > x; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = x
    }
    if (what ~ /max/)
        return sorted[n]
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# Whether something of it counts, of all its parts.
function is_known(server, kind,    part) {
    for (part = 1; part <= parts[kind]; part++)
        if (!((server, kind, part, "max") in least))
            return 0
    return 1
}

# A figure as the table shows it: "-" if the host took the CPUs away all the time.
function cell(server, kind, what) {
    return is_known(server, kind) ? sprintf("%.2f", figure_of(server, kind, what)) : "-"
}

function row(kind,    ours, theirs) {
    ours = "ours"
    theirs = "theirs"
    printf "| %s | %s | %s | %s | %s | **%s** | %s | **%s** | %s | %d of %d, %d of %d |\n", title[kind], \
        cell(ours, kind, "p999"), cell(theirs, kind, "p999"), \
        cell(ours, kind, "max"), cell(theirs, kind, "max"), \
        cell(ours, kind, "own_p999"), cell(theirs, kind, "own_p999"), \
        cell(ours, kind, "own_max"), cell(theirs, kind, "own_max"), \
        counted[ours, kind], measured[ours, kind], counted[theirs, kind], measured[theirs, kind]
}

# latency | case | figure or figure/ratio | at most
function bound(line,    part, figure, ratio, got, holds) {
    split(line, part, "|")
    if (!(part[2] in seen))
        return
    figure = part[3]
    ratio = sub(/\/ratio$/, "", figure)
    if (!is_known("ours", part[2]) || (ratio && !is_known("theirs", part[2]))) {
        broken++
        printf "| %s, %s | %s | | **NOT KNOWN** |\n", title[part[2]], name[figure], part[4]
        return
    }
    got = figure_of("ours", part[2], figure)
    if (ratio)
        got /= figure_of("theirs", part[2], figure)
    holds = got <= part[4] + 0
    broken += !holds
    printf "| %s, %s, %s | %s | %.2f | %s |\n", title[part[2]], name[figure], \
        ratio ? "ours / theirs" : "ms of ours", part[4], got, holds ? "holds" : "**DOES NOT HOLD**"
}

END {
    if (!case_count) {
        print "nothing was measured"
        exit 1
    }
    print "Milliseconds that a GET or PING waits; \"own\": of that, what the server worked meanwhile. Behind them how"
    print "many of the measurements count, of ours and of theirs:"
    print ""
    print "| while | p99.9 ours | theirs | longest ours | theirs | own p99.9 ours | theirs | own longest ours | theirs | count |"
    print "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= case_count; i++)
        row(cases[i])
    print ""
    print "Bounds:"
    print ""
    print "| what | at most | measured | |"
    print "|---|---:|---:|---|"
    for (i = 1; i <= bound_count; i++)
        bound(bounds[i])
    exit broken > 0
}
