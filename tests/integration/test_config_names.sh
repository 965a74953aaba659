#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every directive of Redis is known: names and values against redis-server's, its packaged configuration
# file as it is, and conf/respite.conf and docs/CONFIGURATION.md against what the server says.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

conf=$PWD/conf/respite.conf
docs=$PWD/docs/CONFIGURATION.md
redis_conf=/etc/redis/redis.conf
folder=$work/folder
mkdir "$folder"

# What differs from one start to the next, or is not set here.
start_options=(--port 0 --unixsocket "$folder/socket" --dir "$folder" --logfile "$folder/log")
in_front=(--pidfile "$folder/pid" --daemonize no)
# Values that may differ. redis-server as packaged has no defragmentation and saves by default; here freeing is lazy.
other_values='save
lazyfree-lazy-eviction
lazyfree-lazy-expire
lazyfree-lazy-server-del
lazyfree-lazy-user-del
lazyfree-lazy-user-flush
replica-lazy-flush
slave-lazy-flush'

# begin PROGRAM ARGUMENT...: starts it and waits until it serves; false if it doesn't.
begin() {
    rm -rf "${folder:?}"/*
    "$@" "${start_options[@]}" >"$work/out" 2>&1 </dev/null &
    pid=$!
    for _ in {1..600}; do
        [ "$(redis-cli -s "$folder/socket" PING 2>/dev/null)" = PONG ] && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$folder/log" >>"$work/out" 2>/dev/null
    return 1
}

end() {
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    pid=
}

# "name value" of all directives.
values() {
    redis-cli -s "$folder/socket" CONFIG GET '*' | paste -d' ' - - | sort
}

# The names that a text logged as inert.
logged_inert() {
    sed -n 's/.*accepted that have no effect here: //p' "$1" | tr -d ' ' | tr ',' '\n' | grep .
}

# The names in the first column of a section of the page; `all` with the older names.
page() {
    sed -n "/^## $1\$/,/^## /s/^| \(\`[^|]*\) |.*/\1/p" "$docs" |
        if [ "${2-}" = all ]; then tr ',' '\n'; else sed 's/,.*//'; fi | tr -d '` '
}

# same NAME FILE FILE: two lists hold the same lines.
same() {
    diff "$2" "$3" >"$work/out"
    report $? "$1"
}

# none NAME: what standard input holds is too much. Not in a pipeline, where it could not count.
none() {
    cat >"$work/out"
    [ ! -s "$work/out" ]
    report $? "$1"
}

# --- Names and defaults -----------------------------------------------------------------------------

begin redis-server
report $? 'redis-server starts'
values >"$work/redis"
end
begin "$server"
report $? 'the server starts'
values >"$work/ours"
end
cut -d' ' -f1 "$work/redis" | sort >"$work/redis.names"
cut -d' ' -f1 "$work/ours" | sort >"$work/our.names"
none 'no directive is there twice' < <(uniq -d "$work/our.names")
none 'every directive of redis-server is answered' < <(comm -23 "$work/redis.names" "$work/our.names")
comm -13 "$work/redis.names" "$work/our.names" >"$work/more"
page 'Not in Redis 7.0' | sort >"$work/page.more"
same 'the page names the others' "$work/page.more" "$work/more"
join "$work/redis.names" "$work/our.names" | grep -vxF "$other_values" >"$work/common"
for side in redis ours; do
    join "$work/common" "$work/$side" >"$work/$side.common"
done
same 'the defaults are those of redis-server' "$work/redis.common" "$work/ours.common"

# --- redis-server's own file ------------------------------------------------------------------------

if [ -r "$redis_conf" ]; then
    grep -v '^ *\(#\|$\)' "$redis_conf" | awk '{ print $1 }' | sort -u >"$work/named"
    begin redis-server "$redis_conf" "${in_front[@]}"
    report $? 'redis-server starts with its file'
    values | join "$work/named" - >"$work/redis"
    end
    begin "$server" "$redis_conf" "${in_front[@]}"
    report $? 'the server starts with it as well'
    values | join "$work/named" - >"$work/ours"
    logged_inert "$folder/log" | sort >"$work/logged"
    end
    same 'each of its directives is answered alike' "$work/redis" "$work/ours"
    [ "$(wc -l <"$work/ours")" = "$(wc -l <"$work/named")" ]
    report $? 'none of them is missing'
    none 'those without effect are named once' < <(uniq -d "$work/logged")
    page 'No effect' | sort >"$work/page.inert"
    join "$work/named" "$work/page.inert" >"$work/expected"
    same 'they are those of the page' "$work/expected" "$work/logged"
else
    echo "skipped: no $redis_conf that can be read"
fi

# --- conf/respite.conf and docs/CONFIGURATION.md ----------------------------------------------------

begin "$server" "$conf"
report $? 'the own file loads'
none 'nothing in it is without effect' < <(logged_inert "$folder/log")
values | while read -r name value; do echo "$name \"$value\""; done |
    grep -v '^\(client-output-buffer-limit\|bind\|save\|oom-score-adj-values\) ' >"$work/everything"
end
echo 'oom-score-adj-values 0 200 800' >>"$work/everything"
sed -i '/^\(replicaof\|slaveof\|user\|loadmodule\) /d' "$work/everything"
begin "$server" "$work/everything"
report $? 'a file with every directive loads'
logged_inert "$folder/log" | sort >"$work/inert"
end
page 'No effect' | sort >"$work/page.inert"
same 'the page names what has no effect' "$work/page.inert" "$work/inert"

# The names of the file, those that aren't set included.
sed -n 's/^#\{0,1\}\([a-z][a-z-]*\) .*/\1/p' "$conf" | sort -u >"$work/explained"
{
    page 'No effect' all
    page 'Stops the start' all
} | sort >"$work/others"
comm -23 "$work/our.names" "$work/others" >"$work/effective"
# Older names stand for the new ones.
none 'the own file explains what has an effect' \
    < <(comm -23 "$work/effective" "$work/explained" | grep -v -e '-ziplist-' -e slave)
none 'and nothing else' < <(comm -12 "$work/explained" "$work/others")
none 'the server knows all of it' < <(comm -23 "$work/explained" "$work/our.names")

# --- What stops the start ---------------------------------------------------------------------------

sed -n "/^## Stops the start\$/,/^## /s/^| \`\([^\`]*\)\`[^|]*| \`\([^\`]*\)\` .*/\1 \2/p" "$docs" >"$work/asked"
while read -r name line; do
    echo "$line" >"$work/one.conf"
    if begin "$server" "$work/one.conf"; then
        end
        echo "$name: started"
    elif ! grep -q "'$name' is set, but not supported" "$work/out"; then
        echo "$name: $(cat "$work/out")"
    fi
done <"$work/asked" >"$work/wrong"
none 'what asks for more safety stops the start' <"$work/wrong"
cut -d' ' -f2- "$work/asked" >"$work/all.conf"
begin "$server" "$work/all.conf" --ignore-unsupported yes
report $? 'unless that is allowed'
cat "$work/out" "$folder/log" >"$work/log"
while read -r name _; do
    [ "$(grep -c "'$name' is not supported" "$work/log")" = 1 ] || echo "$name"
done <"$work/asked" >"$work/unwarned"
none 'which warns of each' <"$work/unwarned"
finish
