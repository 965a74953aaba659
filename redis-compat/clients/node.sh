#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Prints the node that runs the npm clients: the system's where it is new enough (they want 20),
# else the one in runtime/, a package of the same registry, which is installed when it is needed.
set -u
cd "$(dirname "$0")" || exit 1

wanted=20

major() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#v}
    echo "${version%%.*}"
}

new_enough() {
    local found
    found=$(major "$1") && [ "$found" -ge "$wanted" ]
}

runtime() {
    local program
    for program in "$PWD"/runtime/node_modules/node-linux-*/bin/node; do
        if new_enough "$program"; then
            echo "$program"
            return 0
        fi
    done
    return 1
}

if new_enough node; then
    command -v node
    exit 0
fi
runtime && exit 0
./install.sh runtime >&2 || exit 1
runtime || { echo "no node of version $wanted or newer" >&2; exit 1; }
