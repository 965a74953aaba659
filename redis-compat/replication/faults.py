#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What replication has to stand, one thing at a time: replicas that read nothing, disks that are full,
a primary that comes back empty, restarts, promotion.

  faults.py [--long] [--only NAME] [--pair PRIMARY>REPLICA]

The pairs are `ours>ours`, `ours>theirs` and `theirs>ours` in turn. --long has the paused replica sleep
for 10 s under 50 MB/s, and runs every pair where otherwise one does.

FAULTS_SHIM names the library that fills disks (tests/support/faults.c); without it that is left out.
"""

import argparse
import os
import random
import threading
import time

import redis

from data import Load, await_same_offsets, expect_same_data
from harness import Failure, Report, Room, expect, expect_equal, poll

PAIRS = ("ours>ours", "ours>theirs", "theirs>ours")
MIB = 1 << 20
WRITE_BYTES = 500_000
KEYS = 40


class Pair:
    """A primary and a replica in sync, with some data."""

    def __init__(self, room, kinds, primary_options=(), replica_options=(), env=None):
        primary, replica = kinds.split(">")
        self.primary = room.node("primary", primary, *primary_options, env=env and env("primary"))
        self.link = room.link(self.primary)
        self.replica = room.node("replica", replica, *replica_options, env=env and env("replica"))
        self.nodes = [self.primary, self.replica]
        self.put_data()
        self.replica.follow(self.link)
        self.replica.await_link()

    def put_data(self):
        load = Load(self.primary, "data", writers=1)
        poll(lambda: load.done > 500, "the load runs")
        load.stop()
        self.primary.call("SET", "canary", "sings")

    def check(self):
        await_same_offsets(self.nodes)
        return expect_same_data(self.nodes)


class Flood:
    """Writes at a bounded rate into few keys."""

    def __init__(self, node, bytes_per_s):
        self.written = 0
        self.slowest_s = 0.0
        self.problem = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.write, args=(node.port, bytes_per_s), daemon=True)
        self.thread.start()

    def write(self, port, bytes_per_s):
        client = redis.Redis(port=port, socket_timeout=60)
        payload = random.Random(1).randbytes(WRITE_BYTES)
        begun = time.monotonic()
        try:
            while not self.stopping.is_set():
                sent = time.monotonic()
                client.set(f"flood:{self.written // WRITE_BYTES % KEYS}", payload)
                self.slowest_s = max(self.slowest_s, time.monotonic() - sent)
                self.written += WRITE_BYTES
                self.stopping.wait(max(0.0, begun + self.written / bytes_per_s - time.monotonic()))
        except redis.RedisError as error:
            self.problem = error

    def await_written(self, wanted):
        target = self.written + wanted
        poll(lambda: self.problem or self.written >= target, "the flood flows", 120)

    def stop(self):
        self.stopping.set()
        self.thread.join(60)
        if self.problem:
            raise Failure(f"the flood: {self.problem}")


def tiny_limit(room, kinds, _long):
    """A replica that reads nothing is cut at its limit and comes back; one full sync will do for that."""
    pair = Pair(room, kinds, ["--client-output-buffer-limit", "replica 1mb 0 0", "--repl-backlog-size", "4mb"])
    before = pair.primary.counters()[0]
    flood = Flood(pair.primary, 50_000_000)
    pair.link.stall()
    poll(lambda: pair.primary.info("connected_slaves", "replication") == 0, "the replica is cut at its limit")
    flood.stop()
    if pair.primary.is_ours():
        expect("client-output-buffer-limit" in pair.primary.log(), "the log names the limit")
    pair.link.flow()
    pair.replica.await_link()
    keys = pair.check()
    full = pair.primary.counters()[0] - before
    expect(full <= 1, f"{full} full syncs, 1 would have been enough")
    return f"cut after {flood.written / 1e6:.0f} MB; {keys} keys"


def sleeper(room, kinds, long, backlog, full_syncs_most):
    limits = "replica 256mb 64mb 60" if long else "replica 32mb 16mb 60"
    pair = Pair(room, kinds, ["--client-output-buffer-limit", limits, "--repl-backlog-size", backlog])
    before = pair.primary.counters()[0]
    sleep_s = 10 if long else 2
    flood = Flood(pair.primary, 50_000_000)
    pair.replica.pause()
    flood.await_written(50_000_000 * sleep_s)
    pair.replica.resume()
    flood.await_written(100_000_000)
    pair.replica.await_link()
    flood.await_written(50_000_000)
    flood.stop()
    pair.replica.await_link()
    full = pair.primary.counters()[0] - before
    # redis-server holds no writer back: on a busy machine a replica that receives a data set falls behind again.
    most = full_syncs_most if pair.primary.is_ours() else full_syncs_most + 2
    expect(full <= most, f"{full} full syncs, {most} would have been enough")
    keys = pair.check()
    return f"{full} full syncs, slowest SET {flood.slowest_s * 1000:.0f} ms; {keys} keys"


def sleeper_large_backlog(room, kinds, long):
    """A replica that was stopped under 50 MB/s finds all it missed in the backlog."""
    return sleeper(room, kinds, long, "1gb" if long else "300mb", 0)


def sleeper_small_backlog(room, kinds, long):
    """The same with a backlog that is too small: one full sync, not a loop of them."""
    return sleeper(room, kinds, long, "1mb", 1)


def shim(room):
    path = os.path.realpath(os.environ["FAULTS_SHIM"])
    sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"

    def env(name):
        return {"LD_PRELOAD": path, "FAULTS_DIR": os.path.join(room.dir, name),
                "FAULTS_CONTROL": os.path.join(room.dir, name + ".rules"), "ASAN_OPTIONS": sanitizer}
    return env


def set_rules(room, name, rules):
    path = os.path.join(room.dir, name + ".rules")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(rules)
    os.rename(path + ".new", path)


FULL_DISK = "write:error=ENOSPC,sync:error=ENOSPC,rename:error=ENOSPC"


def full_disk(room, kinds, whose, options):
    """Through files; `whose` disk is full. What the replica had it keeps; when there is room it is in sync again."""
    pair = Pair(room, kinds, *options, env=shim(room))
    held = pair.check()
    victim = getattr(pair, whose)
    set_rules(room, whose, FULL_DISK)
    begun = len(victim.log())
    # A history of its own: the primary can only send everything.
    pair.replica.follow(None)
    pair.replica.call("SET", "own", "history")
    pair.replica.follow(pair.link)

    def met():
        """A server that needs no disk for it has come through."""
        return "No space left" in victim.log()[begun:] or pair.replica.link_is_up()
    poll(met, "the disk is full, or nobody minds")
    needed = not pair.replica.link_is_up()
    if needed:
        expect_equal(pair.replica.call("GET", "canary"), b"sings", "what the replica had")
    expect(pair.primary.call("SET", "canary", "sings on"), "a write meanwhile")
    set_rules(room, whose, "")
    pair.replica.await_link()
    keys = pair.check()
    return f"{'waited for room' if needed else 'needed no disk'}; {held} keys, then {keys}"


def replica_disk_full(room, kinds, _long):
    return full_disk(room, kinds, "replica", ([], ["--repl-diskless-load", "disabled"]))


def primary_disk_full(room, kinds, _long):
    return full_disk(room, kinds, "primary", (["--repl-diskless-sync", "no"], []))


def silent_link(room, kinds, _long):
    """A link that is open and carries nothing: both ends find out by repl-timeout, and a partial sync follows."""
    brief = ["--repl-timeout", "2", "--repl-ping-replica-period", "1"]
    pair = Pair(room, kinds, brief, brief)
    before = pair.primary.counters()
    pair.link.stall()
    poll(lambda: pair.primary.info("connected_slaves", "replication") == 0, "the primary gives the replica up")
    poll(lambda: not pair.replica.link_is_up(), "the replica gives the primary up")
    pair.primary.call("SET", "in", "silence")
    pair.link.flow()
    pair.replica.await_link()
    keys = pair.check()
    full, partial, _ = pair.primary.counters()
    expect_equal(full, before[0], "full syncs")
    expect(partial > before[1], "a partial sync follows")
    return f"{keys} keys"


def psyncs(node):
    return node.client().info("commandstats").get("cmdstat_psync", {}).get("calls", 0)


def refuses(pair, keys):
    """The replica has asked, was told to take an empty data set, and holds on to its own for some seconds."""
    poll(lambda: psyncs(pair.primary) > 0, "the replica has asked for a data set")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        expect_equal(pair.replica.call("DBSIZE"), keys, "keys of the replica")
        expect(not pair.replica.link_is_up(), "it is not in sync with the empty primary")
        time.sleep(0.05)


def empty_primary(room, kinds, _long):
    """A primary that comes back empty does not wipe its replica, until REPLICAOF is said."""
    pair = Pair(room, kinds)
    pair.check()
    keys = pair.replica.call("DBSIZE")
    pair.primary.kill()
    pair.primary.start()
    refuses(pair, keys)
    pair.replica.call("SAVE")
    pair.primary.kill()
    pair.replica.kill()
    pair.primary.start()
    pair.replica.start()
    refuses(pair, keys)
    pair.replica.follow(pair.link)
    pair.replica.await_link()
    expect_equal(pair.replica.call("DBSIZE"), 0, "keys of the replica that has obeyed")
    return f"{keys} keys held twice"


def flushed_primary(room, kinds, _long):
    """A primary whose data was deleted is none that came back empty."""
    pair = Pair(room, kinds)
    pair.primary.call("FLUSHALL")
    pair.check()
    pair.link.stall()
    pair.link.cut()
    pair.primary.call("SET", "only", "one")
    pair.primary.call("FLUSHALL")
    pair.link.flow()
    pair.replica.await_link()
    pair.check()
    expect_equal(pair.replica.call("DBSIZE"), 0, "keys of the replica")


def restart(pair, node, how, *options):
    before = pair.primary.counters() if node is pair.replica else (0, 0, 0)
    pair.check()
    # Behind a full sync an append-only file is written anew; redis-server refuses to shut down meanwhile.
    poll(lambda: not any(node.info(field, "persistence") for field in
                         ("aof_rewrite_in_progress", "aof_rewrite_scheduled")), "the rewrite ends")
    node.shut_down(*how)
    node.start(*options)
    pair.replica.await_link()
    keys = pair.check()
    full, partial, _ = pair.primary.counters()
    expect_equal((full - before[0], partial - before[1]), (0, 1), "full and partial syncs after the restart")
    return f"{keys} keys"


def replica_restart_rdb(room, kinds, _long):
    pair = Pair(room, kinds)
    return restart(pair, pair.replica, ["SAVE"])


def primary_restart_rdb(room, kinds, _long):
    pair = Pair(room, kinds)
    return restart(pair, pair.primary, ["SAVE"])


def replica_restart_aof(room, kinds, _long):
    pair = Pair(room, kinds, [], ["--appendonly", "yes"])
    return restart(pair, pair.replica, [])


def primary_restart_aof(room, kinds, _long):
    pair = Pair(room, kinds, ["--appendonly", "yes"])
    return restart(pair, pair.primary, [])


def promotion(room, kinds, _long):
    """The replica becomes the primary, and the old one its replica: a partial sync, as both know the second id."""
    pair = Pair(room, kinds)
    pair.check()
    pair.replica.follow(None)
    pair.primary.follow(room.link(pair.replica))
    pair.primary.await_link()
    pair.replica.call("SET", "after", "promotion")
    pair.nodes.reverse()
    keys = pair.check()
    expect_equal(pair.replica.counters()[:2], (0, 1), "full and partial syncs at the new primary")
    return f"{keys} keys"


def min_replicas(room, kinds, _long):
    """A primary whose only replica does not answer refuses writes; they go on when it does."""
    pair = Pair(room, kinds)
    pair.primary.call("CONFIG", "SET", "min-replicas-max-lag", 2)
    pair.primary.call("CONFIG", "SET", "min-replicas-to-write", 1)
    pair.primary.call("SET", "k", "v")
    pair.replica.pause()

    def refused():
        try:
            pair.primary.call("SET", "k", "v")
        except redis.ResponseError as error:
            return str(error).startswith("NOREPLICAS") and str(error)
        return None
    said = poll(refused, "writes are refused")
    pair.replica.resume()
    poll(lambda: pair.primary.call("SET", "k", "v"), "writes are accepted")
    return said


# name: (test, which node has to be Respite because redis-server does not do it)
SCENARIOS = {
    "tiny limit": (tiny_limit, None),
    "paused replica, large backlog": (sleeper_large_backlog, None),
    "paused replica, small backlog": (sleeper_small_backlog, None),
    "silent link": (silent_link, None),
    "replica's disk full": (replica_disk_full, None),
    "primary's disk full": (primary_disk_full, None),
    "empty primary": (empty_primary, "replica"),
    "flushed primary": (flushed_primary, None),
    "replica restarts, RDB": (replica_restart_rdb, None),
    "primary restarts, RDB": (primary_restart_rdb, None),
    "replica restarts, AOF": (replica_restart_aof, "replica"),
    "primary restarts, AOF": (primary_restart_aof, "primary"),
    "promotion": (promotion, None),
    "min-replicas-to-write": (min_replicas, None),
}
NEED_SHIM = (replica_disk_full, primary_disk_full)


def kinds_of(name, needs, programs_are_ours, long):
    """The pairs to run: in the short form one, another one for each scenario."""
    side = {"primary": 0, "replica": 1}.get(needs)
    able = [pair for pair in PAIRS if side is None or programs_are_ours[pair.split(">")[side]]]
    if long or not able:
        return able
    return [able[list(SCENARIOS).index(name) % len(able)]]


def is_respite(room, kind):
    return room.node("who-" + kind, kind).is_ours()


def run(test, pair, long):
    with Room() as room:
        return test(room, pair, long)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--long", action="store_true")
    options.add_argument("--only", choices=SCENARIOS)
    options.add_argument("--pair", choices=PAIRS)
    chosen = options.parse_args()
    report = Report()
    with Room() as room:
        ours = {kind: is_respite(room, kind) for kind in ("ours", "theirs")}
    for name, (test, needs) in SCENARIOS.items():
        if chosen.only not in (None, name):
            continue
        if test in NEED_SHIM and not os.environ.get("FAULTS_SHIM"):
            print(f"skip  {name}: FAULTS_SHIM is not set", flush=True)
            continue
        pairs = [chosen.pair] if chosen.pair else kinds_of(name, needs, ours, chosen.long)
        if not pairs:
            print(f"skip  {name}: for Respite only", flush=True)
        for pair in pairs:
            report.run(f"{name}, {pair}", lambda test=test, pair=pair: run(test, pair, chosen.long),
                       f"{__file__} {'--long ' if chosen.long else ''}--only {name!r} --pair '{pair}'")
    report.finish()


if __name__ == "__main__":
    main()
