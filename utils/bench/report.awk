# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench.sh into tables and says which bounds hold; exit status 1 if one does
# not. A ratio of CPU times is the median of ours / theirs of each round, all other figures of speed are
# medians of the rounds; those of memory are means of the sizes.
#
#   awk -f report.awk bounds.txt SAMPLES
#
#   speed   server command pipeline round cpu_us requests_per_s p99_ms    (server: ours, theirs, floor)
#   memory  server kind items bytes rss_bytes
#   rss     server kind connections used rss used_settled rss_settled
#   idle    server connections state used rss

BEGIN {
    FS = "\t"
    title["16"] = "key and value of 16 bytes"
    title["64"] = "key of 16 bytes, value of 64"
    title["integer"] = "key of 16 bytes, integer"
    title["ttl"] = "key and value of 16 bytes, with a TTL"
    title["small-hash"] = "key with a hash of 5 fields"
    title["small-set"] = "key with a set of 5 members"
    title["small-list"] = "key with a list of 5 elements"
    title["small-zset"] = "key with a sorted set of 5 members"
    title["big-hash"] = "field of a big hash"
    title["big-set"] = "member of a big set"
    title["big-zset"] = "member of a big sorted set"
    title["big-list"] = "element of a big list"
    title["idle"] = "idle connection"
    title["rss"] = "RSS / used_memory behind 5 M keys"
}

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    bounds[++bound_count] = $0
    next
}

$1 == "speed" {
    at = $2 SUBSEP $3 SUBSEP $4
    n = ++rounds[at]
    cpu[at, n] = $6
    rps[at, n] = $7
    p99[at, n] = $8
    remember($3 SUBSEP $4)
}

$1 == "memory" {
    at = $2 SUBSEP $3
    sizes[at]++
    bytes[at] += $5
    rss[at] += $6
    if (!($3 in has_kind)) {
        has_kind[$3] = 1
        kinds[++kind_count] = $3
    }
}

$1 == "rss" {
    at = $3 SUBSEP $4
    loads[++load_count] = $2 SUBSEP at
    loaded[$2, at] = $6 / $5
    settled[$2, at] = $8 / $7
}

$1 == "idle" {
    at = $3 SUBSEP $4
    idle_used[$2, at] = $5 / $3
    idle_rss[$2, at] = $6 / $3
    if ($2 == "ours")
        idles[++idle_count] = at
}

function remember(row) {
    if (!(row in has_row)) {
        has_row[row] = 1
        rows[++row_count] = row
    }
}

# The median of values[at, 1] to values[at, rounds[at]].
function median(values, at,    i, j, n, x, sorted) {
    n = rounds[at]
    for (i = 1; i <= n; i++) {
        x = values[at, i]
        for (j = i - 1; j > 0 && sorted[j] > x; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = x
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# The median of what one server used for a row in each round, as parts of what the other did in the same round.
function median_ratio(row,    i, ours, theirs) {
    ours = "ours" SUBSEP row
    theirs = "theirs" SUBSEP row
    rounds[row] = rounds[ours]
    for (i = 1; i <= rounds[row]; i++)
        ratio[row, i] = cpu[ours, i] / cpu[theirs, i]
    return median(ratio, row)
}

# Thousands, with a digit behind the point where there are few.
function thousands(number) {
    number /= 1000
    return sprintf(number < 10 ? "%.1f" : "%.0f", number)
}

function speed_table(    i, part, ours, theirs, own, of_floor, relation) {
    print "Server CPU microseconds per command (user and system), thousands of commands per second, and p99 in"
    print "ms as the load generator saw it, all medians of the rounds; the ratio is the median of the rounds' ratios."
    print "Floor: a server that parses nothing and sends canned replies; behind the ratio, by how many microseconds"
    print "ours is above it:"
    print ""
    print "| command | pipeline | CPU floor | CPU ours | CPU theirs | **ratio** | above floor | k/s ours | k/s theirs | p99 ours | p99 theirs |"
    print "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= row_count; i++) {
        split(rows[i], part, SUBSEP)
        ours = "ours" SUBSEP rows[i]
        theirs = "theirs" SUBSEP rows[i]
        own = median(cpu, ours)
        of_floor = median(cpu, "floor" SUBSEP rows[i])
        relation = median_ratio(rows[i])
        measured["cpu", part[1], part[2]] = relation
        printf "| %s | %d | %.3f | %.3f | %.3f | **%.3f** | %.3f | %s | %s | %.2f | %.2f |\n", part[1], part[2], \
            of_floor, own, median(cpu, theirs), relation, own - of_floor, thousands(median(rps, ours)), \
            thousands(median(rps, theirs)), median(p99, ours), median(p99, theirs)
    }
    print ""
}

function memory_table(    i, kind, ours, theirs, a, b) {
    print "Bytes of each (growth of `used_memory`, mean over the sizes; RSS beside it):"
    print ""
    print "| what | ours | theirs | **ratio** | RSS ours | RSS theirs | ratio |"
    print "|---|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= kind_count; i++) {
        kind = kinds[i]
        ours = "ours" SUBSEP kind
        theirs = "theirs" SUBSEP kind
        a = bytes[ours] / sizes[ours]
        b = bytes[theirs] / sizes[theirs]
        measured["memory", kind, "ratio"] = a / b
        measured["memory", kind, "bytes"] = a
        printf "| %s | %.1f | %.1f | **%.3f** | %.1f | %.1f | %.3f |\n", title[kind], a, b, a / b, \
            rss[ours] / sizes[ours], rss[theirs] / sizes[theirs], \
            (rss[ours] / sizes[ours]) / (rss[theirs] / sizes[theirs])
    }
    print ""
}

function rss_table(    i, part) {
    print "Resident set / `used_memory` behind 5 M keys, when the last one is in and when the server has settled:"
    print ""
    print "| what | server | connections | loaded | **settled** |"
    print "|---|---|---:|---:|---:|"
    for (i = 1; i <= load_count; i++) {
        split(loads[i], part, SUBSEP)
        printf "| %s | %s | %d | %.3f | **%.3f** |\n", title[part[2]], part[1], part[3], loaded[loads[i]], \
            settled[loads[i]]
        if (part[1] == "ours")
            worst("rss", "settled", settled[loads[i]])
    }
    print ""
}

function idle_table(    i, part) {
    print "Bytes of an idle connection (growth of `used_memory`; RSS beside it), connected, or when each has sent one PING:"
    print ""
    print "| connections | | ours | theirs | RSS ours | RSS theirs |"
    print "|---:|---|---:|---:|---:|---:|"
    for (i = 1; i <= idle_count; i++) {
        split(idles[i], part, SUBSEP)
        printf "| %d | %s | **%.0f** | %.0f | %.0f | %.0f |\n", part[1], part[2], idle_used["ours", idles[i]], \
            idle_used["theirs", idles[i]], idle_rss["ours", idles[i]], idle_rss["theirs", idles[i]]
        worst("idle", "bytes", idle_used["ours", idles[i]])
    }
    print ""
}

# A bound is on the largest of several.
function worst(kind, figure, value) {
    if (!(("memory", kind, figure) in measured) || value > measured["memory", kind, figure])
        measured["memory", kind, figure] = value
}

# One row of the table of bounds, if it was measured.
function bound(line,    part, what, value, good) {
    split(line, part, "|")
    if (!((part[1], part[2], part[3]) in measured))
        return
    if (!shown++) {
        print "Bounds:"
        print ""
        print "| what | at most | measured | |"
        print "|---|---:|---:|---|"
    }
    value = measured[part[1], part[2], part[3]]
    good = value <= part[4] + 0
    if (!good)
        broken = 1
    if (part[1] == "cpu")
        what = "CPU per " part[2] ", pipeline " part[3] ", ours / theirs"
    else
        what = title[part[2]] (part[3] == "ratio" ? ", ours / theirs" : ", " part[3])
    printf part[3] == "bytes" ? "| %s | %s | %.1f | %s |\n" : "| %s | %s | %.3f | %s |\n", \
        what, part[4], value, good ? "holds" : "**DOES NOT HOLD**"
}

END {
    if (row_count)
        speed_table()
    if (kind_count)
        memory_table()
    if (load_count)
        rss_table()
    if (idle_count)
        idle_table()
    for (i = 1; i <= bound_count; i++)
        bound(bounds[i])
    exit broken
}
