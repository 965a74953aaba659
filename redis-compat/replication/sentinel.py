#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sentinel fails over a primary with two replicas, while clients that ask Sentinel keep writing.

  sentinel.py [--nodes PRIMARY,REPLICA,REPLICA] [--rounds N]

Three of Debian's sentinels, quorum 2. The primary is killed; every write that a replica had acknowledged
(WAIT 1) has to be there afterwards, and the old primary comes back as a replica. The writers are
python3-redis and both of npm's ioredis, through Sentinel. What the sentinels said is printed.
"""

import argparse
import os
import re
import subprocess
import threading
import time

import redis
from redis.sentinel import Sentinel

from data import await_same_offsets, expect_same_data
from harness import ROOT, Report, Room, expect, expect_equal, free_port, poll

NAME = "chat"
MIXES = ("ours,ours,theirs", "theirs,ours,ours")
CLIENTS = os.path.join(ROOT, "redis-compat/clients")
ENOUGH = 100
# A busy machine may hold a server up for a second: another failover would follow, of one that is well.
DOWN_AFTER_MS = 3000
TOLD = re.compile(r"[+-](sdown|odown|try-failover|elected-leader|selected-slave|failover-state-\S+|"
                  r"promoted-slave|slave-reconf-done|failover-end|switch-master|convert-to-slave)\b.*")

CONFIG = f"""port {{port}}
bind 127.0.0.1
sentinel monitor {NAME} 127.0.0.1 {{primary}} 2
sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}
sentinel failover-timeout {NAME} 10000
sentinel parallel-syncs {NAME} 1
"""


class Writer:
    """Keeps which writes were acknowledged, and the longest time without one."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.acknowledged = []
        self.longest_s = 0.0
        self.last = time.monotonic()

    def note(self, number):
        now = time.monotonic()
        self.longest_s = max(self.longest_s, now - self.last)
        self.last = now
        self.acknowledged.append(number)

    def await_more(self):
        target = len(self.acknowledged) + ENOUGH
        poll(lambda: len(self.acknowledged) >= target, f"{self.prefix} writes")


class PythonWriter(Writer):
    def __init__(self, ports):
        super().__init__("python")
        self.stopping = threading.Event()
        self.sentinel = Sentinel([("127.0.0.1", port) for port in ports], socket_timeout=1)
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        client = self.sentinel.master_for(NAME, socket_timeout=2)
        number = 0
        while not self.stopping.is_set():
            try:
                pipeline = client.pipeline(transaction=False)
                pipeline.set(f"{self.prefix}:{number}", number)
                pipeline.execute_command("WAIT", 1, 1000)
                if pipeline.execute()[1] >= 1:
                    self.note(number)
            except redis.RedisError:
                pass
            number += 1
            self.stopping.wait(0.005)

    def stop(self):
        self.stopping.set()
        self.thread.join(30)
        expect(not self.thread.is_alive(), "the Python writer does not end")


class NodeWriter(Writer):
    def __init__(self, room, package, ports):
        super().__init__(package)
        node = subprocess.run([os.path.join(CLIENTS, "node.sh")], stdout=subprocess.PIPE, check=True,
                              text=True).stdout.strip()
        self.process = subprocess.Popen(
            [node, os.path.join(CLIENTS, "sentinel_ioredis.mjs"), package, NAME, *map(str, ports)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        room.others.append(self.process)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.note(int(line))

    def stop(self):
        self.process.stdin.close()
        self.thread.join(30)
        expect_equal(self.process.wait(30), 0, f"exit status of {self.prefix}")


class Watch:
    """Three sentinels."""

    def __init__(self, room, primary):
        self.room = room
        self.ports = [free_port() for _ in range(3)]
        for i, port in enumerate(self.ports):
            path = os.path.join(room.dir, f"sentinel-{i}.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(CONFIG.format(port=port, primary=primary.port))
            room.spawn(f"sentinel-{i}", "redis-sentinel", path)
        self.clients = [redis.Redis(port=port, socket_timeout=10, decode_responses=True) for port in self.ports]

    def knows_all(self):
        said = [client.sentinel_master(NAME) for client in self.clients]
        return all((s["num-slaves"], s["num-other-sentinels"]) == (2, 2) for s in said)

    def primary_port(self):
        """That all agree on, or None."""
        found = {client.sentinel_get_master_addr_by_name(NAME)[1] for client in self.clients}
        return int(found.pop()) if len(found) == 1 else None

    def story(self):
        """What the sentinels said, in the order of time."""
        lines = []
        for i in range(len(self.ports)):
            with open(os.path.join(self.room.dir, f"sentinel-{i}.log"), encoding="utf-8") as log:
                for line in log:
                    event = TOLD.search(line)
                    if event:
                        lines.append((line.split()[4], i, event.group().strip()))
        return [f"      {at} sentinel {i}: {said}" for at, i, said in sorted(lines)]


def is_replica_of(node, port):
    said = node.replication()
    return said["role"] == "slave" and said["master_port"] == port and said["master_link_status"] == "up"


def run(mix):
    with Room() as room:
        nodes = [room.node(f"node-{i}-{kind}", kind) for i, kind in enumerate(mix.split(","))]
        primary = nodes[0]
        for node in nodes[1:]:
            node.follow(primary)
        for node in nodes[1:]:
            node.await_link()
        watch = Watch(room, primary)
        poll(watch.knows_all, "the sentinels know all nodes and one another")
        writers = [PythonWriter(watch.ports)] + [NodeWriter(room, p, watch.ports) for p in ("ioredis", "ioredis5")]
        for writer in writers:
            writer.await_more()

        primary.kill()
        port = poll(lambda: watch.primary_port() not in (None, primary.port) and watch.primary_port(),
                    "the sentinels agree on another primary")
        promoted = next(node for node in nodes if node.port == port)
        for writer in writers:
            writer.await_more()
        primary.primary_port = None
        primary.start()
        for node in nodes:
            if node is not promoted:
                poll(lambda node=node: is_replica_of(node, port), f"{node.name} follows {promoted.name}")
        for writer in writers:
            writer.await_more()
            writer.stop()

        await_same_offsets([promoted] + [node for node in nodes if node is not promoted])
        total = 0
        for writer in writers:
            keys = [f"{writer.prefix}:{n}" for n in writer.acknowledged]
            lost = [k for k, v in zip(keys, promoted.client().mget(keys)) if v != k.split(":")[1].encode()]
            expect(not lost, f"{len(lost)} acknowledged writes are lost, such as {lost[:3]}")
            total += len(keys)
        expect_same_data([promoted] + [node for node in nodes if node is not promoted])
        print(f"{mix}: {primary.name} is killed, {promoted.name} takes over", *watch.story(), sep="\n")
        waits = ", ".join(f"{w.prefix} {w.longest_s:.1f} s" for w in writers)
        return f"{total} acknowledged writes, all there; longest time without one: {waits}"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--nodes")
    options.add_argument("--rounds", type=int, default=1)
    chosen = options.parse_args()
    subprocess.run([os.path.join(CLIENTS, "install.sh")], check=True)
    report = Report()
    for _ in range(chosen.rounds):
        for mix in [chosen.nodes] if chosen.nodes else MIXES:
            report.run(f"failover of {mix}", lambda mix=mix: run(mix), f"{__file__} --nodes {mix}")
    report.finish()


if __name__ == "__main__":
    main()
