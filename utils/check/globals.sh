#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check-globals: writable data of static storage duration is on an allow-list, with a reason.
#
#   utils/check/globals.sh OBJECT_FOLDER OBJECT...     run from the root of the tree
#
# Reads the objects' symbols in writable sections (.data, .bss and the thread-local ones; not
# .data.rel.ro, which holds constants with addresses). A variable inside a function counts as well:
# the compiler's number behind its name is left out. Entries that fit nothing are refused too.
# The list, utils/check/globals.allow: source | symbol | reason
set -euo pipefail

folder=$1
shift
allow=$(dirname "$0")/globals.allow

# nm prints "name|value|class|type|size|line|section" for each symbol of the file named before.
nm -A --format=sysv "$@" | awk -v folder="$folder" -v allow="$allow" -F '|' '
    function trim(text) {
        gsub(/^[ \t]+|[ \t]+$/, "", text)
        return text
    }

    BEGIN {
        while ((getline line < allow) > 0) {
            number++
            if (line ~ /^#/ || trim(line) == "")
                continue
            if (split(line, part, "|") != 3 || trim(part[3]) == "") {
                printf "%s:%d: not of the form: source | symbol | reason\n", allow, number
                bad = 1
                continue
            }
            allowed[trim(part[1]) " " trim(part[2])] = number
        }
    }

    {
        section = trim($7)
        if (section !~ /^\.(data|bss|tdata|tbss)(\.|$)/ && section !~ /^\*COM\*$/)
            next
        if (section ~ /^\.data\.rel\.ro/)
            next
        at = index($1, ".o:")
        source = "src/" substr($1, length(folder) + 2, at - length(folder) - 2) ".c"
        name = trim(substr($1, at + 3))
        sub(/\.[0-9]+$/, "", name)
        if (name == "" || name ~ /^\./)
            next
        key = source " " name
        seen[key] = 1
        if (!(key in allowed) && !(key in told)) {
            told[key] = 1
            printf "%s: writable global %s (%s) is not on %s\n", source, name, section, allow
            bad = 1
        }
    }

    END {
        for (key in allowed)
            if (!(key in seen)) {
                printf "%s:%d: there is no such global: %s\n", allow, allowed[key], key
                bad = 1
            }
        exit bad
    }' || { echo 'check-globals: failed'; exit 1; }
