# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_repl.sh into tables and says whether the bounds hold; exit status 1 if
# not. Of several rounds the best figure of each pair counts.
#
#   awk -f repl.awk bounds.txt SAMPLES
#
#   sync      pair loading wall_us replica_cpu_us
#   apply     pair commands primary_cpu_us replica_cpu_us
#   catch-up  pair commands wall_us replica_cpu_us
#   stalled   pair used_memory_bytes rss_bytes waiting_bytes

BEGIN { FS = "[\t ]+" }

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    split($0, part, "|")
    if (part[1] == "repl")
        limit[part[2]] = part[4]
    next
}

# Ours has one way of loading, which is held against both of theirs.
$1 == "sync" {
    if ($2 == "ours" || $3 == "disabled")
        keep("sync", $2, $4 / 1e3)
    if ($2 == "ours" || $3 == "swapdb") {
        keep("sync_swapdb", $2, $4 / 1e3)
        keep("sync_cpu", $2, $5 / 1e3)
    }
}

$1 == "apply" {
    keep("primary", $2, $4 / $3)
    keep("replica", $2, $5 / $3)
}

$1 == "catch-up" {
    keep("catch_up", $2, $4 / 1e3)
    keep("catch_up_cpu", $2, $5 / $3)
}

$1 == "stalled" {
    keep("stalled_used", $2, $3 / $5)
    keep("stalled_rss", $2, $4 / $5)
}

function keep(what, pair, value) {
    if (!((what, pair) in best) || value + 0 < best[what, pair])
        best[what, pair] = value + 0
}

function ratio(what) {
    return best[what, "theirs"] > 0 ? best[what, "ours"] / best[what, "theirs"] : 0
}

function row(text, what, format,   holds) {
    if (!((what, "ours") in best) || !((what, "theirs") in best))
        return
    printf "| %s | " format " | " format " | %.3f |\n", text, best[what, "ours"], best[what, "theirs"], ratio(what)
    if (!(what in limit))
        return
    holds = ratio(what) <= limit[what] + 0
    broken += !holds
    bounds = bounds sprintf("| %s, ours / theirs | at most %s | %.3f | %s |\n", text, limit[what], ratio(what), \
                            holds ? "holds" : "**DOES NOT HOLD**")
}

END {
    print "| what | ours | theirs | ratio |"
    print "|---|---:|---:|---:|"
    row("full sync, ms (theirs through a file)", "sync", "%.0f")
    row("full sync, ms (theirs with swapdb)", "sync_swapdb", "%.0f")
    row("the same, ms of the replica's CPU", "sync_cpu", "%.0f")
    row("primary's CPU us a SET, pipeline 16", "primary", "%.3f")
    row("replica's CPU us a SET", "replica", "%.3f")
    row("a stopped replica catches up, ms", "catch_up", "%.0f")
    row("the same, replica's CPU us a SET", "catch_up_cpu", "%.3f")
    row("stalled replica: used_memory more, bytes a byte that waits", "stalled_used", "%.3f")
    row("stalled replica: RSS more, bytes a byte that waits", "stalled_rss", "%.3f")
    print ""
    if (bounds == "") {
        print "nothing was measured that has a bound"
        exit 1
    }
    print "| bound | | measured | |"
    print "|---|---:|---:|---|"
    printf "%s", bounds
    exit broken > 0
}
