#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# deps/install.sh knows what is missing, and does nothing, quickly, when nothing is; so does deps/peers.sh.
# shellcheck source=tests/support/house.sh
. "$(dirname "$0")/../support/house.sh"

make_tree

# What building, testing and checking need is there: this test runs after `make test` saw to it.
begin=${EPOCHREALTIME/[.,]/}
expect_ok 'nothing missing' deps/install.sh build test check
took_us=$((${EPOCHREALTIME/[.,]/} - begin))
expect_equal 'a no-op takes less than a second' yes \
    "$([ "$took_us" -lt 1000000 ] && echo yes || echo "$took_us us")"
expect_equal 'a no-op says nothing' '' "$(cd "$tree" && deps/install.sh build test check 2>&1)"

# Commands that are there stand for their packages; groups are told apart.
plant deps/packages.txt <<'END'
# package | needed to | command | reason
respite-no-such-package-a | build test | sh | its command is there
respite-no-such-package-b | build      |    | is not there
respite-no-such-package-c | fuzz       | respite-no-such-command | is not there
END
expect_refused 'missing, all groups' \
    'missing: respite-no-such-package-b respite-no-such-package-c' deps/install.sh -n
expect_refused 'missing, one group' 'missing: respite-no-such-package-c' deps/install.sh -n fuzz
expect_ok 'missing in another group only' deps/install.sh -n test

# The list itself: every line has its four parts, a known group, and a reason.
bad=$(awk -F '|' '/^#/ || /^[ \t]*$/ { next }
    NF != 4 || $4 !~ /[a-z]/ || $1 !~ /^[a-z0-9.+-]+ *$/ { print; next }
    {
        count = split($2, groups, " ")
        if (count == 0)
            print
        for (i = 1; i <= count; i++)
            if (groups[i] !~ /^(build|run|test|check|fuzz|coverage|bench|profile)$/)
                print
    }' "$root/deps/packages.txt")
expect_equal 'lines of deps/packages.txt' '' "$bad"

# Newer servers, for make bench-peers: what refuses them, and that they are fetched once.
plant bin/apt-get <<'END'
#!/bin/sh
[ "$1" = indextargets ] && exec echo "$TARGETS"
exit 1
END
chmod +x "$tree/bin/apt-get"
expect_refused 'peers: no mirror' "this machine's apt names no mirror of Debian" \
    env PATH="$tree/bin:$PATH" TARGETS='Other file:/none' deps/peers.sh peers
expect_refused 'peers: no list' "no list of trixie's packages, see $tree/peers/log" \
    env PATH="$tree/bin:$PATH" TARGETS='Debian file:/none' deps/peers.sh peers
echo mine | plant peers/mine
expect_refused 'peers: no list, again' "no list of trixie's packages" \
    env PATH="$tree/bin:$PATH" TARGETS='Debian file:/none' deps/peers.sh peers
expect_equal 'peers: what else is in the folder stays' mine "$(cat "$tree/peers/mine")"
for peer in redis-8 valkey-8; do
    printf '#!/bin/sh\n' | plant "peers/$peer"
    chmod +x "$tree/peers/$peer"
done
expect_equal 'peers: nothing to do' '' "$(cd "$tree" && PATH="$tree/bin:$PATH" deps/peers.sh peers 2>&1)"

finish
