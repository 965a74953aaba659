# SPDX-License-Identifier: BSD-3-Clause
"""A random load of writes of all types, and whether servers hold the same data."""

import hashlib
import random
import threading
import time

import redis

from harness import Failure, expect, poll

DBS = (0, 1, 9)
KEYS = 60             # of each type
BATCH = 20            # commands of one pipeline
BATCHES_PER_S = 100   # of one writer
SCAN_COUNT = 1000
READ_BATCH = 200
SETTLE_S = 15


def key_of(rng, kind):
    """As a rule of the type that the command is for."""
    if rng.random() < 0.03:
        kind = rng.choice("slShz")
    return f"{kind}:{rng.randrange(KEYS)}"


def word(rng):
    return f"w{rng.randrange(40)}"


def words(rng, most=5):
    return [word(rng) for _ in range(rng.randint(1, most))]


def value(rng):
    kind = rng.random()
    if kind < 0.4:
        return str(rng.randrange(-1000, 1000000))
    if kind < 0.99:
        return rng.randbytes(rng.randint(0, 200))
    return rng.randbytes(64) * (rng.randint(100_000, 5_000_000) // 64)


def string(rng):
    k = lambda: key_of(rng, "s")
    return rng.choice((
        lambda: ["SET", k(), value(rng)],
        lambda: ["SET", k(), value(rng), "EX", rng.randint(1, 1000)],
        lambda: ["SET", k(), value(rng), "PX", rng.randint(1, 3000)],
        lambda: ["SET", k(), rng.randrange(1000), "KEEPTTL", "GET"],
        lambda: ["SET", k(), value(rng), rng.choice(("NX", "XX"))],
        lambda: ["SETEX", k(), rng.randint(1, 100), word(rng)],
        lambda: ["GETSET", k(), word(rng)],
        lambda: ["GETDEL", k()],
        lambda: ["GETEX", k(), "PX", rng.randint(1, 5000)],
        lambda: ["APPEND", k(), word(rng)],
        lambda: ["SETRANGE", k(), rng.randrange(100), word(rng)],
        lambda: ["INCR", k()],
        lambda: ["DECRBY", k(), rng.randrange(100)],
        lambda: ["INCRBYFLOAT", k(), f"{rng.uniform(-10, 10):.5f}"],
        lambda: ["MSET", k(), value(rng), k(), word(rng)],
        lambda: ["MSETNX", k(), word(rng), k(), word(rng)],
    ))()


def a_list(rng):
    k = lambda: key_of(rng, "l")
    end = lambda: rng.choice(("LEFT", "RIGHT"))
    return rng.choice((
        lambda: [rng.choice(("LPUSH", "RPUSH")), k(), *words(rng, 20)],
        lambda: ["RPUSH", k(), value(rng)],
        lambda: ["RPUSHX", k(), word(rng)],
        lambda: [rng.choice(("LPOP", "RPOP")), k()],
        lambda: ["LPOP", k(), rng.randint(1, 5)],
        lambda: ["LINSERT", k(), "BEFORE", word(rng), word(rng)],
        lambda: ["LSET", k(), rng.randrange(-3, 3), word(rng)],
        lambda: ["LREM", k(), rng.randrange(-2, 3), word(rng)],
        lambda: ["LTRIM", k(), rng.randrange(3), rng.randrange(10, 200)],
        lambda: ["LMOVE", k(), k(), end(), end()],
        lambda: ["RPOPLPUSH", k(), k()],
        lambda: ["SORT", k(), "ALPHA", "STORE", k()],
    ))()


def a_set(rng):
    k = lambda: key_of(rng, "S")
    return rng.choice((
        lambda: ["SADD", k(), *words(rng, 10)],
        lambda: ["SADD", k(), *[rng.randrange(1000) for _ in range(5)]],
        lambda: ["SREM", k(), *words(rng)],
        lambda: ["SPOP", k()],
        lambda: ["SPOP", k(), rng.randint(1, 4)],
        lambda: ["SMOVE", k(), k(), word(rng)],
        lambda: [rng.choice(("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE")), k(), k(), k()],
        lambda: ["SORT", k(), "ALPHA", "LIMIT", 0, 50, "STORE", key_of(rng, "l")],
    ))()


def a_hash(rng):
    k = lambda: key_of(rng, "h")
    return rng.choice((
        lambda: ["HSET", k(), word(rng), value(rng), word(rng), word(rng)],
        lambda: ["HSETNX", k(), word(rng), word(rng)],
        lambda: ["HDEL", k(), *words(rng)],
        lambda: ["HINCRBY", k(), f"n{rng.randrange(5)}", rng.randrange(-50, 50)],
        lambda: ["HINCRBYFLOAT", k(), f"f{rng.randrange(5)}", f"{rng.uniform(-10, 10):.4f}"],
    ))()


def a_zset(rng):
    k = lambda: key_of(rng, "z")
    score = lambda: rng.choice((rng.randrange(100), f"{rng.uniform(-5, 5):.6f}", "inf", "-inf"))
    return rng.choice((
        lambda: ["ZADD", k(), score(), word(rng), score(), word(rng)],
        lambda: ["ZADD", k(), rng.choice(("NX", "XX", "GT", "LT")), rng.randrange(50), word(rng)],
        lambda: ["ZADD", k(), "INCR", rng.randrange(9), word(rng)],
        lambda: ["ZINCRBY", k(), f"{rng.uniform(-5, 5):.3f}", word(rng)],
        lambda: ["ZREM", k(), *words(rng)],
        lambda: [rng.choice(("ZPOPMIN", "ZPOPMAX")), k(), rng.randint(1, 3)],
        lambda: ["ZREMRANGEBYRANK", k(), 0, rng.randrange(2)],
        lambda: ["ZREMRANGEBYSCORE", k(), -1, rng.randrange(3)],
        lambda: [rng.choice(("ZUNIONSTORE", "ZINTERSTORE")), k(), 2, k(), key_of(rng, "S")],
        lambda: ["ZRANGESTORE", k(), k(), 0, 20],
    ))()


FAMILIES = {"s": string, "l": a_list, "S": a_set, "h": a_hash, "z": a_zset}


def any_key(rng):
    kind = rng.choice("slShz")
    k = lambda: key_of(rng, kind)
    return rng.choice((
        lambda: ["DEL", k(), k()],
        lambda: ["UNLINK", k()],
        lambda: ["EXPIRE", k(), rng.randint(1, 1000)],
        lambda: ["PEXPIRE", k(), rng.randint(1, 2000)],
        lambda: ["EXPIREAT", k(), int(time.time()) + rng.randint(-1, 60)],
        lambda: ["PERSIST", k()],
        lambda: ["RENAME", k(), k()],
        lambda: ["RENAMENX", k(), k()],
        lambda: ["COPY", k(), k(), "REPLACE"],
        lambda: ["COPY", k(), k(), "DB", rng.choice(DBS), "REPLACE"],
        lambda: ["MOVE", k(), rng.choice(DBS)],
    ))()


def command(rng, family=None):
    chance = rng.random()
    if family or chance < 0.85:
        return FAMILIES[family or rng.choice("slShz")](rng)
    if chance < 0.9993:
        return any_key(rng)
    if chance < 0.9997:
        return ["FLUSHDB"]
    if chance < 0.9999:
        return ["SWAPDB", *rng.sample(DBS, 2)]
    return ["FLUSHALL"]


def batch(rng):
    """Commands of one pipeline: sometimes in another database, sometimes a transaction."""
    commands = [command(rng) for _ in range(rng.randint(1, BATCH))]
    if rng.random() < 0.3:
        begin = rng.randrange(len(commands))
        commands[begin:begin] = [["MULTI"]]
        commands.append(["EXEC"])
    if rng.random() < 0.2:
        commands[0:0] = [["SELECT", rng.choice(DBS)]]
    return commands


class Load:
    """Writers on a server, until it is stopped. They go on when the server is back, or at another one."""

    def __init__(self, node, seed, writers=2):
        self.port = node.port
        self.stopping = threading.Event()
        self.problems = []
        self.done = 0
        self.threads = [threading.Thread(target=self.write, args=(f"{seed}/{i}",), daemon=True)
                        for i in range(writers)]
        self.threads.append(threading.Thread(target=self.consume, args=(f"{seed}/pop",), daemon=True))
        for thread in self.threads:
            thread.start()

    def write(self, seed):
        rng = random.Random(seed)
        connection = None
        while not self.stopping.is_set():
            begun = time.monotonic()
            try:
                connection = connection or redis.Connection(port=self.port, socket_timeout=30)
                self.send(connection, batch(rng))
            except (redis.ConnectionError, redis.TimeoutError):
                connection = None
            self.stopping.wait(max(0.0, 1 / BATCHES_PER_S - (time.monotonic() - begun)))

    def send(self, connection, commands):
        connection.send_packed_command(connection.pack_commands(commands))
        for sent in commands:
            try:
                self.note(sent, connection.read_response())
            except (redis.ConnectionError, redis.TimeoutError):
                raise
            except redis.ResponseError as error:
                self.note(sent, error)
        self.done += len(commands)

    def note(self, sent, said):
        """Errors of types and numbers are a part of the load; a command that is not there isn't."""
        for reply in said if isinstance(said, list) else [said]:
            if isinstance(reply, redis.ResponseError) and "nknown" in str(reply):
                self.problems.append(f"{sent[0]}: {reply}")

    def consume(self, seed):
        """A client that blocks, whose pops are effects of other clients' pushes."""
        rng = random.Random(seed)
        client = redis.Redis(port=self.port, socket_timeout=30)
        while not self.stopping.is_set():
            try:
                k = lambda kind: key_of(rng, kind)
                client.execute_command(*rng.choice((
                    ["BLPOP", k("l"), k("l"), 0.1],
                    ["BRPOP", k("l"), k("l"), 0.1],
                    ["BLMOVE", k("l"), k("l"), "LEFT", "RIGHT", 0.1],
                    ["BZPOPMIN", k("z"), k("z"), 0.1],
                )))
            except redis.ResponseError:
                pass
            except (redis.ConnectionError, redis.TimeoutError):
                self.stopping.wait(0.05)
            self.stopping.wait(0.02)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            expect(not thread.is_alive(), "a writer does not end")
        if self.problems:
            raise Failure(f"{len(self.problems)} commands are not there, such as {self.problems[0]}")


READERS = {
    b"string": lambda k: ("GET", k),
    b"list": lambda k: ("LRANGE", k, 0, -1),
    b"set": lambda k: ("SMEMBERS", k),
    b"hash": lambda k: ("HGETALL", k),
    b"zset": lambda k: ("ZRANGE", k, 0, -1, "WITHSCORES"),
}


class Reader:
    """What is in one database, in a form that says nothing of how it is kept."""

    def __init__(self, node, db):
        self.connection = redis.Connection(port=node.port, db=db, socket_timeout=60)

    def ask(self, commands):
        self.connection.send_packed_command(self.connection.pack_commands(commands))
        said = []
        for _ in commands:
            try:
                said.append(self.connection.read_response())
            except redis.ResponseError as error:
                said.append(error)
        return said

    def keys(self):
        found, cursor = set(), b"0"
        while True:
            cursor, some = self.ask([("SCAN", cursor, "COUNT", SCAN_COUNT)])[0]
            found.update(some)
            if cursor == b"0":
                return found

    def read(self, keys):
        """{key: (type, when it expires, digest)} of those that are there."""
        kinds = self.ask([("TYPE", k) for k in keys])
        there = [(k, kind) for k, kind in zip(keys, kinds) if kind != b"none"]
        for k, kind in there:
            if kind not in READERS:
                raise Failure(f"{k!r} is a {kind!r}")
        ends = self.ask([("PEXPIRETIME", k) for k, _ in there])
        values = self.ask([READERS[kind](k) for k, kind in there])
        return {k: (kind, end, digest(kind, said)) for (k, kind), end, said in zip(there, ends, values)}


def digest(kind, said):
    if isinstance(said, list):
        if kind in (b"set", b"hash"):
            step = 2 if kind == b"hash" else 1
            said = sorted(tuple(said[i:i + step]) for i in range(0, len(said), step))
        if kind == b"zset":
            # 7.0 prints more digits than 7.2.
            said = [float(word) if i % 2 else word for i, word in enumerate(said)]
        said = repr(said).encode()
    if isinstance(said, (redis.ResponseError, type(None))):
        said = repr(said).encode()
    return f"{len(said)} bytes {hashlib.sha1(said).hexdigest()[:12]}"


def contents(node):
    """{(db, key): ...} of a server."""
    found = {}
    for name in node.client().info("keyspace"):
        db = int(name[2:])
        reader = Reader(node, db)
        keys = sorted(reader.keys())
        for i in range(0, len(keys), READ_BATCH):
            for k, what in reader.read(keys[i:i + READ_BATCH]).items():
                found[db, k] = what
    return found


def one_key(node, db, key):
    return Reader(node, db).read([key]).get(key)


def expect_same_data(nodes):
    """While nothing is written any more. A key may expire between two readings, so what differs is read again."""
    first = nodes[0]
    wanted = contents(first)
    for other in nodes[1:]:
        got = contents(other)
        for db, key in sorted({k for k in wanted.keys() | got.keys() if wanted.get(k) != got.get(k)}):
            poll(lambda: one_key(first, db, key) == one_key(other, db, key) or None,
                 f"key {key!r} of database {db} is {one_key(first, db, key)!r} at {first.name} and "
                 f"{one_key(other, db, key)!r} at {other.name}", SETTLE_S)
    return len(wanted)


def offsets(nodes):
    """(id, offset) of each node's history."""
    said = [node.replication() for node in nodes]
    return [(s["master_replid"], s["master_repl_offset"] if s["role"] == "master" else s["slave_repl_offset"])
            for s in said]


def await_same_offsets(nodes):
    """The first one is the primary; nothing is written any more (but PINGs)."""
    def same():
        up = all(node.link_is_up() for node in nodes[1:])
        found = offsets(nodes)
        return (up and len(set(found)) == 1) and found
    try:
        return poll(same, "all have the same history")[0]
    except Failure as failure:
        raise Failure(f"{failure}: {list(zip([n.name for n in nodes], offsets(nodes)))}") from None
