#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs the client programs of this folder, one after the other, against one live server: the program
# that RESPITE_SERVER names. For run.sh, which installs what the programs need.
#
#   redis-compat/clients/against.sh NODE      NODE runs the npm clients
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh
cd redis-compat/clients || exit 1

node=$1
built=../../build/clients
limit_s=100

# client NAME COMMAND...: runs COMMAND with the port as its last argument. The last line it prints
# names the client and its version.
client() {
    local name=$1 status
    shift
    timeout --kill-after=10 "$limit_s" "$@" "$port" >"$work/out" 2>&1
    status=$?
    [ "$status" != 0 ] || name=$(tail -n 1 "$work/out")
    report "$status" "$name"
}

# redis-server would save at each FLUSHALL.
start_server --save ''
client 'C hiredis' "$built/hiredis"
client 'Go redigo' "$built/redigo"
client 'Perl Redis' perl perl_redis.pl
client 'PHP redis' php php_redis.php
client 'Python redis' /usr/bin/python3 python_redis.py
client 'Python redis, workflows' /usr/bin/python3 workflows_python.py
client 'Python redis, messages' /usr/bin/python3 messages_python.py
client 'Ruby redis' ruby ruby_redis.rb
client 'npm redis' "$node" node_redis.mjs
client 'npm redis 4' "$node" node_redis4.mjs
client 'npm ioredis' "$node" ioredis.mjs ioredis
client 'npm ioredis 5' "$node" ioredis.mjs ioredis5
client 'npm ioredis, workflows' "$node" workflows_ioredis.mjs ioredis
client 'npm ioredis 5, workflows' "$node" workflows_ioredis.mjs ioredis5
client 'npm ioredis, messages' "$node" messages_ioredis.mjs ioredis
client 'npm ioredis 5, messages' "$node" messages_ioredis.mjs ioredis5
client 'npm redis, client-side caches' "$node" client_cache.mjs
client 'npm @valkey/valkey-glide' "$node" valkey_glide.mjs
client 'npm socket.io' "$node" chat_room.mjs pubsub ioredis
client 'npm socket.io, RESP2' "$node" chat_room.mjs pubsub redis4
client 'npm socket.io, sharded' "$node" chat_room.mjs sharded redis
client 'npm socket.io, sharded, RESP2' "$node" chat_room.mjs sharded ioredis5
finish
