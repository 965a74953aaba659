# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench.sh into tables and says which bounds hold; exit status 1 if one does
# not. Ratios are ours / theirs of the medians (speed) or means (memory).
#
#   speed   server command pipeline round cpu_us requests_per_s p99_ms
#   memory  server kind keys bytes rss_bytes

BEGIN { FS = "\t" }

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

# How far the rounds lie apart, in percent of the median.
function spread(values, at,    i, low, high) {
    low = high = values[at, 1]
    for (i = 2; i <= rounds[at]; i++) {
        low = values[at, i] < low ? values[at, i] : low
        high = values[at, i] > high ? values[at, i] : high
    }
    return 100 * (high - low) / median(values, at)
}

function speed_table(    i, part, ours, theirs, a, b) {
    print "Server CPU microseconds per command (user and system; in brackets how far the rounds lie"
    print "apart), thousands of commands per second, and p99 in ms as `redis-benchmark` saw it:"
    print ""
    print "| command | pipeline | CPU ours | CPU theirs | **ratio** | k/s ours | k/s theirs | ratio | p99 ours | p99 theirs |"
    print "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= row_count; i++) {
        split(rows[i], part, SUBSEP)
        ours = "ours" SUBSEP rows[i]
        theirs = "theirs" SUBSEP rows[i]
        a = median(cpu, ours)
        b = median(cpu, theirs)
        ratio[part[1], part[2]] = a / b
        printf "| %s | %d | %.3f (%.0f %%) | %.3f (%.0f %%) | **%.3f** | %.0f | %.0f | %.2f | %.2f | %.2f |\n", \
            part[1], part[2], a, spread(cpu, ours), b, spread(cpu, theirs), a / b, \
            median(rps, ours) / 1000, median(rps, theirs) / 1000, \
            median(rps, ours) / median(rps, theirs), median(p99, ours), median(p99, theirs)
    }
    print ""
}

function memory_table(    i, kind, ours, theirs, a, b) {
    print "Bytes per key (growth of `used_memory`, mean over the sizes; RSS beside it):"
    print ""
    print "| key and value | ours | theirs | **ratio** | RSS ours | RSS theirs | ratio |"
    print "|---|---:|---:|---:|---:|---:|---:|"
    title["16"] = "16 bytes, 16 bytes"
    title["64"] = "16 bytes, 64 bytes"
    title["integer"] = "16 bytes, integer"
    title["ttl"] = "16 bytes, 16 bytes, with a TTL"
    for (i = 1; i <= kind_count; i++) {
        kind = kinds[i]
        ours = "ours" SUBSEP kind
        theirs = "theirs" SUBSEP kind
        a = bytes[ours] / sizes[ours]
        b = bytes[theirs] / sizes[theirs]
        ratio["memory", kind] = a / b
        printf "| %s | %.1f | %.1f | **%.3f** | %.1f | %.1f | %.3f |\n", title[kind], a, b, a / b, \
            rss[ours] / sizes[ours], rss[theirs] / sizes[theirs], \
            (rss[ours] / sizes[ours]) / (rss[theirs] / sizes[theirs])
    }
    print ""
}

# One row of the table of bounds, if it was measured.
function bound(what, first, second, limit,    good) {
    if (!((first, second) in ratio))
        return
    good = ratio[first, second] <= limit
    if (!good)
        broken = 1
    printf "| %s | %.2f | %.3f | %s |\n", what, limit, ratio[first, second], \
        good ? "holds" : "**DOES NOT HOLD**"
}

END {
    if (row_count)
        speed_table()
    if (kind_count)
        memory_table()
    print "Bounds (ours / theirs):"
    print ""
    print "| what | at most | measured | |"
    print "|---|---:|---:|---|"
    bound("CPU per GET, pipeline 1", "GET", 1, 0.97)
    bound("CPU per SET, pipeline 1", "SET", 1, 0.97)
    bound("CPU per GET, pipeline 16", "GET", 16, 0.55)
    bound("CPU per SET, pipeline 16", "SET", 16, 0.55)
    bound("CPU per GET, pipeline 100", "GET", 100, 0.35)
    bound("CPU per SET, pipeline 100", "SET", 100, 0.35)
    bound("bytes per key, 16/16", "memory", "16", 0.55)
    bound("bytes per key, 16/16 with a TTL", "memory", "ttl", 0.45)
    exit broken
}
