#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs the Debian packages of deps/packages.txt that are missing.
#
#   deps/install.sh [GROUP...]     groups: build run test check fuzz coverage bench profile; default: all
#   deps/install.sh -n [GROUP...]  only says what is missing; exit status 1 if anything is
#
# When nothing is missing it says nothing, asks nobody and takes a few milliseconds. Otherwise it
# says what it installs and uses apt-get, through sudo when it isn't root. No service is left
# running or enabled: installing redis-server must not occupy port 6379.
set -euo pipefail

list=$(dirname "$0")/packages.txt
policy=/usr/sbin/policy-rc.d
# Where services of the packages would listen: redis-server, redis-sentinel, prometheus-redis-exporter, nutcracker.
service_ports=(6379 26379 9121 22222)

die() {
    echo "deps/install.sh: $*" >&2
    exit 1
}

# Prints "package command" ("-" where none is named) for the wanted groups.
wanted() {
    awk -F '|' -v groups="$*" '
        BEGIN { count = split(groups, want, " ") }
        /^#/ || NF < 4 { next }
        {
            chosen = count == 0
            for (i = 1; i <= count; i++)
                if (index(" " $2 " ", " " want[i] " "))
                    chosen = 1
            if (!chosen)
                next
            gsub(/ /, "", $1)
            gsub(/ /, "", $3)
            print $1, ($3 == "" ? "-" : $3)
        }' "$list"
}

# Prints the packages of the wanted groups that are not there.
missing() {
    local package command installed candidates=()
    while read -r package command; do
        if [ "$command" = - ] || ! command -v "$command" >/dev/null; then
            candidates+=("$package")
        fi
    done < <(wanted "$@")
    [ ${#candidates[@]} -gt 0 ] || return 0
    command -v dpkg-query >/dev/null ||
        die "this is not Debian; please install what stands for: ${candidates[*]}"
    installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${candidates[@]}" \
        2>/dev/null || true)
    for package in "${candidates[@]}"; do
        grep -qx "$package installed" <<<"$installed" || echo "$package"
    done
}

# Prints those of $service_ports where something listens.
open_ports() {
    local port
    for port in "${service_ports[@]}"; do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || echo "$port"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# While packages are unpacked, nothing may be started; a policy that was there comes back.
forbid_services() {
    saved=$(mktemp -d)
    trap allow_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    [ ! -e "$policy" ] || as_root cp -p "$policy" "$saved/policy"
    printf '#!/bin/sh\nexit 101\n' >"$saved/none"
    as_root install -m 755 "$saved/none" "$policy"
}

allow_services() {
    if [ -e "$saved/policy" ]; then
        as_root cp -p "$saved/policy" "$policy"
    else
        as_root rm -f "$policy"
    fi
    rm -rf "$saved"
    trap - EXIT
}

# Services that came with the packages just installed shall not start with the machine either,
# whether systemd or the scripts in /etc/init.d start it.
disable_services() {
    local unit
    dpkg -L "$@" | sed -nE 's,.*/(systemd/system|init\.d)/([^/@.]+)(\.service)?$,\2,p' | sort -u |
        while read -r unit; do
            echo "deps/install.sh: disabling the service $unit"
            as_root update-rc.d "$unit" disable >/dev/null 2>&1 || true
            ! command -v systemctl >/dev/null ||
                as_root systemctl disable "$unit" >/dev/null 2>&1 || true
        done
}

only_say=no
if [ "${1:-}" = -n ]; then
    only_say=yes
    shift
fi

found=$(missing "$@")
[ -n "$found" ] || exit 0
mapfile -t packages <<<"$found"

if [ "$only_say" = yes ]; then
    echo "missing: ${packages[*]}"
    exit 1
fi
command -v apt-get >/dev/null || die "no apt-get here; please install: ${packages[*]}"
[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    die "neither root nor sudo; please install: ${packages[*]}"

echo "deps/install.sh: installing ${packages[*]}"
were_open=$(open_ports)

forbid_services
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
as_root "${apt[@]}" update || echo "deps/install.sh: the lists could not be renewed; trying as it is"
as_root "${apt[@]}" install --no-install-recommends "${packages[@]}"
allow_services
disable_services "${packages[@]}"

opened=$(grep -vxF -e "${were_open:-none}" <<<"$(open_ports)" || true)
if [ -n "$opened" ]; then
    die "something serves on port $opened now, though nothing was to be started"
fi
