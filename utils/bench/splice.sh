#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Puts a text into a marked block of a document and leaves everything else as it is.
#
#   utils/bench/splice.sh DOCUMENT NAME TEXT_FILE
#
# The block begins with the line "<!-- generated: NAME -->" and ends with "<!-- end: NAME -->"; a
# document without it gets one at its end.
set -euo pipefail

document=$1
name=$2
text=$3
begin="<!-- generated: $name -->"
end="<!-- end: $name -->"

[ -f "$document" ] || : >"$document"
if ! grep -qxF "$begin" "$document" || ! grep -qxF "$end" "$document"; then
    ! grep -qxF -e "$begin" -e "$end" "$document" || {
        echo "splice.sh: $document has only half of the block '$name'" >&2
        exit 1
    }
    printf '\n%s\n%s\n' "$begin" "$end" >>"$document"
fi

awk -v begin="$begin" -v end="$end" -v text="$text" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin {
        inside = 1
        while ((getline line < text) > 0)
            print line
    }' "$document" >"$document.new"
mv "$document.new" "$document"
