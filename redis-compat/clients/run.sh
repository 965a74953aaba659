#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the client programs of this folder, one after the other, against one live server. A client
# that is not there is a failure. Ends with the line "N passed, N failed".
#
#   redis-compat/clients/run.sh      RESPITE_SERVER names the server (build/respite-server)
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh
cd redis-compat/clients || exit 1

limit_s=100

# client NAME COMMAND...: runs COMMAND with the port as its last argument.
client() {
    local name=$1 status
    shift
    timeout --kill-after=10 "$limit_s" "$@" "$port" >"$work/out" 2>&1
    status=$?
    [ "$status" != 0 ] || name=$(tail -n 1 "$work/out")
    report "$status" "$name"
}

start_server
client 'python redis' /usr/bin/python3 python_redis.py

# Without packages the programs that need them fail, and say so.
./install.sh || echo 'npm ci failed'
node=$(./node.sh)
client 'npm redis' "${node:-node-is-missing}" node_redis.mjs
client 'npm ioredis' "${node:-node-is-missing}" ioredis.mjs
finish
