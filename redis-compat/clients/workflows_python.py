#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What applications build of Python's redis client: workflows_python.py PORT

A queue with blocking workers, a leaderboard and a session store, end to end.
"""

import json
import random
import sys
import threading
import time

import redis
from redis.exceptions import ConnectionError, ResponseError

PORT = int(sys.argv[1])
DEADLINE_S = 30
JOBS = 600
WORKERS = 4


def connect(**options):
    return redis.Redis(port=PORT, socket_timeout=DEADLINE_S, decode_responses=True, **options)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_equal(got, want):
    if got != want:
        raise AssertionError(f"wanted {want!r}, got {got!r}")


def poll(done):
    end = time.monotonic() + DEADLINE_S
    while not done():
        expect(time.monotonic() < end, "waited in vain")
        time.sleep(0.005)


def blocked(r):
    return r.info("clients")["blocked_clients"]


class Workers:
    """Threads with a connection each; what goes wrong in one is raised by join()."""

    def __init__(self, count, work):
        self.errors = []
        self.threads = [threading.Thread(target=self.run, args=(work, i), daemon=True)
                        for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, work, number):
        try:
            work(connect(client_name=f"worker-{number}", single_connection_client=True), number)
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def join(self):
        for thread in self.threads:
            thread.join(DEADLINE_S)
            expect(not thread.is_alive(), "a worker does not end")
        if self.errors:
            raise self.errors[0]


# --- A queue ------------------------------------------------------------------------------------

def blocking_workers(r):
    """Each job is done once; urgent ones come first; a worker ends at its poison pill."""
    done = [[] for _ in range(WORKERS)]

    def work(conn, number):
        while True:
            queue, job = conn.blpop(["urgent", "jobs"], timeout=DEADLINE_S)
            if job == "stop":
                return
            done[number].append((queue, json.loads(job)["id"]))

    workers = Workers(WORKERS, work)
    poll(lambda: blocked(r) == WORKERS)
    for i in range(JOBS):
        r.rpush("urgent" if i % 10 == 0 else "jobs", json.dumps({"id": i, "to": f"user{i}"}))
    poll(lambda: sum(map(len, done)) == JOBS)
    poll(lambda: blocked(r) == WORKERS)
    r.rpush("jobs", *["stop"] * WORKERS)
    workers.join()
    everything = [job for one in done for job in one]
    expect_equal(sorted(job for _, job in everything), list(range(JOBS)))
    expect(all((queue == "urgent") == (job % 10 == 0) for queue, job in everything), "queues")
    expect_equal(r.exists("jobs", "urgent"), 0)
    expect_equal(blocked(r), 0)


def workers_in_order(r):
    """Who has waited longest is served first, and a client that gives up is passed over."""
    got = []

    def work(conn, number):
        job = conn.brpop("jobs", timeout=DEADLINE_S if number else 0.05)
        got.append((number, job and job[1]))

    workers = []
    for number in range(WORKERS):
        workers.append(Workers(1, lambda conn, _, number=number: work(conn, number)))
        poll(lambda: blocked(r) == len(workers) - ((0, None) in got))
    poll(lambda: (0, None) in got)
    expect_equal(blocked(r), WORKERS - 1)
    for number in range(1, WORKERS):
        r.lpush("jobs", f"job {number}")
        poll(lambda: (number, f"job {number}") in got)
    for one in workers:
        one.join()
    expect_equal(got, [(0, None)] + [(n, f"job {n}") for n in range(1, WORKERS)])


def reliable_queue(r):
    """Jobs move to their worker's list, and leave it when they are done."""
    finished = []

    def work(conn, number):
        mine = f"processing:{number}"
        while True:
            job = conn.blmove("jobs", mine, DEADLINE_S, src="RIGHT", dest="LEFT")
            if job != "stop":
                expect_equal(conn.lrange(mine, 0, -1), [job])
                finished.append(job)
            expect_equal(conn.lrem(mine, 1, job), 1)
            if job == "stop":
                return

    workers = Workers(WORKERS, work)
    with r.pipeline(transaction=False) as pipe:
        for i in range(JOBS):
            pipe.lpush("jobs", f"job {i}")
        pipe.execute()
    poll(lambda: len(finished) == JOBS)
    r.lpush("jobs", *["stop"] * WORKERS)
    workers.join()
    expect_equal(sorted(finished), sorted(f"job {i}" for i in range(JOBS)))
    expect_equal(r.dbsize(), 0)


def killed_worker(r):
    """A worker dies with a job in its hands, another one while it waits: no job is lost or doubled."""
    r.rpush("jobs", "first", "second", "third")
    victim = connect(single_connection_client=True)
    expect_equal(victim.blmove("jobs", "processing:victim", 1, src="LEFT", dest="RIGHT"), "first")
    expect_equal(r.client_kill_filter(_id=str(victim.client_id())), 1)
    victim.connection_pool.disconnect()

    # Its jobs go back to where they came from, in their order.
    expect_equal(r.lrange("processing:victim", 0, -1), ["first"])
    while r.lmove("processing:victim", "jobs", src="RIGHT", dest="LEFT"):
        pass
    expect_equal(r.lrange("jobs", 0, -1), ["first", "second", "third"])
    expect_equal(r.exists("processing:victim"), 0)
    expect_equal([r.lpop("jobs") for _ in range(3)], ["first", "second", "third"])

    # One that waits is killed: the job that comes then is the next one's.
    waiting = connect(single_connection_client=True)
    waiting_id = waiting.client_id()
    ended = []

    def wait(_, number):
        try:
            ended.append(waiting.blmove("jobs", "processing:1", DEADLINE_S) if number == 0 else None)
        except ConnectionError:
            ended.append("killed")

    worker = Workers(1, wait)
    poll(lambda: blocked(r) == 1)
    expect_equal(r.client_kill_filter(_id=str(waiting_id)), 1)
    poll(lambda: ended)
    worker.join()
    poll(lambda: blocked(r) == 0)
    r.rpush("jobs", "fourth")
    expect_equal(ended, ["killed"])
    expect_equal(r.exists("processing:1"), 0)
    expect_equal(r.blmove("jobs", "processing:2", 1, src="LEFT", dest="RIGHT"), "fourth")
    expect_equal(r.lrange("processing:2", 0, -1), ["fourth"])
    expect_equal(r.blmove("jobs", "processing:2", 0.01), None)


def delayed_jobs(r):
    """A scheduler: jobs in the order of their times, taken when they are due."""
    now = time.time()
    r.zadd("later", {f"job {i}": now + (i - 5) * 1000 for i in range(10)})
    due = r.zrangebyscore("later", "-inf", now)
    expect_equal(due, [f"job {i}" for i in range(6)])
    for job in due:
        if r.zrem("later", job):
            r.rpush("jobs", job)
    expect_equal(r.zcard("later"), 4)
    expect_equal(r.lrange("jobs", 0, -1), due)
    expect_equal(r.bzpopmin("later", timeout=1)[1], "job 6")
    expect_equal(r.zpopmax("later")[0][0], "job 9")
    expect_equal(r.bzpopmin("none", timeout=0.01), None)


# --- A leaderboard ------------------------------------------------------------------------------

def leaderboard(r):
    """Scores come in; ranks and pages are those of a sorted list."""
    random.seed(5)
    scores = {}
    for _ in range(3000):
        player = f"player:{random.randrange(400)}"
        points = random.randrange(1, 100)
        scores[player] = scores.get(player, 0) + points
        expect_equal(r.zincrby("board", points, player), scores[player])
    order = sorted(scores, key=lambda player: (scores[player], player))
    expect_equal(r.zcard("board"), len(order))
    best = [(player, scores[player]) for player in reversed(order)]
    expect_equal(r.zrevrange("board", 0, 9, withscores=True), best[:10])
    expect_equal(r.zrange("board", 10, 19, desc=True, withscores=True), best[10:20])
    expect_equal(r.zrevrange("board", 0, -1, withscores=True), best)
    for rank in (0, 1, 17, len(order) - 1):
        expect_equal(r.zrank("board", order[rank]), rank)
        expect_equal(r.zrevrank("board", order[rank]), len(order) - 1 - rank)
        expect_equal(r.zscore("board", order[rank]), scores[order[rank]])
    expect_equal(r.zrank("board", "nobody"), None)
    expect_equal(r.zscore("board", "nobody"), None)
    low, high = sorted(scores.values())[100], sorted(scores.values())[200]
    within = [(p, scores[p]) for p in order if low <= scores[p] <= high]
    expect_equal(r.zrangebyscore("board", low, high, withscores=True), within)
    expect_equal(r.zrevrangebyscore("board", high, low, withscores=True), within[::-1])
    expect_equal(r.zrangebyscore("board", low, high, start=5, num=7), [p for p, _ in within[5:12]])
    expect_equal(r.zcount("board", f"({low}", "+inf"), sum(s > low for s in scores.values()))


def leaderboard_rules(r):
    """Only better scores count; weeks add up; the board is cut to its best."""
    expect_equal(r.zadd("week:1", {"ann": 10, "bob": 20.5, "cy": 5}), 3)
    expect_equal(r.zadd("week:1", {"ann": 5, "bob": 30}, gt=True, ch=True), 1)
    expect_equal(r.zadd("week:1", {"ann": 99, "dee": 1}, nx=True), 1)
    expect_equal(r.zscore("week:1", "ann"), 10)
    r.zadd("week:2", {"ann": 7, "cy": 8, "eve": 3})
    expect_equal(r.zunionstore("total", ["week:1", "week:2"]), 5)
    expect_equal(r.zrevrange("total", 0, 2, withscores=True),
                 [("bob", 30), ("ann", 17), ("cy", 13)])
    expect_equal(r.zinterstore("both", {"week:1": 2, "week:2": 1}, aggregate="MAX"), 2)
    expect_equal(r.zrange("both", 0, -1, withscores=True), [("cy", 10), ("ann", 20)])
    expect_equal(r.zremrangebyrank("total", 0, -4), 2)
    expect_equal(r.zrange("total", 0, -1), ["cy", "ann", "bob"])
    r.hset("user:ann", "name", "Ann")
    r.hset("user:bob", "name", "Bob")
    expect_equal(r.sort("total", by="nosort", desc=True, start=0, num=2,
                        get=["#", "user:*->name"]), ["bob", "Bob", "ann", "Ann"])


# --- A session store ----------------------------------------------------------------------------

def sessions(r):
    """Sessions are hashes that end by themselves, unless they are used."""
    for i in range(300):
        key = f"session:{i}"
        expect_equal(r.hset(key, mapping={"user": f"user{i}", "visits": 1, "cart": "[]"}), 3)
        expect_equal(r.expire(key, 1800), True)
    expect_equal(r.hgetall("session:7"), {"user": "user7", "visits": "1", "cart": "[]"})
    expect_equal(r.hincrby("session:7", "visits", 2), 3)
    expect_equal(r.hmget("session:7", "user", "nothing", "visits"), ["user7", None, "3"])
    expect_equal(r.hsetnx("session:7", "user", "other"), False)
    expect_equal(r.hset("session:7", "cart", json.dumps([1, 2])), 0)
    expect_equal(json.loads(r.hget("session:7", "cart")), [1, 2])
    expect(1700 < r.ttl("session:7") <= 1800, "a change of a field keeps the time to live")

    found = set(r.scan_iter(match="session:*", count=50))
    expect_equal(found, {f"session:{i}" for i in range(300)})
    expect_equal(set(r.scan_iter(match="session:1?", _type="hash")),
                 {f"session:{i}" for i in range(10, 20)})
    expect_equal(list(r.scan_iter(match="session:*", _type="string")), [])
    expect_equal(r.hdel("session:7", "user", "visits", "cart"), 3)
    expect_equal(r.exists("session:7"), 0)
    expect_equal(r.hgetall("session:7"), {})


def sliding_expiry(r):
    """Who comes back in time stays; who does not is gone."""
    for name, ttl_ms in ("active", 30000), ("idle", 200):
        r.hset(f"session:{name}", mapping={"user": name})
        r.pexpire(f"session:{name}", ttl_ms)
    end = time.monotonic() + DEADLINE_S
    while r.exists("session:idle"):
        expect(time.monotonic() < end, "an idle session does not end")
        pipe = r.pipeline(transaction=False)
        reply = pipe.hgetall("session:active").pexpire("session:active", 100000).execute()
        expect_equal(reply, [{"user": "active"}, True])
        time.sleep(0.01)
    expect_equal(r.hgetall("session:idle"), {})
    expect_equal(list(r.scan_iter(match="session:*")), ["session:active"])
    expect(r.pttl("session:active") > 30000, "the time does not slide")
    expect_equal(r.persist("session:active"), True)
    expect_equal(r.ttl("session:active"), -1)


def large_session(r):
    """A hash grows from small to large, and is scanned whole."""
    fields = {f"field:{i}": "x" * (i % 90) for i in range(1500)}
    for i in range(0, 1500, 100):
        part = {name: fields[name] for name in list(fields)[i:i + 100]}
        expect_equal(r.hset("session", mapping=part), 100)
    expect_equal(r.hlen("session"), 1500)
    expect_equal(r.hgetall("session"), fields)
    expect_equal(dict(r.hscan_iter("session", count=100)), fields)
    expect_equal(dict(r.hscan_iter("session", match="field:149?")),
                 {f"field:{i}": fields[f"field:{i}"] for i in range(1490, 1500)})
    try:
        r.lpush("session", "x")
    except ResponseError as error:
        expect(str(error).startswith("WRONGTYPE"), str(error))
    else:
        raise AssertionError("a list in a hash")


def main():
    r = connect()
    tests = [blocking_workers, workers_in_order, reliable_queue, killed_worker, delayed_jobs,
             leaderboard, leaderboard_rules, sessions, sliding_expiry, large_session]
    for test in tests:
        r.flushall()
        test(r)
        print(f"  {test.__name__}", flush=True)
    print(f"Python redis {redis.__version__}, workflows: {len(tests)} checks")


main()
