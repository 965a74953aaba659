#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check-layers: a file under src/ includes its own folder and folders on lower levels, nothing else.
#
#   utils/check/layers.sh      run from the root of the tree; the levels stand in layers.txt
#
# Also: includes are written from src/ (no "../x.h", no bare "x.h"), x_internal.h is for its own
# folder, and every source file lies in a folder that layers.txt knows (main.c alone lies above).
set -euo pipefail

mapfile -t files < <(find src -name '*.[ch]' -o -name '*.def' | sort)
[ ${#files[@]} -gt 0 ] || { echo 'check-layers: no sources'; exit 1; }

awk -v root=src '
    function complain(text) {
        printf "%s:%d: %s\n", FILENAME, FNR, text
        bad = 1
    }

    # The folder of a path such as "base/bytes.h"; "" when it is not of that form.
    function folder_of(path,    parts) {
        return split(path, parts, "/") == 2 ? parts[1] : ""
    }

    FILENAME ~ /layers\.txt$/ {
        if ($0 !~ /^#/)
            for (i = 2; i <= NF; i++)
                level[$i] = $1
        next
    }

    FNR == 1 {
        here = substr(FILENAME, length(root) + 2)
        own = folder_of(here)
        is_main = here == "main.c"
        if (!is_main && !(own in level))
            complain("lies in no folder of layers.txt")
    }

    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
        angled = $0 ~ /include[ \t]*</
        path = $0
        sub(/^[^<"]*[<"]/, "", path)
        sub(/[>"].*$/, "", path)
        target = folder_of(path)
        if (angled) {
            if (target in level && (getline line < (root "/" path)) >= 0)
                complain("<" path "> is our own: include it in quotes")
            close(root "/" path)
            next
        }
        if (!(target in level)) {
            complain("\"" path "\" is not written from " root "/ or in no folder of layers.txt")
            next
        }
        if (target != own && path ~ /_internal\.h$/)
            complain("\"" path "\" is for " target "/ only")
        if (is_main || target == own || !(own in level))
            next
        if (level[target] > level[own])
            complain(own "/ (level " level[own] ") includes " target "/ (level " level[target] ")")
        else if (level[target] == level[own])
            complain(own "/ includes its neighbour " target "/ on level " level[own])
    }

    END { exit bad }
' "$(dirname "$0")/layers.txt" "${files[@]}" || { echo 'check-layers: failed'; exit 1; }
