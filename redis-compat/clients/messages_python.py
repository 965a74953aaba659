#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What applications build of messages and transactions: messages_python.py PORT

Counters and accounts under contention, subscribers that are cut off, sessions that end.
"""

import sys
import threading
import time

import redis
from redis.exceptions import ConnectionError, ExecAbortError, ResponseError, WatchError

PORT = int(sys.argv[1])
DEADLINE_S = 30
WORKERS = 5
EVERY_BYTE = bytes(range(256))


def connect(**options):
    return redis.Redis(port=PORT, socket_timeout=DEADLINE_S, **options)


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


def at_once(work):
    """Runs work(connection, number) in some threads; what goes wrong in one is raised here."""
    errors = []

    def run(number):
        try:
            work(connect(), number)
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
        expect(not thread.is_alive(), "a worker does not end")
    if errors:
        raise errors[0]


# --- Transactions -------------------------------------------------------------------------------

def counter(r):
    """Read, add, write: nothing gets lost between, for the key is watched."""
    attempts = []

    def work(conn, _):
        def add(pipe):
            attempts.append(1)
            value = int(pipe.get("counter") or 0)
            pipe.multi()
            pipe.set("counter", value + 1)

        for _ in range(60):
            expect_equal(conn.transaction(add, "counter"), [True])

    at_once(work)
    expect_equal(r.get("counter"), b"%d" % (60 * WORKERS))
    expect(len(attempts) >= 60 * WORKERS, "attempts")


def accounts(r):
    """Money moves between accounts; whoever looks finds all of it."""
    names = [f"account:{i}" for i in range(6)]
    r.mset({name: 1000 for name in names})

    def work(conn, number):
        for i in range(60):
            source, target = names[(number + i) % 6], names[(number + 2 * i + 1) % 6]
            if number == 0:
                found = conn.pipeline().mget(names).mget(names).execute()
                expect_equal([sum(map(int, balances)) for balances in found], [6000, 6000])
                continue

            def move(pipe, source=source, target=target):
                left = int(pipe.get(source)) - 7
                pipe.multi()
                pipe.set(source, left)
                pipe.incrby(target, 7)

            conn.transaction(move, source, target)

    at_once(work)
    expect_equal(sum(map(int, r.mget(names))), 6000)


def watched(r, prepare, change, aborts):
    """Another connection makes a change between WATCH and EXEC."""
    r.flushall()
    prepare(r)
    with connect().pipeline() as pipe:
        pipe.watch("k", "l")
        change(r)
        pipe.multi()
        pipe.set("done", 1)
        try:
            pipe.execute()
            expect(not aborts, "EXEC did not notice")
        except WatchError:
            expect(aborts, "EXEC failed for nothing")
    expect_equal(r.exists("done"), 0 if aborts else 1)


def watching(r):
    """What is a change, and what is none."""
    def nothing(_):
        pass

    def with_k(conn):
        conn.set("k", "v")

    def expiring(conn):
        conn.set("k", "v", px=30)

    def wait_until_expired(conn):
        poll(lambda: conn.ttl("k") == -2)

    def other_database(_):
        connect(db=1).set("k", "v")

    for prepare, change, aborts in (
            (nothing, nothing, False),
            (nothing, with_k, True),
            (with_k, lambda conn: conn.set("k", "v"), True),
            (with_k, lambda conn: conn.get("k"), False),
            (with_k, lambda conn: conn.delete("k"), True),
            (nothing, lambda conn: conn.delete("k"), False),
            (with_k, lambda conn: conn.rename("k", "other"), True),
            (with_k, lambda conn: conn.copy("k", "l"), True),
            (with_k, lambda conn: conn.expire("k", 100), True),
            (expiring, wait_until_expired, True),
            (with_k, lambda conn: conn.flushall(), True),
            (nothing, lambda conn: conn.flushall(), False),
            (with_k, lambda conn: conn.swapdb(0, 1), True),
            (nothing, other_database, False),
            (nothing, lambda conn: conn.rpush("l", 1, 2), True),
            (nothing, lambda conn: conn.set("m", 1), False)):
        watched(r, prepare, change, aborts)


def unwatched(r):
    with connect().pipeline() as pipe:
        pipe.watch("k")
        r.set("k", 1)
        pipe.unwatch()
        pipe.multi()
        expect_equal(pipe.set("done", 1).execute(), [True])


def errors(r):
    """A command that is none stops all the others; one that fails fails alone."""
    try:
        r.pipeline().set("a", 1).execute_command("NOSUCH").set("b", 1).execute()
    except ResponseError as error:
        expect("unknown command" in str(error), str(error))
    else:
        raise AssertionError("EXEC did it")
    expect_equal(r.exists("a", "b"), 0)

    with connect(single_connection_client=True) as raw:
        expect_equal(raw.execute_command("MULTI"), b"OK")
        for call in (lambda: raw.execute_command("GET"), lambda: raw.execute_command("MULTI"),
                     lambda: raw.execute_command("WATCH", "k")):
            try:
                call()
            except ResponseError:
                continue
            raise AssertionError("no error")
        try:
            raw.execute_command("EXEC")
        except ExecAbortError as error:
            expect("previous errors" in str(error), str(error))
        else:
            raise AssertionError("no EXECABORT")

    r.set("text", "x")
    replies = r.pipeline().incr("a").incr("text").incr("a").execute(raise_on_error=False)
    expect_equal([replies[0], replies[2]], [1, 2])
    expect("not an integer" in str(replies[1]), str(replies[1]))


def large_transaction(r):
    """Thousands of commands, and nobody comes between."""
    def work(conn, number):
        for _ in range(3):
            pipe = conn.pipeline()
            for _ in range(1000):
                pipe.rpush("list", number)
            expect_equal(len(pipe.execute()), 1000)

    at_once(work)
    runs = r.lrange("list", 0, -1)
    expect_equal(len(runs), 3000 * WORKERS)
    for i in range(0, len(runs), 1000):
        expect_equal(set(runs[i:i + 1000]), {runs[i]})


def no_waiting(r):
    """Blocking commands do not block in a transaction, and what it pushes wakes others after it."""
    expect_equal(r.pipeline().blpop("none").brpoplpush("none", "other", 0).execute(), [None, None])
    got = []
    waiter = threading.Thread(target=lambda: got.append(connect().blpop("jobs", DEADLINE_S)),
                              daemon=True)
    waiter.start()
    poll(lambda: r.info("clients")["blocked_clients"] == 1)
    expect_equal(r.pipeline().rpush("jobs", "a").rpush("jobs", "b").lpop("jobs").execute(),
                 [1, 2, b"a"])
    waiter.join(DEADLINE_S)
    expect_equal(got, [(b"jobs", b"b")])


# --- Messages -----------------------------------------------------------------------------------

def receive(pubsub, count):
    """The next messages, without confirmations."""
    got = []
    end = time.monotonic() + DEADLINE_S
    while len(got) < count:
        expect(time.monotonic() < end, f"{len(got)} messages of {count}")
        message = pubsub.get_message(ignore_subscribe_messages=True, timeout=0.05)
        if message:
            got.append(message)
    return got


def subscribers(r):
    pubsub = r.pubsub()
    pubsub.subscribe("news", EVERY_BYTE)
    pubsub.psubscribe("user:*", "us?r:[0-9]")
    poll(lambda: r.pubsub_numpat() == 2)
    expect_equal(r.pubsub_numsub("news", EVERY_BYTE, "none"),
                 [(b"news", 1), (EVERY_BYTE, 1), (b"none", 0)])
    expect_equal(set(r.pubsub_channels()), {b"news", EVERY_BYTE})
    expect_equal(r.pubsub_channels("n*"), [b"news"])
    expect_equal(r.publish("nothing", "x"), 0)
    expect_equal(r.publish("news", EVERY_BYTE), 1)
    expect_equal(r.publish(EVERY_BYTE, ""), 1)
    expect_equal(r.publish("user:1", "both"), 2)
    got = receive(pubsub, 4)
    expect_equal([(m["type"], m["channel"], m["data"]) for m in got],
                 [("message", b"news", EVERY_BYTE), ("message", EVERY_BYTE, b""),
                  ("pmessage", b"user:1", b"both"), ("pmessage", b"user:1", b"both")])
    expect_equal({m["pattern"] for m in got[2:]}, {b"user:*", b"us?r:[0-9]"})
    pubsub.ping("still there?")
    poll(lambda: (pubsub.get_message(timeout=0.05) or {}).get("type") == "pong")
    pubsub.punsubscribe()
    pubsub.unsubscribe("news")
    poll(lambda: r.pubsub_numpat() == 0)
    expect_equal(r.publish("news", "x"), 0)
    expect_equal(r.publish(EVERY_BYTE, "x"), 1)
    pubsub.close()
    poll(lambda: r.pubsub_channels() == [])


def fan_out(r):
    """Everybody gets everything in its order."""
    count = 300
    everybody = [r.pubsub() for _ in range(30)]
    for pubsub in everybody:
        pubsub.subscribe("news")
    poll(lambda: r.pubsub_numsub("news") == [(b"news", len(everybody))])
    pipe = r.pipeline(transaction=False)
    for i in range(count):
        pipe.publish("news", f"{i}:" + "x" * (i * 7 % 2000))
    expect_equal(pipe.execute(), [len(everybody)] * count)
    for pubsub in everybody:
        numbers = [int(m["data"].split(b":")[0]) for m in receive(pubsub, count)]
        expect_equal(numbers, list(range(count)))
        pubsub.close()


def in_a_transaction(r):
    """Messages of a transaction come one after the other, and not from one that is thrown away."""
    pubsub = r.pubsub()
    pubsub.subscribe("news")
    poll(lambda: r.pubsub_numsub("news") == [(b"news", 1)])
    with connect().pipeline() as pipe:
        pipe.watch("k")
        r.set("k", 1)
        pipe.multi()
        pipe.publish("news", "never")
        try:
            pipe.execute()
        except WatchError:
            pass
    expect_equal(r.pipeline().publish("news", 1).set("a", 2).publish("news", 2).execute(),
                 [1, True, 1])
    expect_equal([m["data"] for m in receive(pubsub, 2)], [b"1", b"2"])
    pubsub.close()


def handlers_in_a_thread(r):
    """A listener in the background is cut off; it comes back with all its subscriptions."""
    heard = []
    errors_seen = []
    pubsub = r.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(**{"news": lambda m: heard.append(("news", m["data"]))})
    pubsub.psubscribe(**{"user:*": lambda m: heard.append((m["channel"], m["data"]))})
    thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True,
                                  exception_handler=lambda e, *_: errors_seen.append(e))
    for round_number in range(3):
        poll(lambda: r.pubsub_numpat() == 1 and r.pubsub_numsub("news") == [(b"news", 1)])
        expect_equal(r.publish("news", round_number), 1)
        expect_equal(r.publish("user:7", round_number), 1)
        poll(lambda: len(heard) == 2)
        expect_equal(heard, [("news", b"%d" % round_number), (b"user:7", b"%d" % round_number)])
        heard.clear()
        before = len(errors_seen)
        expect_equal(r.client_kill_filter(_type="pubsub"), 1)
        poll(lambda: len(errors_seen) > before)
        expect(isinstance(errors_seen[-1], ConnectionError), str(errors_seen[-1]))
    thread.stop()
    thread.join(DEADLINE_S)
    expect(not thread.is_alive(), "the listener does not end")
    poll(lambda: r.pubsub_channels() == [])


# --- Notifications ------------------------------------------------------------------------------

def ended_sessions(r):
    """Who listens for sessions that end hears of each of them once, and of no other."""
    expect_equal(r.config_set("notify-keyspace-events", "Ex"), True)
    expect_equal(r.config_get("notify-keyspace-events"), {"notify-keyspace-events": "xE"})
    listener = r.pubsub()
    listener.subscribe("__keyevent@0__:expired")
    poll(lambda: r.pubsub_numsub("__keyevent@0__:expired")[0][1] == 1)
    for i in range(100):
        pipe = r.pipeline().hset(f"session:{i}", mapping={"user": i}).pexpire(f"session:{i}", 50)
        # Some are renewed, some are ended by their owners.
        if i % 4 == 0:
            pipe.pexpire(f"session:{i}", 100000)
        elif i % 4 == 1:
            pipe.delete(f"session:{i}")
        pipe.execute()
    connect(db=1).set("session:elsewhere", 1, px=1)
    ended = [m["data"].decode() for m in receive(listener, 50)]
    expect_equal(sorted(ended), sorted(f"session:{i}" for i in range(100) if i % 4 >= 2))
    expect_equal(r.dbsize(), 25)
    r.config_set("notify-keyspace-events", "")
    r.set("session:1", 1, px=1)
    poll(lambda: r.exists("session:1") == 0)
    expect_equal(r.publish("__keyevent@0__:expired", "end"), 1)
    expect_equal([m["data"] for m in receive(listener, 1)], [b"end"])
    listener.close()


def spring_sessions(r):
    """Spring's listeners: what is configured is looked at first, and completed if it is nothing."""
    if r.config_get("notify-keyspace-events")["notify-keyspace-events"] == "":
        expect_equal(r.config_set("notify-keyspace-events", "EA"), True)
    expect_equal(r.config_get("notify-keyspace-events"), {"notify-keyspace-events": "AE"})
    listener = r.pubsub()
    listener.psubscribe("__keyevent@*__:del", "__keyevent@*__:expired")
    poll(lambda: r.pubsub_numpat() == 2)
    r.hset("spring:session:sessions:1", mapping={"creationTime": 1})
    r.set("spring:session:sessions:expires:1", "", px=1)
    r.delete("spring:session:sessions:1")
    connect(db=3).set("spring:session:sessions:expires:2", "", px=1)
    got = receive(listener, 3)
    expect_equal(sorted((m["channel"], m["data"]) for m in got),
                 [(b"__keyevent@0__:del", b"spring:session:sessions:1"),
                  (b"__keyevent@0__:expired", b"spring:session:sessions:expires:1"),
                  (b"__keyevent@3__:expired", b"spring:session:sessions:expires:2")])
    listener.close()
    r.config_set("notify-keyspace-events", "")


def audit(r):
    """Everything that happens to one key, in its order, and to all keys of a kind of event."""
    r.config_set("notify-keyspace-events", "KEA")
    expect_equal(r.config_get("notify-keyspace-events"), {"notify-keyspace-events": "AKE"})
    listener = r.pubsub()
    listener.subscribe("__keyspace@0__:cart", "__keyevent@0__:lpush")
    poll(lambda: r.pubsub_channels("__key*") and len(r.pubsub_channels("__key*")) == 2)
    r.pipeline().rpush("cart", "a", "b").expire("cart", 100).lpush("cart", "c").lpush("x", 1) \
        .persist("cart").lrem("cart", 0, "a").rename("cart", "order").get("cart").execute()
    got = receive(listener, 8)
    expect_equal([(m["channel"].split(b":")[1], m["data"]) for m in got],
                 [(b"cart", b"rpush"), (b"cart", b"expire"), (b"cart", b"lpush"),
                  (b"lpush", b"cart"), (b"lpush", b"x"), (b"cart", b"persist"),
                  (b"cart", b"lrem"), (b"cart", b"rename_from")])
    listener.close()
    r.config_set("notify-keyspace-events", "")


def main():
    r = connect()
    tests = [counter, accounts, watching, unwatched, errors, large_transaction, no_waiting,
             subscribers, fan_out, in_a_transaction, handlers_in_a_thread, ended_sessions,
             spring_sessions, audit]
    for test in tests:
        r.flushall()
        test(r)
        print(f"  {test.__name__}", flush=True)
    print(f"Python redis {redis.__version__}, messages: {len(tests)} checks")


main()
