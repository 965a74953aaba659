# SPDX-License-Identifier: BSD-3-Clause
"""Servers, the links between them and checks that count, for the tests of replication.

Which programs they are: RESPITE_SERVER is `ours` (build/respite-server by default), REDIS_SERVER is
`theirs` (redis-server). Everything lies in one temporary folder and goes with the test, however
that ends.
"""

import atexit
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import redis

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
DEADLINE_S = 60
POLL_S = 0.02
PUMP_BYTES = 1 << 18
LOG_TAIL_LINES = 40

BASICS = ["--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync", "yes",
          "--repl-diskless-sync-delay", "0", "--repl-backlog-size", "200mb"]


class Failure(Exception):
    """What was to be has not become; the text says what."""


def poll(done, what, limit_s=DEADLINE_S):
    """Waits until `done()` says something true, and returns that. Errors of connections count as not yet."""
    end = time.monotonic() + limit_s
    seen = None
    while True:
        try:
            seen = done()
            if seen:
                return seen
        except redis.RedisError as error:
            seen = error
        if time.monotonic() > end:
            raise Failure(f"{what}: waited {limit_s} s in vain, last seen: {seen!r}")
        time.sleep(POLL_S)


def free_port():
    """Below the range from which outgoing connections take theirs."""
    while True:
        port = 20000 + int.from_bytes(os.urandom(2), "big") % 12000
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Link:
    """A way to a server through which bytes go until it is cut, stalled or slowed down."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.delay_s = 0.0
        self.accepted = 0
        self.pairs = set()
        self.open = threading.Event()
        self.open.set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port), timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs.add((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, sink, (near, far)), daemon=True).start()

    def pump(self, source, sink, pair):
        try:
            while True:
                self.open.wait()
                chunk = source.recv(PUMP_BYTES)
                if not chunk:
                    break
                self.open.wait()
                if self.delay_s:
                    time.sleep(self.delay_s)
                sink.sendall(chunk)
        except OSError:
            pass
        self.drop(pair)

    def drop(self, pair):
        self.pairs.discard(pair)
        for end in pair:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def cut(self, reset=False):
        """Closes what goes through; returns how many connections those were."""
        pairs = list(self.pairs)
        for pair in pairs:
            if reset:
                for end in pair:
                    try:
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    except OSError:
                        pass
            self.drop(pair)
        return len(pairs)

    def stall(self):
        self.open.clear()

    def flow(self):
        self.open.set()

    def close(self):
        self.listener.close()
        self.cut()
        self.flow()


class Node:
    """One server, with a folder of its own and the same port through all its lives."""

    def __init__(self, room, name, kind, *options, env=None):
        self.room = room
        self.name = name
        self.kind = kind
        self.options = list(options)
        self.env = {**os.environ, **(env or {})}
        self.port = free_port()
        self.dir = os.path.join(room.dir, name)
        self.log_path = os.path.join(room.dir, name + ".log")
        self.process = None
        self.primary_port = None
        self.clients = {}
        os.mkdir(self.dir)
        self.start()

    def start(self, *options):
        """Goes on following whom it followed."""
        follow = ["--replicaof", "127.0.0.1", str(self.primary_port)] if self.primary_port else []
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.room.programs[self.kind], "--port", str(self.port), *BASICS, *self.options, *follow,
                 *options], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        poll(self.is_serving, f"{self.name} starts")

    def is_serving(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with status {self.process.returncode}")
        return self.client(0, fresh=True).ping()

    def client(self, db=0, fresh=False):
        if fresh or db not in self.clients:
            self.clients[db] = redis.Redis(port=self.port, db=db, socket_timeout=DEADLINE_S)
        return self.clients[db]

    def call(self, *command):
        return self.client().execute_command(*command)

    def info(self, field, section="everything"):
        value = self.client().info(section).get(field)
        if value is None:
            raise Failure(f"INFO {section} of {self.name} has no {field}")
        return value

    def replication(self):
        return self.client().info("replication")

    def counters(self):
        stats = self.client().info("stats")
        return tuple(stats[f] for f in ("sync_full", "sync_partial_ok", "sync_partial_err"))

    def is_ours(self):
        return "respite_version" in self.client().info("server")

    def follow(self, upstream):
        """`upstream`: a Link or Node; None: nobody."""
        if upstream is None:
            self.primary_port = None
            self.call("REPLICAOF", "NO", "ONE")
        else:
            self.primary_port = upstream.port
            self.call("REPLICAOF", "127.0.0.1", upstream.port)

    def link_is_up(self):
        return self.replication().get("master_link_status") == "up"

    def await_link(self, limit_s=DEADLINE_S):
        poll(self.link_is_up, f"{self.name} is in sync with its primary", limit_s)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def forget(self):
        """Removes its files, while it is dead: redis-server keeps those by which data sets came."""
        shutil.rmtree(self.dir)
        os.mkdir(self.dir)

    def shut_down(self, *how):
        try:
            self.call("SHUTDOWN", *how)
        except redis.ConnectionError:
            pass
        try:
            self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not shut down") from None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()


class Room:
    """A temporary folder with servers and links, which all go when it is left."""

    def __init__(self):
        ours = os.path.join(ROOT, os.environ.get("RESPITE_SERVER", "build/respite-server"))
        if not os.path.exists(ours):
            ours = shutil.which(os.environ.get("RESPITE_SERVER", "")) or ours
        self.programs = {"ours": ours,
                         "theirs": shutil.which(os.environ.get("REDIS_SERVER", "redis-server"))}
        self.dir = os.path.realpath(tempfile.mkdtemp())
        self.nodes = []
        self.links = []
        self.others = []
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            self.show_logs()
        self.close()

    def node(self, name, kind, *options, env=None):
        node = Node(self, name, kind, *options, env=env)
        self.nodes.append(node)
        return node

    def link(self, target):
        link = Link(target.port)
        self.links.append(link)
        return link

    def spawn(self, name, *command, env=None):
        """Another program that goes with the room; what it says is in NAME.log."""
        with open(os.path.join(self.dir, name + ".log"), "ab") as log:
            process = subprocess.Popen(command, cwd=self.dir, env={**os.environ, **(env or {})},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.others.append(process)
        return process

    def show_logs(self):
        for file in sorted(os.listdir(self.dir)):
            if file.endswith(".log"):
                with open(os.path.join(self.dir, file), encoding="utf-8", errors="replace") as log:
                    tail = log.readlines()[-LOG_TAIL_LINES:]
                print(f"---- {file}", "".join(tail), sep="\n", flush=True)

    def close(self):
        for process in [node.process for node in self.nodes] + self.others:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        for link in self.links:
            link.close()
        self.nodes, self.links, self.others = [], [], []
        shutil.rmtree(self.dir, ignore_errors=True)


class Report:
    """Counts checks; the last line is "N passed, N failed"."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def run(self, name, test, repeat):
        """`test()` returns what is worth saying; `repeat` is the command line that does it again."""
        begun = time.monotonic()
        try:
            said = test()
        except (Failure, redis.RedisError, OSError) as error:
            self.failed += 1
            print(f"FAIL  {name}: {error}\n      again: {repeat}", flush=True)
            return
        self.passed += 1
        print(f"ok    {name} ({time.monotonic() - begun:.1f} s){': ' + said if said else ''}", flush=True)

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(self.failed != 0 or self.passed == 0)


def expect(condition, what):
    if not condition:
        raise Failure(what)


def expect_equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: wanted {wanted!r}, got {got!r}")
