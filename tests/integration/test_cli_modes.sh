#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What redis-cli does besides sending one command: its prompt, its samplers, mass insertion.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

# Nothing of the user's own comes in, and nothing is left in his history.
export REDISCLI_RCFILE=/dev/null REDISCLI_HISTFILE=/dev/null TERM=xterm

# shellcheck disable=SC2317 # called through says and holds
cli() {
    timeout 60 redis-cli -p "$port" "$@"
}

# terminal NAME OPTION...: redis-cli under a pseudo-terminal does what standard input says.
terminal() {
    local name=$1 status
    shift
    /usr/bin/python3 tests/support/terminal.py redis-cli -p "$port" "$@" >"$work/out" 2>&1
    status=$?
    report "$status" "$name"
}

# counts NAME LINES PATTERN COMMAND...: what the command prints has so many lines of this shape, and
# no error.
counts() {
    local name=$1 wanted=$2 pattern=$3 status
    shift 3
    "$@" >"$work/out" 2>&1
    status=$?
    [ "$(grep -cE -- "$pattern" "$work/out")" = "$wanted" ] || status=1
    grep -qE 'ERR|[Ee]rror' "$work/out" && status=1
    report "$status" "$name"
}

# shellcheck disable=SC2119 # without options
start_server

# The prompt. The help must be what COMMAND DOCS of this server says, not what redis-cli was built with.
summary=$(redis-cli -p "$port" --json command docs get | sed -E 's/.*"summary":"([^"]*)".*/\1/')
prompt="127.0.0.1:$port"
terminal 'prompt' <<END
wait $prompt>
type get 
wait get key
type \x15ping\r
wait PONG
wait $prompt>
type help get\r
wait GET key
wait summary: $summary
wait since: 1.0.0
wait group: string
wait $prompt>
type help @string\r
wait SETRANGE key offset value
wait $prompt>
type select 3\r
wait OK
wait ${prompt}[3]>
type set greeting "hello\\\\x00there"\r
wait OK
wait ${prompt}[3]>
type get greeting\r
wait "hello\\\\x00there"
wait ${prompt}[3]>
type get\r
wait (error) ERR wrong number of arguments for 'get' command
wait ${prompt}[3]>
type quit\r
end
END
terminal 'prompt in RESP3, with a name' -3 -n 2 <<END
wait ${prompt}[2]>
type config get timeout\r
wait 1# "timeout" => "0"
wait ${prompt}[2]>
type set \t
wait set 
type \x15get nokey\r
wait (nil)
wait ${prompt}[2]>
type exit\r
end
END
terminal 'completion' <<END
wait $prompt>
type strl\t
wait STRLEN
type  nokey\r
wait (integer) 0
wait $prompt>
type \x04
end
END

says 'comma-separated values' '"timeout","0"' cli --csv config get timeout
says 'JSON' '{"timeout":"0"}' cli --json config get timeout
says 'JSON in RESP2' '["timeout","0"]' cli -2 --json config get timeout
says 'repeated, with an interval' $'PONG\nPONG\nPONG' cli -r 3 -i 0.01 ping
says 'quoted input' OK cli --quoted-input set '"a\x00b"' '"\xff"'
says 'an error ends with status 1' 1 bash -c "redis-cli -e -p $port get >/dev/null 2>&1; echo \$?"

# Mass insertion: every reply is counted, and one that is an error is found.
inserted=100000
# shellcheck disable=SC2317 # called through says
pipe() {
    awk -v n="$inserted" "BEGIN { for (i = 1; i <= n; i++) $1 }" | cli --pipe 2>&1 | tail -n 1
}
says 'mass insertion, inline' "errors: 0, replies: $inserted" \
    pipe 'printf "SET key:%d %d\r\n", i, i'
says 'its keys are there' "$((inserted + 1))" cli dbsize
says 'its last key' "$inserted" cli get "key:$inserted"
# shellcheck disable=SC2016 # a dollar of the protocol
says 'mass insertion, RESP' "errors: 0, replies: $inserted" \
    pipe '{ key = "key:" i; printf "*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n", length(key), key }'
says 'its last value' "$((inserted + 1))" cli get "key:$inserted"
says 'mass insertion with errors' "errors: 10, replies: $inserted" \
    pipe 'printf i % 10000 ? "PING\r\n" : "GET\r\n"'

# 2000 keys, ten big ones, one with a zero byte in its name, and one in another database.
says 'an empty server' OK cli flushall
inserted=2000
says 'keys to look at' "errors: 0, replies: $inserted" pipe 'printf "SET key:%d %d\r\n", i, i'
redis-cli -p "$port" set big "$(printf '%010000d' 7)" >/dev/null
for i in {1..9}; do
    echo "SET big:$i $i"
done | redis-cli -p "$port" --pipe >/dev/null
redis-cli -p "$port" --quoted-input set '"a\x00b"' value >/dev/null
redis-cli -p "$port" -n 9 set elsewhere value >/dev/null
says 'scan' "$inserted" bash -c "redis-cli -p $port --scan --pattern 'key:*' | sort -u | wc -l"
# It prints what it finds up to the first zero byte.
says 'scan, quoted pattern' a cli --scan --quoted-pattern '"a\x00*"'
holds 'big keys' "Biggest string found '\"big\"' has 10000 bytes" cli --bigkeys
holds 'big keys, in all' "$((inserted + 11)) strings with" cli --bigkeys
holds 'big keys of a pattern' '10 strings with 10009 bytes' cli --bigkeys --pattern 'big*'
holds 'memory of keys' "Biggest string found '\"big\"' has 1" cli --memkeys --pattern 'big*'
holds 'memory of keys, sampled' "Biggest string found '\"big\"' has 1" \
    cli --memkeys-samples 3 --pattern 'big*'
says 'hot keys need an LFU policy' 'Error: ERR An LFU maxmemory policy is not selected, access'\
' frequency not tracked. Please note that when switching between policies at runtime LRU and LFU'\
' data will take some time to adjust.' \
    bash -c "redis-cli -p $port --hotkeys 2>&1 | grep Error"

number='[0-9]+'
counts 'latency' 1 "^$number $number $number\.$number $number\$" cli --latency -i 0.2
counts 'latency, comma-separated' 1 "^$number,$number,$number\.$number,$number\$" \
    cli --csv --latency -i 0.2
counts 'latency, history' 1 "^$number $number $number\.$number $number\$" \
    bash -c "stdbuf -oL redis-cli -p $port --latency-history -i 0.2 | head -n 1"
terminal 'latency on a terminal' --latency <<END
wait min: 0, max: 
wait samples)
wait min: 0, max: 
type \x03
END

# Keys of all databases, memory, clients, blocked, requests (in the last interval), connections.
keys=$((inserted + 12))
terminal 'rolling statistics' --stat -i 0.1 <<END
wait ------- data ------ --------------------- load -------------------- - child -
wait keys       mem      clients blocked requests            connections
wait $keys
wait (+0)
wait $keys
wait (+1)
wait $keys
wait (+1)
type \x03
END
counts 'rolling statistics, no terminal' 4 \
    "^$keys +[0-9.]+[KMG] +$number +0 +$number \(\+$number\) +$number" \
    bash -c "timeout 10 stdbuf -oL redis-cli -p $port --stat -i 0.05 | head -n 6"

# Another client's commands appear one a line, quoted, with the database and the address.
start_helper monitor stdbuf -oL redis-cli -p "$port" monitor
if await_helper grep -q OK "$work/monitor.log"; then
    redis-cli -p "$port" -n 7 --quoted-input set '"watched\x00key"' '"two words\r\n"' >/dev/null
    await grep -q two "$work/monitor.log"
    kill "$helper"
fi
counts 'monitor' 1 \
    "^[0-9]{10}\.[0-9]{6} \[7 127\.0\.0\.1:$number\] \"set\" \"watched\\\\x00key\" \"two words\\\\r\\\\n\"\$" \
    cat "$work/monitor.log"

finish
