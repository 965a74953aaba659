// SPDX-License-Identifier: BSD-3-Clause

// Go's redigo client against a live server: redigo PORT
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

const deadline = 30 * time.Second

func fail(format string, arguments ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func dial() (redis.Conn, error) {
	return redis.Dial("tcp", "127.0.0.1:"+os.Args[1], redis.DialConnectTimeout(deadline),
		redis.DialReadTimeout(deadline), redis.DialWriteTimeout(deadline))
}

// equal fails unless the reply, which came without an error, is the wanted value.
func equal(want interface{}, got interface{}, err error) {
	if err != nil {
		fail("wanted %#v, got the error '%v'", want, err)
	}
	if bytes, ok := got.([]byte); ok {
		got = string(bytes)
	}
	if got != want {
		fail("wanted %#v, got %#v", want, got)
	}
}

func expectError(text string, got interface{}, err error) {
	if _, ok := err.(redis.Error); !ok {
		fail("wanted an error with '%s', got %#v and '%v'", text, got, err)
	}
	if !strings.Contains(err.Error(), text) {
		fail("wanted an error with '%s', got '%v'", text, err)
	}
}

func do(c redis.Conn, want interface{}, name string, arguments ...interface{}) {
	got, err := c.Do(name, arguments...)
	equal(want, got, err)
}

func refused(c redis.Conn, text string, name string, arguments ...interface{}) {
	got, err := c.Do(name, arguments...)
	expectError(text, got, err)
}

func send(c redis.Conn, name string, arguments ...interface{}) {
	if err := c.Send(name, arguments...); err != nil {
		fail("%s: %v", name, err)
	}
}

func poll(done func() bool) {
	for end := time.Now().Add(deadline); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			fail("waited in vain")
		}
	}
}

func values(c redis.Conn) {
	everyByte := make([]byte, 768)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	do(c, "PONG", "PING")
	do(c, nil, "GET", "nokey")
	do(c, "OK", "SET", "a", "ä text")
	do(c, "ä text", "GET", "a")
	do(c, "OK", "SET", everyByte, everyByte)
	got, err := redis.Bytes(c.Do("GET", everyByte))
	equal(true, bytes.Equal(got, everyByte), err)
	do(c, "OK", "MSET", redis.Args{}.AddFlat(map[string]int{"x": 1, "y": 2})...)
	both, err := redis.Ints(c.Do("MGET", "x", "y"))
	equal("[1 2]", fmt.Sprint(both), err)
}

func expiry(c redis.Conn) {
	do(c, int64(-2), "TTL", "nokey")
	do(c, "OK", "SET", "a", 1)
	do(c, int64(-1), "TTL", "a")
	do(c, int64(1), "EXPIRE", "a", 100)
	left, err := redis.Int(c.Do("TTL", "a"))
	equal(true, left > 60 && left <= 100, err)
	do(c, "OK", "SET", "a", 2, "PX", 50)
	poll(func() bool {
		_, err := redis.String(c.Do("GET", "a"))
		return err == redis.ErrNil
	})
}

func pipelines(c redis.Conn) {
	const count = 10000
	for i := 0; i < count; i++ {
		c.Send("SET", fmt.Sprintf("key:%d", i%100), i)
		c.Send("GET", fmt.Sprintf("key:%d", i%100))
	}
	if err := c.Flush(); err != nil {
		fail("pipeline: %v", err)
	}
	for i := 0; i < count; i++ {
		got, err := c.Receive()
		equal("OK", got, err)
		got, err = redis.Int(c.Receive())
		equal(i, got, err)
	}
	c.Send("SET", "t", "x")
	c.Send("INCR", "t")
	c.Send("GET", "t")
	if err := c.Flush(); err != nil {
		fail("pipeline: %v", err)
	}
	got, err := c.Receive()
	equal("OK", got, err)
	got, err = c.Receive()
	expectError("ERR value is not an integer", got, err)
	got, err = c.Receive()
	equal("x", got, err)
}

func scanning(c redis.Conn) {
	for i := 0; i < 800; i++ {
		do(c, "OK", "SET", fmt.Sprintf("user:%d", i), 1)
	}
	for i := 0; i < 200; i++ {
		do(c, "OK", "SET", fmt.Sprintf("item:%d", i), 1)
	}
	seen := map[string]bool{}
	for cursor := "0"; len(seen) == 0 || cursor != "0"; {
		reply, err := redis.Values(c.Do("SCAN", cursor, "MATCH", "user:*", "COUNT", 50))
		equal(2, len(reply), err)
		var keys []string
		if _, err = redis.Scan(reply, &cursor, &keys); err != nil {
			fail("SCAN: %v", err)
		}
		for _, key := range keys {
			equal(false, seen[key] || !strings.HasPrefix(key, "user:"), nil)
			seen[key] = true
		}
	}
	equal(800, len(seen), nil)
}

func errors(c redis.Conn) {
	do(c, "OK", "SET", "t", "text")
	refused(c, "ERR value is not an integer or out of range", "INCR", "t")
	refused(c, "ERR unknown command", "NOSUCH", "x")
	refused(c, "wrong number of arguments", "GET")
	do(c, "text", "GET", "t")
}

// A pool replaces a connection that does not answer a PING when it is taken out again.
func transactions(c redis.Conn) {
	send(c, "MULTI")
	send(c, "SET", "a", 1)
	send(c, "INCRBY", "a", 5)
	replies, err := redis.Values(c.Do("EXEC"))
	equal(2, len(replies), err)
	equal(int64(6), replies[1], nil)
	do(c, "OK", "MULTI")
	refused(c, "ERR unknown command", "NOSUCH")
	refused(c, "EXECABORT", "EXEC")
	// Somebody else writes between WATCH and EXEC.
	other, err := dial()
	if err != nil {
		fail("connecting: %v", err)
	}
	defer other.Close()
	do(c, "OK", "WATCH", "a")
	do(other, "OK", "SET", "a", 7)
	send(c, "MULTI")
	send(c, "SET", "a", 8)
	do(c, nil, "EXEC")
	do(c, "7", "GET", "a")
	do(c, "OK", "WATCH", "a")
	do(other, "OK", "SET", "a", 9)
	do(c, "OK", "UNWATCH")
	send(c, "MULTI")
	send(c, "SET", "a", 10)
	replies, err = redis.Values(c.Do("EXEC"))
	equal(1, len(replies), err)
}

// heard waits for the next thing that comes to a subscriber.
func heard(sub redis.PubSubConn) string {
	switch what := sub.ReceiveWithTimeout(deadline).(type) {
	case redis.Message:
		return fmt.Sprintf("%s %s %q", what.Pattern, what.Channel, what.Data)
	case redis.Subscription:
		return fmt.Sprintf("%s %s %d", what.Kind, what.Channel, what.Count)
	case redis.Pong:
		return "pong " + what.Data
	default:
		return fmt.Sprint(what)
	}
}

func messages(c redis.Conn) {
	conn, err := dial()
	if err != nil {
		fail("connecting: %v", err)
	}
	sub := redis.PubSubConn{Conn: conn}
	defer sub.Close()
	equal(nil, sub.Subscribe("news", "x"), nil)
	equal(nil, sub.PSubscribe("n*"), nil)
	for _, want := range []string{"subscribe news 1", "subscribe x 2", "psubscribe n* 3"} {
		equal(want, heard(sub), nil)
	}
	do(c, int64(2), "PUBLISH", "news", "\x00\xff\r\n")
	do(c, int64(0), "PUBLISH", "y", "z")
	equal(nil, sub.Ping("there?"), nil)
	equal(nil, sub.Unsubscribe(), nil)
	equal(` news "\x00\xff\r\n"`, heard(sub), nil)
	equal(`n* news "\x00\xff\r\n"`, heard(sub), nil)
	equal("pong there?", heard(sub), nil)
	left := []string{heard(sub), heard(sub)}
	for i, what := range left {
		if !strings.HasPrefix(what, "unsubscribe ") || !strings.HasSuffix(what, fmt.Sprint(2-i)) {
			fail("wanted to be unsubscribed, got '%s'", what)
		}
	}
	do(c, int64(1), "PUBLISH", "news", "")
	equal(`n* news ""`, heard(sub), nil)
	do(c, int64(1), "CLIENT", "KILL", "TYPE", "pubsub")
	if got := heard(sub); !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") {
		fail("wanted the end, got '%s'", got)
	}
}

func reconnecting(c redis.Conn) {
	pool := &redis.Pool{
		Dial:         dial,
		MaxIdle:      1,
		TestOnBorrow: func(c redis.Conn, _ time.Time) error { _, err := c.Do("PING"); return err },
	}
	defer pool.Close()
	victim := pool.Get()
	id, err := redis.Int64(victim.Do("CLIENT", "ID"))
	equal(nil, nil, err)
	victim.Close()
	equal(1, pool.IdleCount(), nil)
	do(c, int64(1), "CLIENT", "KILL", "ID", id)
	victim = pool.Get()
	defer victim.Close()
	again, err := redis.Int64(victim.Do("CLIENT", "ID"))
	equal(true, again > id, err)
	do(victim, "OK", "SET", "a", "after")
	do(c, "after", "GET", "a")
}

// The library does not know its version; the package does.
func version() string {
	said, err := exec.Command("dpkg-query", "-W", "-f", "${source:Upstream-Version}",
		"golang-github-gomodule-redigo-dev").Output()
	if err != nil {
		return "of an unknown version"
	}
	return string(said)
}

func main() {
	c, err := dial()
	if err != nil {
		fail("connecting: %v", err)
	}
	defer c.Close()
	checks := []struct {
		name string
		run  func(redis.Conn)
	}{
		{"values", values}, {"expiry", expiry}, {"pipelines", pipelines}, {"scanning", scanning},
		{"errors", errors}, {"transactions", transactions}, {"messages", messages},
		{"reconnecting", reconnecting},
	}
	for _, check := range checks {
		do(c, "OK", "FLUSHALL")
		check.run(c)
		fmt.Printf("  %s\n", check.name)
	}
	fmt.Printf("Go redigo %s: %d checks\n", version(), len(checks))
}
