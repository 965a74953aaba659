#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Fetches the newer servers that Respite is measured beside (make bench-peers): Redis 8 and Valkey 8 as Debian 13
# packages them. Nothing is installed: the packages and the libraries they need are unpacked in a folder, from
# the mirror that this machine's Debian has its packages from.
#
#   deps/peers.sh [FOLDER]     default build/peers. FOLDER/redis-8 and FOLDER/valkey-8 start the servers
#
# When they are there it says nothing and asks nobody.
set -euo pipefail

suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
declare -A program=([redis-8]=redis-server [valkey-8]=valkey-server)

die() {
    echo "deps/peers.sh: $*" >&2
    exit 1
}

# The address of the mirror: of the first list of Debian's own packages that apt knows.
mirror() {
    # shellcheck disable=SC2016 # it is apt that fills them in
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" { print $2; exit }'
}

# apt with lists, a cache and a state of its own, in which no package is installed.
apt() {
    "$1" -q -o Dir::Etc::sourcelist="$folder/apt/suite.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$folder/apt/lists" -o Dir::State::status="$folder/apt/status" \
        -o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User="$(id -un)" "${@:2}"
}

fetch() {
    local uri package
    uri=$(mirror)
    [ -n "$uri" ] || die "this machine's apt names no mirror of Debian"
    rm -rf "$folder"/{apt,root}
    mkdir -p "$folder"/apt/{lists,cache/archives}/partial "$folder/root"
    : >"$folder/apt/status"
    printf '%s\n' 'Types: deb' "URIs: $uri" "Suites: $suite" 'Components: main' "Signed-By: $keyring" \
        >"$folder/apt/suite.sources"
    apt apt-get update >"$folder/log" 2>&1 || die "no list of $suite's packages, see $folder/log"
    apt apt-get install --download-only -y --no-install-recommends "${program[@]}" >>"$folder/log" 2>&1 ||
        die "cannot fetch ${program[*]}, see $folder/log"
    for package in "$folder"/apt/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$folder/root"
    done
    rm -rf "$folder/apt"
}

# A launcher that runs a program with the libraries it was built with.
launcher() {
    local name=$1 root=$folder/root/usr
    local libraries=("$root"/lib/*-linux-gnu) loader=("$root"/lib*/ld-linux-*.so.*)
    cat >"$folder/$name" <<END
#!/bin/sh
exec ${loader[0]} --library-path ${libraries[0]} $root/bin/${program[$name]} "\$@"
END
    chmod +x "$folder/$name"
    "$folder/$name" --version >>"$folder/log" 2>&1 || die "$name does not start, see $folder/log"
}

mkdir -p "${1:-build/peers}"
folder=$(cd "${1:-build/peers}" && pwd)
if [ ! -x "$folder/redis-8" ] || [ ! -x "$folder/valkey-8" ]; then
    echo "deps/peers.sh: fetching ${program[*]} of Debian's $suite"
    fetch
    launcher redis-8
    launcher valkey-8
fi
