#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The interchange finds what gets lost on the way: redis-server stands in for Respite, and spoils what it loads.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

# server NAME FIRST OPTION...: stands in for Respite; does something first.
server() {
    local name=$1 first=$2
    shift 2
    plant "$name" <<END
#!/bin/sh
$first
exec redis-server "\$@" $*
END
    chmod +x "$tree/$name"
}

# spoil NAME SED: changes the bytes of a file that is there.
spoil() {
    server "$1" "test ! -f dump.rdb || LC_ALL=C sed -i '$2' dump.rdb"
}

# interchange SERVER PART: what it says.
interchange() {
    RESPITE_SERVER=./$1 ./interchange "$2"
}

runner=$root/redis-compat/runner
${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -o "$tree/interchange" "$root"/redis-compat/interchange/*.c \
    "$runner"/{memory,words,reply,connection,server}.c -lm -lpthread ||
    { fail 'the interchange is built'; finish; exit 1; }
plant respite-check-rdb <<<'#!/bin/sh'
chmod +x "$tree/respite-check-rdb"

server same true
expect_ok 'a server like the other one' interchange same access

server forgets true --maxmemory-policy noeviction
expect_refused 'use that is forgotten' 'OBJECT FREQ' interchange forgets access

# Files of before version 5 have no checksum.
spoil value s/text/tExt/
expect_refused 'a value' 'key "plain": the value' interchange value old
spoil key s/wide/wild/
expect_refused 'a key that is missing' 'key "wide": is missing' interchange key old
expect_refused 'a key too many' 'key "wild": should not be there' interchange key old
spoil time 's/\xfd\xc0\x9e\xf8/\xfd\xc1\x9e\xf8/'
expect_refused 'a time' 'the expiry' interchange time old
server encoding true --hash-max-listpack-entries 2
expect_refused 'an encoding' 'the encoding' interchange encoding old

finish
