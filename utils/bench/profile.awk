# SPDX-License-Identifier: BSD-3-Clause
# Turns samples of profile.sh (callgrind.awk says what they are) into two tables: each command's cost by
# folder, and its costliest functions.
#
#   awk -v top=12 -v unit=instructions -f profile.awk SAMPLES

BEGIN {
    FS = "\t"
    folder_count = split("commands script cluster repl persist server types store ds resp net base main.c libraries libc kernel", \
        folders, " ")
    title["MGET"] = "MGET of 10"
    title["SETEX"] = "SETEX of new keys"
    title["LRANGE"] = "LRANGE of 100"
    title["HGETALL"] = "HGETALL of 50"
}

$1 == "total" {
    names[++name_count] = $2
    total[$2] = $3
}

$1 == "folder" {
    cost[$2, $3] = $4
    # What nearly no instruction is spent in is no column.
    if ($4 * 200 >= total[$2])
        used[$3] = 1
}

$1 == "function" {
    fn_count[$2]++
    fn_name[$2, fn_count[$2]] = $3
    fn_cost[$2, fn_count[$2]] = $4
}

function folder_table(    i, j, name, rule, rest) {
    printf "| command | **%s** |", unit
    rule = "|---|---:|"
    for (j = 1; j <= folder_count; j++)
        if (folders[j] in used) {
            printf " %s |", folders[j]
            rule = rule "---:|"
        }
    print " rest |\n" rule "---:|"
    for (i = 1; i <= name_count; i++) {
        name = names[i]
        rest = total[name]
        printf "| %s | **%.0f** |", (name in title ? title[name] : name), total[name]
        for (j = 1; j <= folder_count; j++)
            if (folders[j] in used) {
                printf " %.0f |", cost[name, folders[j]]
                rest -= cost[name, folders[j]]
            }
        printf " %.0f |\n", rest
    }
}

# The costliest one that has not been printed yet.
function next_function(name,    i, best) {
    for (i = 1; i <= fn_count[name]; i++)
        if (!((name, i) in printed) && (!best || fn_cost[name, i] > fn_cost[name, best]))
            best = i
    if (best)
        printed[name, best] = 1
    return best
}

function function_table(    i, j, name, at) {
    print "| command | costliest functions, % |\n|---|---|"
    for (i = 1; i <= name_count; i++) {
        name = names[i]
        printf "| %s | ", (name in title ? title[name] : name)
        for (j = 1; j <= top && (at = next_function(name)); j++)
            printf "%s%s %.1f", (j > 1 ? ", " : ""), fn_name[name, at], \
                100 * fn_cost[name, at] / total[name]
        print " |"
    }
}

END {
    if (!name_count) {
        print "nothing was measured"
        exit 1
    }
    folder_table()
    print ""
    function_table()
}
