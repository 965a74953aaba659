#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Python's redis client against a live server: python_redis.py PORT"""

import sys
import threading
import time

import redis
from redis.exceptions import AuthenticationError, ConnectionError, DataError, ResponseError

PORT = int(sys.argv[1])
DEADLINE_S = 30


def connect(**options):
    return redis.Redis(port=PORT, socket_timeout=DEADLINE_S, **options)


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_equal(got, want):
    if got != want:
        raise AssertionError(f"wanted {want!r}, got {got!r}")


def expect_error(kind, text, call):
    try:
        got = call()
    except kind as error:
        expect(text in str(error), f"wanted '{text}' in '{error}'")
    else:
        raise AssertionError(f"wanted an error with '{text}', got {got!r}")


def poll(done):
    end = time.monotonic() + DEADLINE_S
    while not done():
        expect(time.monotonic() < end, "waited in vain")
        time.sleep(0.005)


def values(r):
    expect_equal(r.ping(), True)
    expect_equal(r.get("nokey"), None)
    expect_equal(r.set("a", "ä text"), True)
    expect_equal(r.get("a").decode(), "ä text")
    every_byte = bytes(range(256)) * 3
    expect_equal(r.set(every_byte, every_byte), True)
    expect_equal(r.get(every_byte), every_byte)
    large = every_byte * 7000
    expect_equal(r.set("large", large), True)
    expect_equal(r.get("large"), large)
    expect_equal(r.strlen("large"), len(large))
    expect_equal(r.echo(every_byte), every_byte)
    expect_equal(r.append("a", "!"), len("ä text!".encode()))
    expect_equal(r.getdel("a").decode(), "ä text!")
    expect_equal(r.exists("a"), 0)
    expect_equal(r.type("large"), b"string")
    expect_equal(connect(decode_responses=True).type("large"), "string")


def set_options(r):
    expect_equal(r.set("a", 1, nx=True), True)
    expect_equal(r.set("a", 2, nx=True), None)
    expect_equal(r.set("b", 2, xx=True), None)
    expect_equal(r.set("a", 3, get=True), b"1")
    expect_equal(r.set("a", 4, ex=100), True)
    expect(60 < r.ttl("a") <= 100, "ex")
    expect_equal(r.set("a", 5, keepttl=True), True)
    expect(0 < r.ttl("a") <= 100, "keepttl")
    expect_equal(r.set("a", 6, px=200000), True)
    expect(100000 < r.pttl("a") <= 200000, "px")
    expect_equal(r.set("a", 7, exat=int(time.time()) + 1000), True)
    expect(900 < r.ttl("a") <= 1000, "exat")
    expect_equal(r.setex("a", 50, "v"), True)
    expect_equal(r.psetex("a", 50000, "v"), True)
    expect_equal(r.setnx("a", "v"), False)


def expiry(r):
    expect_equal(r.ttl("nokey"), -2)
    r.set("a", 1)
    expect_equal(r.ttl("a"), -1)
    expect_equal(r.expire("a", 100), True)
    expect_equal(r.expire("a", 50, nx=True), False)
    expect_equal(r.expire("a", 50, lt=True), True)
    expect_equal(r.expire("nokey", 100), False)
    expect_equal(r.persist("a"), True)
    expect_equal(r.ttl("a"), -1)
    expect_equal(r.pexpire("a", 50), True)
    poll(lambda: r.get("a") is None)
    expect_equal(r.ttl("a"), -2)
    r.set("a", 1)
    expect_equal(r.expireat("a", int(time.time()) - 10), True)
    expect_equal(r.exists("a"), 0)


def counters(r):
    expect_equal(r.incr("n"), 1)
    expect_equal(r.incr("n", 10), 11)
    expect_equal(r.decr("n", 12), -1)
    expect_equal(r.get("n"), b"-1")


def many_keys(r):
    expect_equal(r.mset({"a": 1, "b": 2, "c": 3}), True)
    expect_equal(r.mget("a", "nokey", "c"), [b"1", None, b"3"])
    expect_equal(r.mget([f"key:{i}" for i in range(3000)]), [None] * 3000)
    expect_equal(r.exists("a", "b", "b"), 3)
    expect_equal(r.delete("a", "nokey"), 1)
    expect_equal(r.unlink("b", "c"), 2)
    expect_equal(r.dbsize(), 0)
    expect_equal(r.randomkey(), None)


def pipelines(r):
    pipe = r.pipeline(transaction=False)
    for i in range(10000):
        pipe.set(f"key:{i % 100}", i)
        pipe.get(f"key:{i % 100}")
    replies = pipe.execute()
    expect_equal(len(replies), 20000)
    for i in range(10000):
        expect_equal(replies[2 * i], True)
        expect_equal(replies[2 * i + 1], b"%d" % i)
    # An error in the middle is its command's alone.
    replies = r.pipeline(transaction=False).set("t", "x").incr("t").get("t").execute(False)
    expect_equal(replies[0], True)
    expect(isinstance(replies[1], ResponseError), "no error in the pipeline")
    expect_equal(replies[2], b"x")


def scanning(r):
    with r.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"user:{i}", i)
        for i in range(1000):
            pipe.set(f"item:{i}", i)
        pipe.execute()
    expect_equal(set(r.scan_iter(count=100)), set(r.keys("*")))
    users = list(r.scan_iter(match="user:*", count=500))
    expect_equal(len(users), len(set(users)))
    expect_equal(len(users), 5000)
    expect_equal(len(list(r.scan_iter(match="item:99?", _type="string"))), 10)
    expect_equal(list(r.scan_iter(_type="list")), [])
    expect_equal(len(r.keys("item:*")), 1000)


def errors(r):
    r.set("t", "text")
    expect_error(ResponseError, "value is not an integer or out of range", lambda: r.incr("t"))
    expect_error(ResponseError, "unknown command", lambda: r.execute_command("NOSUCH", "x"))
    expect_error(ResponseError, "wrong number of arguments", lambda: r.execute_command("GET"))
    expect_error(ResponseError, "invalid expire time", lambda: r.setex("t", 0, "v"))
    expect_error(ResponseError, "syntax error", lambda: r.execute_command("SET", "a", 1, "FOO"))
    expect_error(DataError, "", lambda: r.set("a", None))
    expect_error(ResponseError, "DB index is out of range", connect(db=99).ping)
    expect_error(ResponseError, "called without any password", connect(password="none").ping)
    expect_equal(r.get("t"), b"text")


def passwords(r):
    expect_equal(r.config_set("requirepass", "a secret"), True)
    try:
        expect_error(AuthenticationError, "Authentication required", connect().ping)
        expect_error(ResponseError, "invalid username-password", connect(password="no").ping)
        expect_equal(connect(password="a secret").ping(), True)
        expect_equal(connect(username="default", password="a secret").ping(), True)
    finally:
        expect_equal(r.config_set("requirepass", ""), True)
    expect_equal(connect().ping(), True)


def connection_state(r):
    other = connect(client_name="my-app", db=5)
    expect_equal(other.client_getname(), "my-app")
    other.set("a", "five")
    expect_equal(r.get("a"), None)
    listed = [client for client in r.client_list() if client["name"] == "my-app"]
    expect_equal(len(listed), 1)
    expect_equal(listed[0]["db"], "5")
    expect_equal(listed[0]["id"], str(other.client_id()))
    expect_equal(other.client_info()["name"], "my-app")
    expect_equal(other.flushdb(), True)


def server_state(r):
    info = r.info()
    expect_equal(info["redis_mode"], "standalone")
    expect(info["redis_version"].startswith(("7.0", "7.2")), info["redis_version"])
    expect(info["used_memory"] > 0, "used_memory")
    r.set("a", 1, ex=100)
    expect_equal(r.info("keyspace")["db0"]["keys"], 1)
    expect_equal(r.info("keyspace")["db0"]["expires"], 1)
    expect_equal(r.config_get("maxclients"), {"maxclients": "10000"})
    expect_equal(r.config_set("timeout", 100), True)
    expect_equal(r.config_get("timeout"), {"timeout": "100"})
    expect_equal(r.config_set("timeout", 0), True)
    expect_equal(r.config_resetstat(), True)
    expect(abs(r.time()[0] - time.time()) < DEADLINE_S, "time")
    expect(r.command_count() > 30, "command_count")
    expect(r.command()["mget"]["first_key_pos"] == 1, "command")
    expect_equal(r.flushall(asynchronous=True), True)


def threads_share_a_pool(r):
    def work():
        for _ in range(300):
            r.incr("shared")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect_equal(r.get("shared"), b"2400")


def reconnecting(r):
    victim = connect(single_connection_client=True)
    victim_id = victim.client_id()
    expect_equal(r.client_kill_filter(_id=str(victim_id)), 1)
    try:
        victim.ping()
    except ConnectionError:
        pass
    expect_equal(victim.set("a", "after"), True)
    expect(victim.client_id() != victim_id, "the same connection")
    expect_equal(r.get("a"), b"after")


def main():
    r = connect()
    tests = [values, set_options, expiry, counters, many_keys, pipelines, scanning, errors,
             passwords, connection_state, server_state, threads_share_a_pool, reconnecting]
    for test in tests:
        r.flushall()
        test(r)
        print(f"  {test.__name__}")
    print(f"Python redis {redis.__version__}: {len(tests)} checks")


main()
