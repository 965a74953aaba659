#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Monitoring programs find the same figures in Respite as in redis-server: the exporter for Prometheus,
# the plugin of Nagios and Icinga, and collectd's. What redis-server's have and Respite's have not is a
# failure, unless it stands in one of the lists below with its reason. What only Respite has is shown.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/support/live.sh
. tests/support/live.sh

# Debian puts collectd where only root looks.
PATH=$PATH:/usr/sbin

# What may be missing: extended regular expressions, one a line, and the reason after a '#'. One that
# fits nothing that is missing is a failure too.
missing_metrics='
cmd=pfcount     # the exporter tries PFCOUNT on each string; HyperLogLogs are still to come
err=WRONGTYPE   # what PFCOUNT says to strings that are none
'
missing_fields=''
missing_values=''
# From redis-server nothing is.
[ -z "${REDIS:-}" ] || missing_metrics='' missing_fields='' missing_values=''

# The same life for both servers: hits, misses, errors, keys with and without an expiry, in two
# databases, and one command slow enough for LATENCY to remember.
live() {
    redis-cli -p "$1" >/dev/null <<'END'
set greeting hello
set number 12
set session token ex 1000
get greeting
get nokey
incr greeting
nosuchcommand
config set latency-monitor-threshold 1
debug sleep 0.01
select 5
mset a 1 b 2
END
}

# same NAME ACCEPTED WANTED GOT: each line of the file WANTED is in GOT or is accepted.
same() {
    local name=$1 accepted=$2 wanted=$3 got=$4 expression status=0
    LC_ALL=C comm -13 "$wanted" "$got" | sed 's/^/      only here: /'
    LC_ALL=C comm -23 "$wanted" "$got" >"$work/missing"
    : >"$work/out"
    while read -r expression; do
        grep -qE -- "$expression" "$work/missing" || echo "not missing: $expression" >>"$work/out"
        sed -i -E "\\,$expression,d" "$work/missing"
    done < <(sed -E 's/[ ]*#.*//; /^$/d' <<<"$accepted")
    sed 's/^/missing: /' "$work/missing" >>"$work/out"
    [ -s "$wanted" ] || echo 'nothing from redis-server' >>"$work/out"
    [ ! -s "$work/out" ] || status=1
    report "$status" "$name: $(wc -l <"$wanted") from redis-server, $(wc -l <"$got") from here"
}

start_exporter() {
    for _ in {1..10}; do
        exporter_port=$(random_port)
        start_helper exporter prometheus-redis-exporter -web.listen-address \
            "127.0.0.1:$exporter_port" -include-config-metrics -include-system-metrics \
            -export-client-list -check-keys '*' -check-single-keys db5=a -count-keys 'db5=*'
        await_helper grep -q 'Providing metrics' "$work/exporter.log" &&
            await_helper scrape "$port" /dev/null && return 0
    done
    return 1
}

# scrape PORT FILE: without the spikes that a busy machine adds to the one of live().
scrape() {
    /usr/bin/python3 tests/support/metrics.py \
        "http://127.0.0.1:$exporter_port/scrape?target=redis://127.0.0.1:$1" 2>"$work/out" |
        sed '/event_name=/{/event_name=command[,}]/!d}' | LC_ALL=C sort >"$2"
    [ "${PIPESTATUS[0]}" = 0 ]
}

# The second scrape finds the commands of the first one among those that were counted.
exporter() {
    start_exporter
    report $? 'the exporter starts'
    scrape "$oracle_port" /dev/null
    scrape "$oracle_port" "$work/metrics.wanted"
    report $? 'the exporter reads redis-server'
    scrape "$port" "$work/metrics.got"
    report $? 'the exporter reads this server'
    same 'metrics' "$missing_metrics" "$work/metrics.wanted" "$work/metrics.got"
    cp "$work/exporter.log" "$work/out"
    ! grep -qE 'level=(error|warning)' "$work/exporter.log"
    report $? 'the exporter complains about nothing'
}

# plugin PORT OPTION...: Nagios's plugin.
plugin() {
    local at=$1
    shift
    /usr/lib/nagios/plugins/check_redis -H 127.0.0.1 -p "$at" "$@"
}

# fields PORT FILE: the names of all fields of INFO that the plugin passes on.
fields() {
    plugin "$1" -f -A >"$work/out"
    grep -oE ' [a-z][a-z0-9_]*=' "$work/out" | tr -d ' =' | LC_ALL=C sort -u >"$2"
}

nagios() {
    fields "$oracle_port" "$work/fields.wanted"
    fields "$port" "$work/fields.got"
    same 'fields for Nagios' "$missing_fields" "$work/fields.wanted" "$work/fields.got"
    holds 'Nagios: all is well' ' answer=12;' \
        plugin "$port" -T 10,20 -m -M 4G -f -q "GET,number:answer,CRIT:>12"
    plugin "$port" -a connected_clients -w '>0' -c '>0' >"$work/out"
    [ $? = 2 ] && grep -q 'CRITICAL: connected_clients is [1-9]' "$work/out"
    report $? 'Nagios: too many clients are critical'
}

# A folder of files for each node, one file a value.
collectd_configuration() {
    cat <<END
Hostname "host"
BaseDir "$work"
PIDFile "$work/collectd.pid"
TypesDB "/usr/share/collectd/types.db"
Interval 0.5
WriteThreads 1
LoadPlugin csv
LoadPlugin redis
<Plugin csv>
  DataDir "$work/csv"
</Plugin>
<Plugin redis>
  <Node "wanted">
    Host "127.0.0.1"
    Port "$oracle_port"
    <Query "GET number">
      Type "gauge"
      Instance "number"
    </Query>
  </Node>
  <Node "got">
    Host "127.0.0.1"
    Port "$port"
    <Query "GET number">
      Type "gauge"
      Instance "number"
    </Query>
  </Node>
</Plugin>
END
}

# Two rounds: when the first value of the second one is there, the first one is complete.
# shellcheck disable=SC2317 # called through await_helper
both_read_twice() {
    local node
    for node in wanted got; do
        [ "$(cat "$work/csv/host/redis-$node"/uptime-* 2>/dev/null | wc -l)" -ge 3 ] || return 1
    done
}

# values NODE: the names of what collectd found there. It takes what follows a "db" in INFO for the
# number of a database, also at the end of a random identifier ("run_id:...db206"), so only the
# databases of live() count.
values() {
    (cd "$work/csv/host/redis-$1" && printf '%s\n' *) |
        sed -E 's/(-[0-9]+){3}$//; /^records/{/^records-[05]$/!d}' | LC_ALL=C sort -u >"$work/values.$1"
}

collectd_reads() {
    collectd_configuration >"$work/collectd.conf"
    start_helper collectd collectd -f -C "$work/collectd.conf"
    await_helper both_read_twice
    local status=$?
    kill "$helper"
    cp "$work/collectd.log" "$work/out"
    report "$status" 'collectd reads both'
    values wanted
    values got
    same 'values for collectd' "$missing_values" "$work/values.wanted" "$work/values.got"
}

start_server --enable-debug-command local
start_oracle --enable-debug-command local
live "$port"
live "$oracle_port"
exporter
nagios
collectd_reads
finish
