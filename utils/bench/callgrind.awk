# SPDX-License-Identifier: BSD-3-Clause
# Turns what callgrind_annotate says of all functions into samples for profile.awk.
#
#   awk -v name=GET -v count=40000 -f callgrind.awk ANNOTATED
#
# Its rows are "instructions (share)  file:function [object]", one for each file whose lines are in the
# function. A sample is instructions per command:
#
#   total NAME instructions    function NAME function instructions    folder NAME folder instructions

/^ *[0-9,]+ \(.*%\)  .*:/ {
    cost = number($1)
    sub(/^[^)]*\)  /, "")
    object = match($0, / \[[^]]*\]$/) ? substr($0, RSTART) : ""
    sub(/ \[[^]]*\]$/, "")
    match($0, /:[^:]*$/)
    add(substr($0, 1, RSTART - 1), substr($0, RSTART + 1), object, cost)
}

function number(text) {
    gsub(/,/, "", text)
    return text + 0
}

function add(file, fn, object, cost,    where) {
    # What the compiler made of it: a part, a copy, a local name among many files.
    sub(/\.(lto_priv|isra|constprop|part|cold).*$/, "", fn)
    by_function[fn] += cost
    # Not its "PROGRAM TOTALS", which are off by what was running when the counter was set to zero.
    total += cost
    where = folder_of(file, object)
    # The compiler's own headers have instructions for whoever uses them.
    if (where == "")
        homeless[fn] += cost
    else
        by_place[fn, where] += cost
}

function folder_of(file, object) {
    if (match(file, /(^|\/)src\/[a-z]+\/[^\/]*$/)) {
        sub(/\/[^\/]*$/, "", file)
        sub(/^.*\//, "", file)
        return file
    }
    if (file ~ /\/lib\/gcc\//)
        return ""
    if (file ~ /^\.\// || object ~ /\/(libc|libm|ld)[-.]/)
        return "libc"
    return file ~ /src\/main\.c$/ ? "main.c" : "libraries"
}

END {
    if (!total || !count) {
        print "callgrind.awk: no totals in " FILENAME > "/dev/stderr"
        exit 1
    }
    for (at in by_place) {
        split(at, part, SUBSEP)
        by_folder[part[2]] += by_place[at]
        if (by_place[at] > most[part[1]]) {
            most[part[1]] = by_place[at]
            home[part[1]] = part[2]
        }
    }
    for (fn in homeless)
        by_folder[fn in home ? home[fn] : "libraries"] += homeless[fn]
    printf "total\t%s\t%.2f\n", name, total / count
    for (fn in by_function)
        printf "function\t%s\t%s\t%.2f\n", name, fn, by_function[fn] / count
    for (folder in by_folder)
        printf "folder\t%s\t%s\t%.2f\n", name, folder, by_folder[folder] / count
}
