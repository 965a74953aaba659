#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Topologies under a random load of writes, while links are cut, stalled and slowed down and servers
are stopped and killed at random. At the end all hold the same data at the same offset.

  topologies.py [--seed N] [--seconds S] [--only NAME] [--rounds N]

A run has two parts of S seconds each. In the first one nothing happens that should cost more than a
partial sync, and the counters must show that; in the second one servers die, too.

A topology's name says who follows whom: `ours>theirs>ours` is a chain, `ours>ours,theirs` a primary
with two replicas that arrive at the same time.
"""

import argparse
import random
import time

from data import Load, await_same_offsets, expect_same_data
from harness import Report, Room, expect, expect_equal, poll

TOPOLOGIES = ("ours>ours", "ours>theirs", "theirs>ours", "ours>ours>ours", "theirs>ours>theirs",
              "ours>ours,theirs")

BRIEFLY_S = (0.2, 1.5)


class Topology:
    def __init__(self, room, name, seed):
        self.room = room
        self.rng = random.Random(f"{seed}/faults")
        kinds = name.split(">")
        primary, *chain = kinds
        self.primary = room.node("primary", primary, "--appendonly", "yes")
        self.replicas = []
        self.upstream = {}
        self.links = {}
        above = self.primary
        for level, at_once in enumerate(chain):
            nodes = [room.node(f"replica-{level}{chr(97 + i)}", kind, *self.replica_options())
                     for i, kind in enumerate(at_once.split(","))]
            for node in nodes:
                self.upstream[node] = above
                self.links[node] = room.link(above)
            self.replicas += nodes
            above = nodes[0]
        self.nodes = [self.primary] + self.replicas

    def replica_options(self):
        return ["--repl-diskless-load", self.rng.choice(("disabled", "swapdb"))]

    def arrive(self):
        """Those of one primary arrive together and share a data set."""
        if len(set(self.upstream.values())) < len(self.replicas):
            self.primary.call("CONFIG", "SET", "repl-diskless-sync-delay", 1)
        for node in self.replicas:
            node.follow(self.links[node])
        self.settle()
        if len(set(self.upstream.values())) < len(self.replicas):
            stats = self.primary.client().info("stats")
            expect_equal(stats.get("total_forks", 1), 1, "children that wrote data sets")
            self.primary.call("CONFIG", "SET", "repl-diskless-sync-delay", 0)

    def settle(self):
        for node in self.replicas:
            node.await_link()

    def syncs(self):
        """(full, partial, partial ones that were refused) of all, as those who are followed count them."""
        return tuple(map(sum, zip(*(node.counters() for node in set(self.upstream.values())))))

    # --- Faults that a partial sync heals

    def cut(self, node):
        """Until the replica has noticed."""
        link = self.links[node]
        accepted = link.accepted
        if not link.cut(reset=self.rng.random() < 0.5):
            return 0
        poll(lambda: link.accepted > accepted, f"{node.name} connects again")
        return 1

    def cut_twice(self, node):
        """The second time while it connects again."""
        cuts = self.cut(node)
        self.cut(node)
        return cuts

    def stall(self, node):
        self.links[node].stall()
        time.sleep(self.rng.uniform(*BRIEFLY_S))
        self.links[node].flow()
        return 0

    def stall_and_cut(self, node):
        """What was on its way is lost."""
        self.links[node].stall()
        time.sleep(self.rng.uniform(*BRIEFLY_S))
        cuts = self.cut(node)
        self.links[node].flow()
        return cuts

    def slow(self, node):
        self.links[node].delay_s = 0.02
        time.sleep(self.rng.uniform(*BRIEFLY_S))
        self.links[node].delay_s = 0.0
        return 0

    def stop(self, node):
        victim = self.rng.choice((node, self.upstream[node]))
        victim.pause()
        time.sleep(self.rng.uniform(*BRIEFLY_S))
        victim.resume()
        return 0

    def disturb(self, seconds):
        """Returns how many partial syncs that makes."""
        cuts = 0
        faults = [self.cut, self.cut_twice, self.stall, self.stall_and_cut, self.slow, self.stop]
        end = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < end or turn == 0:
            fault = self.cut if turn == 0 else self.rng.choice(faults)
            cuts += fault(self.rng.choice(self.replicas))
            turn += 1
            self.settle()
        return cuts

    # --- Faults that it doesn't

    def die(self, node):
        """A replica has nothing on its disk: it asks for everything when it is back, and the link is slow then."""
        above = self.upstream.get(node)
        before = above.counters()[0] if above else 0
        node.kill()
        time.sleep(self.rng.uniform(0, 0.5))
        if above:
            node.forget()
            self.links[node].delay_s = 0.005
        node.start()
        if above:
            poll(lambda: above.counters()[0] > before, f"a full sync of {node.name} is begun")
            self.links[node].delay_s = 0.0

    def die_while_syncing(self, node):
        """Killed as soon as it has asked for a data set, and once more soon after that."""
        self.die(node)
        self.links[node].delay_s = 0.005
        time.sleep(self.rng.uniform(0, 0.2))
        node.kill()
        self.links[node].delay_s = 0.0
        node.start()

    def lose_the_primary(self, _node):
        self.die(self.primary)

    def cut_while_syncing(self, node):
        self.die(node)
        time.sleep(self.rng.uniform(0, 0.3))
        self.links[node].cut()

    def kill(self, seconds):
        faults = [self.die, self.die_while_syncing, self.lose_the_primary, self.cut_while_syncing]
        end = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < end or turn == 0:
            fault = self.rng.choice(faults)
            fault(self.rng.choice(self.replicas))
            turn += 1
            if self.rng.random() < 0.7:
                self.settle()
        self.settle()
        return turn

    # --- The end

    def check(self):
        at = await_same_offsets(self.nodes)
        direct = sum(1 for above in self.upstream.values() if above is self.primary)
        with self.primary.client().client() as client:
            client.set("last", "write")
            expect_equal(client.wait(direct, 10000), direct, "replicas that WAIT counts")
        await_same_offsets(self.nodes)
        return f"{expect_same_data(self.nodes)} keys at offset {at[1]}"


def run(name, seed, seconds):
    with Room() as room:
        topology = Topology(room, name, seed)
        load = Load(topology.primary, seed)
        poll(lambda: load.done > 1000, "the load runs")
        topology.arrive()
        before = topology.syncs()
        expect_equal(before[0], len(topology.replicas), "full syncs at first")
        cuts = topology.disturb(seconds)
        after = topology.syncs()
        expect_equal((after[0], after[2]), (before[0], before[2]), f"full and refused syncs after {cuts} short cuts")
        expect(after[1] - before[1] >= cuts,
               f"{cuts} cuts and only {after[1] - before[1]} partial syncs")
        deaths = topology.kill(seconds)
        load.stop()
        said = topology.check()
        return f"{cuts} cuts, {after[1] - before[1]} partial syncs, {deaths} deaths; {load.done} commands, {said}"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--only", choices=TOPOLOGIES)
    options.add_argument("--rounds", type=int, default=1)
    chosen = options.parse_args()
    report = Report()
    for seed in range(chosen.seed, chosen.seed + chosen.rounds):
        print(f"seed {seed}", flush=True)
        for name in [chosen.only] if chosen.only else TOPOLOGIES:
            report.run(name, lambda name=name, seed=seed: run(name, seed, chosen.seconds),
                       f"{__file__} --seed {seed} --seconds {chosen.seconds} --only '{name}'")
    report.finish()


if __name__ == "__main__":
    main()
