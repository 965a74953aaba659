#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The Makefile: help is complete, the server is the default, header changes and flag changes rebuild.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

make_tree

help=$(cd "$tree" && make help)
for target in help all debug run install-deps test test-unit test-integration test-long test-house compat interchange check \
    check-layers check-headers check-globals check-size format-check lint format bench bench-stall bench-reclaim \
    bench-table profile pgo fuzz coverage install uninstall clean; do
    expect_equal "make help lists $target" 1 "$(grep -cE "^  $target  +[A-Za-z\`]" <<<"$help")"
done

expect_ok 'default target' make -j2
expect_ok 'the server is there' build/respite-server
expect_equal 'nothing to do the second time' '' "$(cd "$tree" && make 2>&1)"
touch "$tree/src/base/one.h"
expect_said 'a header has changed' 'build/release/obj/ds/two.o' make
expect_said 'flags have changed' 'build/release/obj/main.o' make CFLAGS=-DX
expect_said 'and changed back' 'build/release/obj/main.o' make
echo 'int three(void); int three(void) { return 3; }' >"$tree/src/ds/three.c"
expect_said 'a file has come' 'build/release/obj/ds/three.o' make
rm "$tree/src/ds/three.c"
expect_said 'a file has gone' 'LINK  build/respite-server' make
expect_equal 'nothing to do at last' '' "$(cd "$tree" && make 2>&1)"
sed -i 's/ == 3/ == 4/' "$tree/src/main.c"
expect_ok 'built with a change' make
expect_refused 'the change is in the server' '' build/respite-server

expect_equal 'the last line of make test' '1 passed, 0 failed' \
    "$(cd "$tree" && make test 2>&1 | tail -n 1)"
sed -i 's/"one"), 3/"one"), 4/' "$tree/tests/unit/base/test_one.c"
expect_refused 'a test fails' '0 passed, 1 failed' make test

expect_ok 'debug' make debug
expect_ok 'the debug server is there' test -x build/debug/respite-server
expect_ok 'sanitizers' make SAN=address,undefined
expect_ok 'their server is there' test -x build/san-address-undefined/respite-server

# A load that only starts the server, which leaves its counts.
plant utils/bench/bench_load.c <<<'int main(void) { return 0; }'
plant utils/bench/train.sh <<'END'
"$BENCH_OURS" || true
END
chmod +x "$tree/utils/bench/train.sh"
expect_ok 'with a profile' make pgo
expect_ok 'its server is there' test -x build/pgo/respite-server
expect_ok 'what was counted lies beside the objects' test -s build/pgo/obj/ds/two.gcda
expect_equal 'nothing to do the second time, with a profile' '' "$(cd "$tree" && make pgo 2>&1)"
touch "$tree/src/ds/two.c"
expect_said 'a change is trained anew' 'TRAIN build/pgo-gen/respite-server' make pgo
expect_said 'flags' '-fprofile-use' make -n pgo CFLAGS=-DX
rm -r "$tree/utils/bench"

mkdir "$tree/conf" "$tree/docs"
echo 'int main(void) { return 0; }' >"$tree/utils/respite-look.c"
expect_ok 'a program for people' make
expect_ok 'it is there' build/respite-look
echo '# nothing' >"$tree/conf/respite.conf"
cp "$root/conf/respite.service" "$tree/conf/"
echo 'text' >"$tree/LICENSE"
echo 'text' >"$tree/docs/OPERATIONS.md"
where=(DESTDIR="$tree/dest" PREFIX=/opt/x)
expect_ok 'install' make install "${where[@]}"
expect_equal 'installed files' './opt/x/bin/respite-look
./opt/x/bin/respite-server
./opt/x/etc/respite/respite.conf
./opt/x/lib/systemd/system/respite.service
./opt/x/share/doc/respite/LICENSE
./opt/x/share/doc/respite/OPERATIONS.md
./opt/x/share/respite/respite.conf' "$(cd "$tree/dest" && find . -type f | LC_ALL=C sort)"
unit=$tree/dest/opt/x/lib/systemd/system/respite.service
expect_equal 'what the unit starts' \
    'ExecStart=/opt/x/bin/respite-server /opt/x/etc/respite/respite.conf --supervised systemd --daemonize no' \
    "$(grep '^ExecStart=' "$unit")"
expect_equal 'nothing is left to be put in' '' "$(grep -n '@[A-Z]*@' "$unit")"
echo 'port 7777' >"$tree/dest/opt/x/etc/respite/respite.conf"
expect_ok 'install again' make install "${where[@]}"
expect_equal 'a changed configuration stays' 'port 7777' "$(cat "$tree/dest/opt/x/etc/respite/respite.conf")"
expect_ok 'uninstall' make uninstall "${where[@]}"
expect_equal 'uninstalled all but that' './opt/x/etc/respite/respite.conf' "$(cd "$tree/dest" && find . -type f)"
rm -r "$tree/dest"
where=(DESTDIR="$tree/dest" PREFIX=/usr UNITDIR=/lib/systemd/system)
expect_ok 'install into /usr' make install "${where[@]}"
expect_equal 'its configuration and unit' './etc/respite/respite.conf
./lib/systemd/system/respite.service' "$(cd "$tree/dest" && find . -path ./usr -prune -o -type f -print | LC_ALL=C sort)"
expect_ok 'uninstall from /usr' make uninstall "${where[@]}"
expect_equal 'uninstalled files' '' "$(cd "$tree/dest" && find . -type f)"
expect_ok 'uninstall what is not there' make uninstall "${where[@]}"
if command -v systemd-analyze >/dev/null; then
    expect_ok 'install for systemd' make install PREFIX="$tree/here"
    expect_equal 'what systemd says of the unit' '' \
        "$(systemd-analyze verify --man=no "$tree/here/lib/systemd/system/respite.service" 2>&1)"
fi

expect_ok 'clean' make clean
expect_refused 'cleaned' '' test -e build

finish
