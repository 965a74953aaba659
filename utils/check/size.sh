#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# check-size: functions and files are short, and functions not deeply nested.
#
#   utils/check/size.sh      run from the root of the tree
#
# A function (its head to its closing brace) has at most 70 lines, a header at most 200, unless
# size.allow gives it more, with the reason. Statements in braces are nested at most three deep. A
# file of more than 1,000 lines is always refused. Entries that nothing needs any more are refused.
# The list, utils/check/size.allow, one of a line:
#   path | lines | reason        path:function | lines | reason        path:function nesting | depth | reason
#
# Relies on the format that `make format` gives: the brace that opens a function and the one that
# closes it are the only ones in the first column, apart from "};".
set -euo pipefail

allow=$(dirname "$0")/size.allow
mapfile -t files < <(find src tests utils redis-compat/runner redis-compat/interchange redis-compat/clients/*.c -name '*.[ch]' 2>/dev/null | sort)
[ ${#files[@]} -gt 0 ] || { echo 'check-size: no sources'; exit 1; }

awk -v allow="$allow" '
    function trim(text) {
        gsub(/^[ \t]+|[ \t]+$/, "", text)
        return text
    }

    # Refuses what has more lines (or levels) than its limit, or than an entry of the list gives it.
    function measure(what, where, count, unit, limit) {
        if (count <= limit)
            return
        used[what] = 1
        if (what in allowed && count <= allowed[what])
            return
        printf "%s: %s has %d %s, allowed are %d\n", where, what, count, unit, \
            (what in allowed ? allowed[what] : limit)
        bad = 1
    }

    # Follows the braces of statements; those of initialisers, and what is in them, do not count.
    function nest(line,    inside) {
        sub(/[ \t]*\/\/.*$/, "", line)
        if (line ~ /^[ \t]*}/ && open > 0)
            depth -= counts[open--]
        if (line !~ /{[ \t]*$/)
            return
        inside = open == 0 || counts[open]
        counts[++open] = inside && line ~ /(^[ \t]*|\) |else |do |: ){[ \t]*$/
        depth += counts[open]
        if (depth > deepest)
            deepest = depth
    }

    # The name in a function head: the word before the first "(", attributes left out; for a test
    # of Check the name of the test.
    function name_of(head,    at) {
        gsub(/__attribute__ *\(\([^)]*(\([^)]*\))?[^)]*\)\)/, "", head)
        if (match(head, /START_TEST *\( *[A-Za-z0-9_]+/)) {
            head = substr(head, RSTART, RLENGTH)
            sub(/.*\( */, "", head)
            return head
        }
        at = index(head, "(")
        head = substr(head, 1, at ? at - 1 : length(head))
        sub(/[ \t]+$/, "", head)
        sub(/^.*[^A-Za-z0-9_]/, "", head)
        return head
    }

    function end_of_file() {
        if (file == "")
            return
        if (in_body) {
            printf "%s:%d: no end found for this function\n", file, head_line
            bad = 1
        }
        if (lines > 1000) {
            printf "%s: has %d lines, at most 1000 are allowed\n", file, lines
            bad = 1
        } else if (file ~ /\.h$/) {
            measure(file, file, lines, "lines", 200)
        }
    }

    BEGIN {
        while ((getline line < allow) > 0) {
            number++
            if (line ~ /^#/ || trim(line) == "")
                continue
            if (split(line, part, "|") != 3 || trim(part[2]) !~ /^[0-9]+$/ || trim(part[3]) == "") {
                printf "%s:%d: not of the form: path:function | lines | reason\n", allow, number
                bad = 1
                continue
            }
            allowed[trim(part[1])] = trim(part[2])
            entry_line[trim(part[1])] = number
        }
    }

    FNR == 1 {
        end_of_file()
        file = FILENAME
        in_body = 0
        head = ""
    }

    { lines = FNR }

    in_body {
        if (/^}/) {
            in_body = 0
            function_name = file ":" name_of(head)
            measure(function_name, file ":" head_line, FNR - head_line + 1, "lines", 70)
            measure(function_name " nesting", file ":" head_line, deepest, "levels", 3)
            head = ""
        } else {
            nest($0)
        }
        next
    }

    /^{/ {
        in_body = 1
        open = depth = deepest = 0
        if (head == "")
            head_line = FNR
        next
    }

    # What stands between the end of the last declaration and the brace is the head.
    /^[ \t]*$/ || /^#/ || /^}/ || /;[ \t]*(\/\/.*)?$/ || /^[ \t]*\/\// || /^END_TEST/ {
        head = ""
        next
    }

    {
        if (head == "")
            head_line = FNR
        head = head " " $0
    }

    END {
        end_of_file()
        for (what in allowed)
            if (!(what in used)) {
                printf "%s:%d: not needed any more: %s\n", allow, entry_line[what], what
                bad = 1
            }
        exit bad
    }
' "${files[@]}" || { echo 'check-size: failed'; exit 1; }
