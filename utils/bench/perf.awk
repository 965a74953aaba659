# SPDX-License-Identifier: BSD-3-Clause
# Turns what perf report says into samples for profile.awk, in per cent of a command's time.
#
#   awk -v name=GET -f perf.awk REPORT
#
# Its rows are "share% [k] function object", with "." in place of k in user space.

/^ *[0-9.]+% +\[.\] / {
    share = $1 + 0
    kernel = $2 == "[k]"
    where = kernel ? "kernel" : $NF ~ /^(libc|libm|ld)[-.]/ ? "libc" : $NF == "respite-server" ? "server" : "libraries"
    fn = $3
    sub(/\.(lto_priv|isra|constprop|part|cold).*$/, "", fn)
    by_function[fn (kernel ? " (kernel)" : "")] += share
    by_folder[where] += share
    total += share
}

END {
    if (!total) {
        print "perf.awk: no samples in " FILENAME > "/dev/stderr"
        exit 1
    }
    printf "total\t%s\t%.2f\n", name, total
    for (fn in by_function)
        printf "function\t%s\t%s\t%.2f\n", name, fn, by_function[fn]
    for (folder in by_folder)
        printf "folder\t%s\t%s\t%.2f\n", name, folder, by_folder[folder]
}
