# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_pubsub.sh into tables and says which bounds hold; exit status 1 if one does
# not. Ratios are ours / theirs of the medians.
#
#   awk -v messages=100000 -f pubsub.awk bounds.txt SAMPLES
#
#   pubsub   server subscribers|"patterns" pipeline round cpu_us messages_per_s
#   stalled  server messages bytes
#
# What a server would take for all the messages is worked out from its last two numbers of them, if it
# got fewer.

BEGIN { FS = "\t" }

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    if ($0 ~ /^pubsub\|/)
        bounds[++bound_count] = $0
    next
}

$1 == "pubsub" {
    at = $2 SUBSEP $3 SUBSEP $4
    n = ++rounds[at]
    cpu[at, n] = $6
    rate[at, n] = $7
    if (!(($3, $4) in has_row)) {
        has_row[$3, $4] = 1
        rows[++row_count] = $3 SUBSEP $4
    }
}

$1 == "stalled" {
    count_before[$2] = count[$2]
    bytes_before[$2] = bytes[$2]
    count[$2] = $3
    bytes[$2] = $4
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

function title(what) {
    return what == "patterns" ? "published, 10,000 patterns, 3 match" : "delivered, " what " subscribers"
}

function speed_table(    i, part, ours, theirs, a, b) {
    print "Server CPU microseconds per message (in brackets how far the rounds lie apart), and thousands of"
    print "messages per second:"
    print ""
    print "| message | pipeline | CPU ours | CPU theirs | **ratio** | k/s ours | k/s theirs |"
    print "|---|---:|---:|---:|---:|---:|---:|"
    for (i = 1; i <= row_count; i++) {
        split(rows[i], part, SUBSEP)
        ours = "ours" SUBSEP rows[i]
        theirs = "theirs" SUBSEP rows[i]
        a = median(cpu, ours)
        b = median(cpu, theirs)
        measured[part[1], part[2]] = a / b
        printf "| %s | %d | %.3f (%.0f %%) | %.3f (%.0f %%) | **%.3f** | %.1f | %.1f |\n", title(part[1]), \
            part[2], a, spread(cpu, ours), b, spread(cpu, theirs), a / b, \
            median(rate, ours) / 1000, median(rate, theirs) / 1000
    }
    print ""
}

# Megabytes for all the messages.
function megabytes(name,    each) {
    if (count[name] >= messages)
        return bytes[name] / 1e6
    each = (bytes[name] - bytes_before[name]) / (count[name] - count_before[name])
    return (bytes[name] + each * (messages - count[name])) / 1e6
}

function stalled_table(    ours, theirs) {
    ours = megabytes("ours")
    theirs = megabytes("theirs")
    measured["stalled", "MB"] = ours
    print "1,000 subscribers that never read, " messages " messages, `client-output-buffer-limit pubsub 0 0 0`:"
    printf "`used_memory` grows by %.1f MB, redis-server's by %.0f MB", ours, theirs
    if (count["theirs"] < messages)
        printf " (worked out from %d and %d messages: %.0f and %.0f MB)", count_before["theirs"], \
            count["theirs"], bytes_before["theirs"] / 1e6, bytes["theirs"] / 1e6
    print "."
    print ""
}

# One row of the table of bounds, if it was measured.
function bound(line,    part, what, value, good) {
    split(line, part, "|")
    if (!((part[2], part[3]) in measured))
        return
    if (!shown++) {
        print "Bounds:"
        print ""
        print "| what | at most | measured | |"
        print "|---|---:|---:|---|"
    }
    value = measured[part[2], part[3]]
    good = value <= part[4] + 0
    if (!good)
        broken = 1
    what = part[2] == "stalled" ? "memory of 1,000 stalled subscribers, MB" : \
        "CPU per message " title(part[2]) ", pipeline " part[3] ", ours / theirs"
    printf "| %s | %s | %.3f | %s |\n", what, part[4], value, good ? "holds" : "**DOES NOT HOLD**"
}

END {
    if (!row_count && !("ours" in count)) {
        print "nothing was measured"
        exit 1
    }
    if (row_count)
        speed_table()
    if ("ours" in count)
        stalled_table()
    for (i = 1; i <= bound_count; i++)
        bound(bounds[i])
    exit broken
}
