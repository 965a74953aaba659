# SPDX-License-Identifier: BSD-3-Clause
# Turns the samples of bench_persist.sh into tables and says whether the bounds hold; exit status 1 if
# not. Of several rounds the best figure of each server counts.
#
#   awk -f persist.awk bounds.txt SAMPLES
#
#   save      server cpu_us wall_us file_bytes
#   load      server cpu_us wall_us keys
#   always    server delay_ms sets_per_second set_p99_ms, and of the GETs p50 p99 p999 max (ms) - -
#   everysec  server cpu_us commands commands_per_second p99_ms
#   slow      server p50 p99 p999 max (ms) - -
#   bgsave    server p50 p99 p999 max (ms) bgsave_ms p999_while_it_ran_ms

BEGIN { FS = "[\t ]+" }

/^#/ || /^[ \t]*$/ { next }

/\|/ {
    gsub(/[ \t]/, "")
    split($0, part, "|")
    if (part[1] == "persist")
        limit[part[2], part[3]] = part[4]
    next
}

$1 == "save" || $1 == "load" {
    keep_least($1 "_cpu", $2, $3 / 1e3)
    keep_least($1 "_wall", $2, $4 / 1e3)
    size[$1, $2] = $5
}

$1 == "always" {
    keep_most("always" $3, $2, $4)
    keep_least("get50_" $3, $2, $6)
    keep_least("get99_" $3, $2, $7)
    keep_least("get999_" $3, $2, $8)
}

$1 == "everysec" {
    keep_least("everysec", $2, $3 / $4)
    keep_most("everysec_rate", $2, $5)
}

$1 == "slow" || $1 == "bgsave" {
    keep_least($1 "50", $2, $3)
    keep_least($1 "99", $2, $4)
    keep_least($1 "999", $2, $5)
    keep_least($1 "_max", $2, $6)
    keep_least($1 "_took", $2, $7)
    keep_least($1 "_inside", $2, $8)
}

function keep_least(what, server, value) {
    if (!((what, server) in best) || value + 0 < best[what, server])
        best[what, server] = value + 0
}

function keep_most(what, server, value) {
    if (!((what, server) in best) || value + 0 > best[what, server])
        best[what, server] = value + 0
}

function has(what) {
    return (what, "ours") in best && (what, "theirs") in best
}

function ratio(what) {
    return best[what, "theirs"] > 0 ? best[what, "ours"] / best[what, "theirs"] : 0
}

function row(text, what, format) {
    if (has(what))
        printf "| %s | " format " | " format " | %.3f |\n", text, best[what, "ours"], best[what, "theirs"], ratio(what)
}

# What must hold: kind is of bounds.txt, "at most" or "at least".
function check(what, kind, value, text,   bound, holds) {
    if (!has(what))
        return
    bound = limit[what, kind]
    holds = kind == "least" ? value >= bound + 0 : value <= bound + 0
    broken += !holds
    bounds = bounds sprintf("| %s | at %s %s | %.3f | %s |\n", text, kind, bound, value, \
                            holds ? "holds" : "**DOES NOT HOLD**")
}

function slowed(delay) {
    return delay == 0 ? "disk as it is" : delay " ms added to fdatasync"
}

END {
    for (i = 1; i <= 2; i++) {
        what = i == 1 ? "save" : "load"
        if ((what, "ours") in size)
            printf "%s of ours: %.1f %s; theirs: %.1f.\n", i == 1 ? "File" : "Keys", size[what, "ours"] / 1e6, \
                i == 1 ? "MB" : "M", size[what, "theirs"] / 1e6
    }
    print ""
    print "| what | ours | theirs | ratio |"
    print "|---|---:|---:|---:|"
    row("SAVE, ms of CPU", "save_cpu", "%.0f")
    row("SAVE, ms", "save_wall", "%.0f")
    row("start with that file, ms of CPU", "load_cpu", "%.0f")
    row("start with that file until it answers, ms", "load_wall", "%.0f")
    for (delay = 0; delay <= 2; delay += 2) {
        row("always, " slowed(delay) ": SET a second", "always" delay, "%.0f")
        row("GET beside it, p50 ms", "get50_" delay, "%.3f")
        row("GET beside it, p99 ms", "get99_" delay, "%.3f")
        row("GET beside it, p99.9 ms", "get999_" delay, "%.3f")
    }
    row("everysec, pipeline 16: CPU us a SET", "everysec", "%.3f")
    row("everysec, pipeline 16: SET a second", "everysec_rate", "%.0f")
    row("everysec, 500 ms added to fdatasync: SET p50 ms", "slow50", "%.3f")
    row("the same, p99 ms", "slow99", "%.3f")
    row("the same, p99.9 ms", "slow999", "%.3f")
    row("the same, longest, ms", "slow_max", "%.3f")
    row("GET from a BGSAVE on, p50 ms", "bgsave50", "%.3f")
    row("the same, p99 ms", "bgsave99", "%.3f")
    row("the same, p99.9 ms", "bgsave999", "%.3f")
    row("the same, longest, ms", "bgsave_max", "%.3f")
    row("p99.9 of those sent while it ran, ms", "bgsave_inside", "%.3f")
    row("the BGSAVE, ms", "bgsave_took", "%.0f")

    check("save_cpu", "most", ratio("save_cpu"), "CPU of SAVE, ours / theirs")
    check("load_cpu", "most", ratio("load_cpu"), "CPU of loading, ours / theirs")
    check("load_wall", "most", ratio("load_wall"), "time of loading, ours / theirs")
    for (delay = 0; delay <= 2; delay += 2) {
        check("always" delay, "least", ratio("always" delay), "SET a second under always, " slowed(delay) ", ours / theirs")
        check("get99_" delay, "most", ratio("get99_" delay), "p99 of a GET beside it, ours / theirs")
    }
    check("everysec", "most", ratio("everysec"), "CPU per SET under everysec, pipeline 16, ours / theirs")
    check("slow99", "most", best["slow99", "ours"], "p99 of a SET under everysec, 500 ms added to fdatasync, ms of ours")
    check("bgsave999", "most", ratio("bgsave999"), "p99.9 of a GET from a BGSAVE on, ours / theirs")
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
