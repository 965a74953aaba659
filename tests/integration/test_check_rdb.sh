#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# respite-check-rdb: what it says of files that redis-server has saved, of older ones, and of damaged ones.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

check=$(dirname "$server")/respite-check-rdb

# refuses NAME TEXT FILE: the program fails, and says this.
# shellcheck disable=SC2317 # called below
refuses() {
    local status=0
    "$check" "$3" >"$work/out" 2>&1 && status=1
    grep -qF -- "$2" "$work/out" || status=1
    report "$status" "$1"
}

# bytes FILE ESCAPES: writes a file.
bytes() {
    printf '%b' "$2" >"$work/$1"
}

# shellcheck disable=SC2119 # without options
start_oracle --save '' --hash-max-listpack-value 10
redis-cli -p "$oracle_port" >/dev/null <<END
SET text hello
SET number 5
SET soon x PX 100000000
RPUSH list a b c
SADD ints 1 2 3
SADD texts a b c
HSET small f v
HSET large f $(printf 'v%.0s' {1..200})
ZADD scores 1 a 2 b
SELECT 3
SET other "in another database"
FUNCTION LOAD "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"
SAVE
END
rdb=$work/oracle/dump.rdb

holds 'the end' "$rdb is whole" "$check" "$rdb"
holds 'the sum' 'version 10, 10 keys, the checksum is right' "$check" "$rdb"
holds 'aux fields' 'redis-ver "7.0' "$check" "$rdb"
holds 'a database' 'database 0: 9 keys, 1 with an expiry, 0 of them expired' "$check" "$rdb"
holds 'another one' 'database 3: 1 keys, 0 with an expiry, 0 of them expired' "$check" "$rdb"
holds 'functions' '1 libraries of functions' "$check" "$rdb"
for kind in 'string *embstr *2' 'string *int *1' 'list *listpack *1' 'set *intset *1' 'set *listpack *1' \
    'hash *listpack *1' 'hash *hashtable *1' 'zset *listpack *1'; do
    "$check" "$rdb" >"$work/out" 2>&1
    grep -qE "^  $kind keys +[0-9]+ bytes" "$work/out"
    report $? "$kind"
done

# Nothing that is cut off passes for whole.
size=$(stat -c %s "$rdb")
cut=0
for ((len = 0; len < size; len += 7)); do
    head -c "$len" "$rdb" >"$work/cut.rdb"
    "$check" "$work/cut.rdb" >"$work/out" 2>&1 && cut=1 && break
    grep -q "at byte [0-9]*:" "$work/out" || { cut=1; break; }
done
report "$cut" 'a file that is cut off'
refuses 'where it ends' 'at byte 9: the end comes too early' <(head -c 9 "$rdb")
cp "$rdb" "$work/flipped.rdb"
byte=$(tail -c 3 "$rdb" | head -c 1 | od -An -tu1)
# shellcheck disable=SC2059 # the byte as printf's escape
printf "\\$(printf %o $((byte ^ 1)))" | dd of="$work/flipped.rdb" bs=1 seek=$((size - 3)) conv=notrunc status=none
refuses 'a wrong checksum' 'the checksum is wrong' "$work/flipped.rdb"

# Version 3: no checksum. A ziplist as a list, and an expiry in seconds that is over.
bytes old.rdb 'REDIS0003\xfe\x00\xfd\x01\x00\x00\x00\n\x01k\x0e\x0e\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x01a\xff\xff'
holds 'an old file' 'version 3, 1 keys, without a checksum' "$check" "$work/old.rdb"
holds 'a key that is over' '1 with an expiry, 1 of them expired' "$check" "$work/old.rdb"
bytes twice.rdb 'REDIS0003\xfe\x00\x00\x01k\x01a\x00\x01j\x01a\x00\x01k\x01b\xff'
refuses 'a key that is there twice' 'a key is there twice' "$work/twice.rdb"
bytes apart.rdb 'REDIS0003\xfe\x00\x00\x01k\x01a\xfe\x01\x00\x01k\x01b\xff'
holds 'keys of two databases' 'is whole' "$check" "$work/apart.rdb"
bytes empty.rdb 'REDIS0003\xfe\x00\x04\x01h\x00\x00\x01k\x01v\xff'
holds 'a key without elements' '1 collections without elements' "$check" "$work/empty.rdb"
bytes module.rdb 'REDIS0009\x07\x03key\x00\xff'
refuses 'a module' "value of type 7: a module's value, which is not supported (value of type 7 of key \"key\" in database 0)" "$work/module.rdb"
bytes hash.rdb 'REDIS0009\x04\x02k"\x02\x01f\x01v\x01f\x01w\xff'
refuses 'what was being read' 'a hash has a field twice (value of type 4 of key "k\"" in database 0)' "$work/hash.rdb"
bytes text.rdb 'a text, and no RDB file'
refuses 'another kind of file' 'this is no RDB file' "$work/text.rdb"
refuses 'no file' 'No such file' "$work/none.rdb"
refuses 'a folder' 'Is a directory' "$work"
refuses 'no argument' 'Usage:' ''
holds 'help' 'Usage: respite-check-rdb FILE' "$check" --help
holds 'version' 'respite-check-rdb 0' "$check" --version

finish
