#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the client programs of this folder against Respite and, at the same time, against
# redis-server: what fails with the first alone is Respite's fault. A client that is not there is a
# failure. Ends with the line "N passed, N failed".
#
#   redis-compat/clients/run.sh      RESPITE_SERVER (build/respite-server) and REDIS_SERVER
#                                    (redis-server) name the servers
set -u
cd "$(dirname "$0")/../.." || exit 1

respite=$(realpath "${RESPITE_SERVER:-build/respite-server}") || exit 1
oracle=$(command -v "${REDIS_SERVER:-redis-server}") || oracle=/redis-server-is-missing
out=$(mktemp -d)
lanes=()

clean_up() {
    [ ${#lanes[@]} = 0 ] || kill "${lanes[@]}" 2>/dev/null
    wait
    rm -rf "$out"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# Without packages the programs that need them fail, and say so.
redis-compat/clients/install.sh || echo 'npm ci failed'
node=$(redis-compat/clients/node.sh)

# lane NAME SERVER: what it prints ends with "N passed, N failed".
lane() {
    RESPITE_SERVER=$2 redis-compat/clients/against.sh "${node:-/node-is-missing}" >"$out/$1" 2>&1 &
    lanes+=($!)
}

lane Respite "$respite"
lane redis-server "$oracle"
wait "${lanes[@]}"
lanes=()

passed=0
failed=0
for name in Respite redis-server; do
    total=$(tail -n 1 "$out/$name")
    if [[ $total =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
    else
        total='broken off'
        failed=$((failed + 1))
    fi
    echo "---- with $name: $total"
    grep -vxE '[0-9]+ passed, [0-9]+ failed' "$out/$name"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
