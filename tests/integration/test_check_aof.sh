#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# respite-check-aof: what it says of whole and damaged files and makes of them, beside redis-check-aof; and what the
# server then does with the same files.
# shellcheck disable=SC2016 # lengths of strings begin with a dollar
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

check=$(dirname "$server")/respite-check-aof
oracle_check=$(command -v redis-check-aof) || exit 1
good=$work/good
base=b.rdb
incr=i.2.aof
ping='*1\r\n$4\r\nPING\r\n'
set_a='*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n'
multi='*1\r\n$5\r\nMULTI\r\n'
exec='*1\r\n$4\r\nEXEC\r\n'

# refuses NAME TEXT COMMAND...: the command fails, and says this.
refuses() {
    local name=$1 text=$2 status=0
    shift 2
    "$@" >"$work/out" 2>&1 && status=1
    grep -qF -- "$text" "$work/out" || status=1
    report "$status" "$name"
}

# answer TEXT COMMAND...: runs the command with this on its standard input.
answer() {
    local text=$1
    shift
    "$@" <<<"$text"
}

# bytes FILE ESCAPES: writes a file.
bytes() {
    printf '%b' "$2" >"$1"
}

# fresh NAME: a copy of the good files as $work/NAME.
fresh() {
    rm -rf "${work:?}/$1"
    cp -r "$good" "$work/$1"
}

# --- The good files: a base of redis-server's, and two incremental files
# shellcheck disable=SC2119 # without options
start_oracle --save '' --dbfilename "$base"
redis-cli -p "$oracle_port" >/dev/null <<'END'
SET before 1
RPUSH list a b c
SAVE
END
mkdir "$good"
cp "$work/oracle/$base" "$good"
{
    printf '#TS:1000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n%b#TS:1010\r\n' "$set_a"
    for i in {1..60}; do
        printf '*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$2\r\n%02d\r\n' "$i"
        [ $((i % 10)) != 0 ] || printf '#TS:%d\r\n' $((1010 + i))
        [ $((i % 3)) != 0 ] || printf '%b*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$6\r\n\r\n\000\377*1\r\n%b' "$multi" "$exec"
    done
} >"$good/$incr"
printf '%b' "$set_a" >"$good/i.1.aof"
bytes "$good/m" "file $base seq 1 type b\nfile i.1.aof seq 1 type i\nfile $incr seq 2 type i\n"
size=$(stat -c %s "$good/$incr")

holds 'all files' 'm: all files are whole' "$check" "$good/m"
holds 'the RDB part' 'version 10, 2 keys, the checksum is right' "$check" "$good/m"
holds 'commands and time stamps' "$incr: $size bytes, 82 commands, time stamps from 1000 to 1070: whole" \
    "$check" "$good/m"
holds 'a single file' "$incr: $size bytes" "$check" "$good/$incr"
cat "$good/$base" "$good/$incr" >"$work/old"
holds 'an RDB part and commands' 'old: ' "$check" "$work/old"
: >"$work/empty"
holds 'an empty file' 'empty: 0 bytes, 0 commands: whole' "$check" "$work/empty"

# --- Beside redis-check-aof

# Both look at $work/ours and $work/theirs, which are the same, then mend: verdicts and files must agree, unless the
# damage is one that redis-check-aof does not see: what a command is, and whether a comment has an end.
# alike FILE: of these folders, or a manifest's last file.
alike() {
    local ours=0 theirs=0
    "$check" "$work/ours/$1" >"$work/out" 2>&1 || ours=1
    grep -q "unknown command\|' has \|' does not write\|a database is\|within a comment" "$work/out" &&
        return 0
    "$oracle_check" "$work/theirs/$1" >>"$work/out" 2>&1 || theirs=1
    [ "$ours" = "$theirs" ] || return 1
    answer y "$check" --fix "$work/ours/$1" >>"$work/out" 2>&1 || ours=2
    answer y "$oracle_check" --fix "$work/theirs/$1" >>"$work/out" 2>&1 || theirs=2
    [ "$ours" = "$theirs" ] && cmp "$work/ours/$1" "$work/theirs/$1" >>"$work/out" 2>&1
}

# alike_all NAME COMMAND...: damages a copy with COMMAND FILE N for some N, and compares.
mkdir "$work/ours" "$work/theirs"
# The same damage each time.
RANDOM=7
alike_all() {
    local name=$1 file=$work/ours/$incr n
    shift
    for ((n = size - 2048 + RANDOM % 97; n < size; n += 97)); do
        cp "$good/$incr" "$file"
        "$@" "$file" "$n"
        cp "$file" "$work/theirs"
        alike "$incr" && continue
        echo "at $n" >>"$work/out"
        report 1 "$name"
        return
    done
    report 0 "$name"
}
# shellcheck disable=SC2317 # called by alike_all
cut_off() {
    truncate -s "$2" "$1"
}
# shellcheck disable=SC2317 # called by alike_all
change() {
    printf '%b' "\\x$(printf %02x $((RANDOM % 256)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
# shellcheck disable=SC2317 # called by alike_all
zero_end() {
    truncate -s "$2" "$1"
    truncate -s "$size" "$1"
}
alike_all 'cut off: the same verdict, and the same file when mended' cut_off
alike_all 'changed: the same' change
alike_all 'zeros at the end: the same' zero_end
n=0
for damage in 'garbage' '\0\0\0\0\0\0' "$multi$set_a" "$multi$set_a$multi" "$exec$set_a" "$set_a*1\n\$4\nPING\n" \
    "$ping*1\r\n\$-1\r\n" '*1\r\n$4\r\nPINGxx' '*9999999\r\n$4\r\nPING\r\n*' '*3\r\n$3' '*' '*1\r\n$4x\r\nPING\r\n' \
    "#TS:x\r\n$set_a" "#a\n$set_a" 'PING\r\n'; do
    n=$((n + 1))
    bytes "$work/ours/f" "$set_a$damage"
    cp "$work/ours/f" "$work/theirs/f"
    alike f
    report $? "damage $n: the same"
done

# Ports are to be others each time.
RANDOM=$$

# --- What it says, asks and keeps
fresh cut
truncate -s $((size - 3)) "$work/cut/$incr"
refuses 'torn: where' "$incr: at byte $((size - 14)): the file ends within a transaction" "$check" "$work/cut/m"
refuses 'torn: what --fix would do' 'with --fix its last ' "$check" "$work/cut/m"
refuses 'no is no' 'nothing is changed' answer n "$check" --fix "$work/cut/m"
refuses 'no answer is no' 'nothing is changed' "$check" --fix "$work/cut/m" </dev/null
says 'nothing was changed' $((size - 3)) stat -c %s "$work/cut/$incr"
holds 'mended' 'all files are whole' answer y "$check" --fix "$work/cut/m"
holds 'whole then' 'all files are whole' "$check" "$work/cut/m"
cat "$work/cut/$incr" "$work/cut/$incr".cut-* | cmp - <(head -c $((size - 3)) "$good/$incr") >"$work/out"
report $? 'what was cut off is kept'
holds 'nothing to mend' 'all files are whole' "$check" --fix "$work/cut/m"
fresh middle
printf '*1\r\n' >>"$work/middle/i.1.aof"
refuses 'not the last file' 'i.1.aof: it is not the last file' answer y "$check" --fix "$work/middle/m"
refuses 'redis-check-aof neither' 'not the last file' answer y "$oracle_check" --fix "$work/middle/m"
fresh base
truncate -s -5 "$work/base/$base"
refuses 'a damaged base' "$base: at byte " answer y "$check" --fix "$work/base/m"
refuses 'cannot be mended' 'an RDB file cannot be mended' "$check" "$work/base/m"
bytes "$work/unknown" "$set_a*1\r\n\$4\r\nWHAT\r\n"
refuses 'what the server would refuse' "at byte 27: unknown command 'WHAT'" "$check" "$work/unknown"
bytes "$work/escapes" '*1\r\n$5\r\na\x1b[0m\r\n'
refuses 'no escapes for the terminal' "unknown command 'a?[0m'" "$check" "$work/escapes"
fresh missing
rm "$work/missing/i.1.aof"
refuses 'a file that is missing' 'i.1.aof: cannot be read: No such file' "$check" "$work/missing/m"
bytes "$work/bad.manifest" 'file ../x seq 1 type b\n'
refuses 'a manifest' 'bad.manifest: line 1: the file name is a path' "$check" "$work/bad.manifest"
bytes "$work/none.manifest" ''
refuses 'an empty manifest' 'it names no file' "$check" "$work/none.manifest"
bytes "$good/with.comment" "#comment\nfile $incr seq 2 type i\n"
holds 'a manifest by its first line' 'with.comment: all files' "$check" "$good/with.comment"

# --- --truncate-to-timestamp
for time in 999 1000 1009 1010 1015 1020 1021 1059 1060 5000; do
    for folder in ours theirs; do
        cp "$good"/* "$work/$folder"
    done
    ours=0
    theirs=0
    "$check" --truncate-to-timestamp "$time" "$work/ours/m" >"$work/out" 2>&1 || ours=1
    "$oracle_check" --truncate-to-timestamp "$time" "$work/theirs/m" >>"$work/out" 2>&1 || theirs=1
    [ "$ours" = "$theirs" ] && cmp "$work/ours/$incr" "$work/theirs/$incr" >>"$work/out" 2>&1
    report $? "until $time: as redis-check-aof does"
done
fresh early
bytes "$work/early/i.1.aof" "$set_a#TS:1015\r\n$set_a"
refuses 'not the last file' 'i.1.aof: it is not the last file' \
    "$check" --truncate-to-timestamp 1012 "$work/early/m"
bytes "$work/early/f" "$set_a$multi$set_a#TS:1015\r\n$set_a$exec"
holds 'never half a transaction' 'cut back to 27 bytes' \
    "$check" --truncate-to-timestamp 1012 "$work/early/f"
says 'kept as well' 93 stat -c %s "$work/early/f.cut-27"
bytes "$work/early/f" "${set_a}garbage"
refuses 'damaged files are not cut' "a command begins with '*'" \
    "$check" --truncate-to-timestamp 1012 "$work/early/f"

# --- Arguments
refuses 'no file' 'Usage: respite-check-aof' "$check"
refuses 'two files' 'Usage:' "$check" a b
refuses 'both' 'Usage:' "$check" --fix --truncate-to-timestamp 5 "$good/m"
refuses 'no time' 'Usage:' "$check" --truncate-to-timestamp x "$good/m"
refuses 'no such file' 'none: cannot be read: No such file' "$check" "$work/none"
refuses 'a folder' 'Is a directory' "$check" "$work"
holds 'help' 'Usage: respite-check-aof' "$check" --help
holds 'version' 'respite-check-aof 0' "$check" --version

# --- The server, with the same files

# damaged ESCAPES [LENGTH]: $work/live has the good files, with the last one cut to this length and this behind it;
# $work/appendonlydir has the same for the server.
damaged() {
    fresh live
    truncate -s "${2:-$size}" "$work/live/$incr"
    printf '%b' "$1" >>"$work/live/$incr"
    rm -rf "$work/appendonlydir"
    cp -r "$work/live" "$work/appendonlydir"
    mv "$work/appendonlydir/m" "$work/appendonlydir/appendonly.aof.manifest"
}

# serves NAME TAIL: the server starts, cuts what the program cuts, keeps it as well, and has the rest.
serves() {
    local status=0 wanted
    answer y "$check" --fix "$work/live/m" >"$work/out" 2>&1 || status=1
    wanted=$(grep -ac RPUSH "$work/live/$incr")
    start_server --appendonly yes --save '' --enable-debug-command yes --aof-load-corrupt-tail-max-size "$2"
    redis-cli -p "$port" llen l >>"$work/out"
    [ "$(tail -n 1 "$work/out")" = "$wanted" ] || status=1
    for file in "$work/live/$incr"*; do
        cmp "$file" "$work/appendonlydir/${file##*/}" >>"$work/out" 2>&1 || status=1
    done
    report "$status" "$1: $wanted items"
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    pid=
}

# is_refused NAME TAIL TEXT: it does not start, says this, and changes nothing.
is_refused() {
    local status=0
    port=$(random_port)
    serve_on_port --appendonly yes --save '' --aof-load-corrupt-tail-max-size "$2" && status=1
    wait "$pid" && status=1
    pid=
    grep -qF -- "$3" "$work/log" || status=1
    grep -q 'at byte [0-9]*: .*respite-check-aof' "$work/log" || status=1
    cp "$work/log" "$work/out"
    cmp "$work/live/$incr" "$work/appendonlydir/$incr" >>"$work/out" 2>&1 || status=1
    report "$status" "$1"
}

for ((len = size; len > size - 2048; len -= 173)); do
    damaged '' "$len"
    serves "cut to $len bytes" 0
done
zeros=$(printf '\\0%.0s' {1..512})
damaged "$zeros"
is_refused 'zeros, no leave' 511 "bad file format at byte $size: a command begins with '*', here is byte 0x00"
serves 'zeros' 512
damaged "${multi}garbage"
is_refused 'garbage, no leave' 21 "bad file format at byte $((size + 15))"
serves 'garbage within a transaction' 22
damaged "$set_a$exec$set_a"
serves 'EXEC alone' 100
damaged 'garbage'
mv "$work/appendonlydir/$incr" "$work/appendonlydir/i.1.aof"
cp "$good/$incr" "$work/appendonlydir/$incr"
cp "$good/$incr" "$work/live/$incr"
is_refused 'damage in the middle' 1000 'i.1.aof: bad file format at byte '

# --- DEBUG LOADAOF
damaged ''
start_server --appendonly yes --save '' --enable-debug-command yes
says 'loaded' 60 redis-cli -p "$port" llen l
says 'loaded again' OK redis-cli -p "$port" debug loadaof
says 'and there' 60 redis-cli -p "$port" llen l
holds 'not within a transaction' 'The append-only file is not whole right now' \
    answer $'multi\nset a 1\ndebug loadaof\nexec' redis-cli -p "$port"
redis-cli -p "$port" config set appendonly no >"$work/out"
refuses 'off' 'ERR The append-only file is off: there is nothing to load' \
    redis-cli -e -p "$port" debug loadaof
says 'nothing is lost' 60 redis-cli -p "$port" llen l
stop_server
start_server --appendonly yes --save '' --enable-debug-command yes
printf 'garbage' >>"$work/appendonlydir/$incr"
holds 'damaged meanwhile' 'ERR Error trying to load the AOF files' \
    redis-cli -p "$port" debug loadaof
# shellcheck disable=SC2317 # called through await
is_gone() {
    ! kill -0 "$pid" 2>/dev/null
}
await is_gone
report $? 'then it ends'
wait "$pid"
pid=
finish
