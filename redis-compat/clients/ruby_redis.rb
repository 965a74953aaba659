#!/usr/bin/ruby
# SPDX-License-Identifier: BSD-3-Clause
# Ruby's redis client against a live server: ruby_redis.rb PORT
require 'redis'

PORT = Integer(ARGV[0])
DEADLINE_S = 30
EVERY_BYTE = ((0..255).to_a * 3).pack('C*')

def connect(**options)
  Redis.new(host: '127.0.0.1', port: PORT, timeout: DEADLINE_S, **options)
end

def expect(condition, what)
  raise what unless condition
end

def expect_equal(got, want)
  expect(got == want, "wanted #{want.inspect}, got #{got.inspect}")
end

def expect_error(text)
  got = yield
rescue Redis::CommandError => e
  expect(e.message.include?(text), "wanted '#{text}' in '#{e.message}'")
else
  raise "wanted an error with '#{text}', got #{got.inspect}"
end

def poll
  finish = Time.now + DEADLINE_S
  until yield
    expect(Time.now < finish, 'waited in vain')
    sleep 0.005
  end
end

def values(redis)
  expect_equal(redis.ping, 'PONG')
  expect_equal(redis.get('nokey'), nil)
  expect_equal(redis.set('a', 'ä text'), 'OK')
  expect_equal(redis.get('a'), 'ä text')
  expect_equal(redis.set(EVERY_BYTE, EVERY_BYTE), 'OK')
  expect_equal(redis.get(EVERY_BYTE).b, EVERY_BYTE)
  expect_equal(redis.set('a', 1, nx: true), false)
  expect_equal(redis.set('a', 1, get: true), 'ä text')
  expect_equal(redis.incrby('a', 10), 11)
  expect_equal(redis.mset('x', 1, 'y', 2), 'OK')
  expect_equal(redis.mapped_mget('x', 'nokey', 'y'), { 'x' => '1', 'nokey' => nil, 'y' => '2' })
  expect_equal(redis.del('x', 'nokey'), 1)
end

def expiry(redis)
  expect_equal(redis.ttl('nokey'), -2)
  redis.set('a', 1)
  expect_equal(redis.ttl('a'), -1)
  expect_equal(redis.expire('a', 100), true)
  expect(redis.ttl('a').between?(60, 100), 'expire')
  expect_equal(redis.persist('a'), true)
  redis.set('a', 2, ex: 100)
  expect(redis.ttl('a').between?(60, 100), 'ex')
  redis.set('a', 3, px: 50)
  poll { redis.get('a').nil? }
end

def pipelines(redis)
  replies = redis.pipelined do |pipe|
    10_000.times do |i|
      pipe.set("key:#{i % 100}", i)
      pipe.get("key:#{i % 100}")
    end
  end
  expect_equal(replies, (0...10_000).flat_map { |i| ['OK', i.to_s] })
  expect_error('ERR value is not an integer') do
    redis.pipelined do |pipe|
      pipe.set('t', 'x')
      pipe.incr('t')
      pipe.set('after', 'y')
    end
  end
  expect_equal(redis.mget('t', 'after'), %w[x y])
end

def scanning(redis)
  users = (0...800).map { |i| "user:#{i}" }
  redis.mset((users + (0...200).map { |i| "item:#{i}" }).flat_map { |key| [key, 1] })
  expect_equal(redis.scan_each(match: 'user:*', count: 50).sort, users.sort)
  expect_equal(redis.scan_each(type: 'string').count, 1000)
end

def errors(redis)
  redis.set('t', 'text')
  expect_error('ERR value is not an integer or out of range') { redis.incr('t') }
  expect_error('ERR unknown command') { redis.call('NOSUCH', 'x') }
  expect_error('wrong number of arguments') { redis.call('GET') }
  expect_error('DB index is out of range') { connect(db: 99).ping }
  expect_equal(redis.get('t'), 'text')
end

def connection_state(redis)
  other = connect(db: 5, id: 'my-app')
  other.set('a', 'five')
  expect_equal(redis.get('a'), nil)
  listed = redis.client(:list).find { |client| client['name'] == 'my-app' }
  expect_equal(listed['db'], '5')
  expect(redis.info['redis_version'].start_with?('7.'), 'redis_version')
  other.close
end

def transactions(redis)
  replies = redis.multi do |tx|
    tx.set('a', 1)
    tx.incrby('a', 5)
    tx.get('a')
    tx.mget('a', 'nokey')
  end
  expect_equal(replies, ['OK', 6, '6', ['6', nil]])
  redis.set('t', 'text')
  expect_error('ERR value is not an integer') do
    redis.multi do |tx|
      tx.incr('t')
      tx.set('after', 1)
    end
  end
  expect_equal(redis.get('after'), '1')
  # Somebody else writes between WATCH and EXEC.
  other = connect
  refused = redis.watch('a') do |r|
    other.set('a', 7)
    r.multi { |tx| tx.set('a', 8) }
  end
  expect_equal(refused, nil)
  accepted = redis.watch('a') { |r| r.multi { |tx| tx.set('a', 8) } }
  expect_equal(accepted, ['OK'])
  redis.watch('a')
  other.set('a', 9)
  expect_equal(redis.unwatch, 'OK')
  expect_equal(redis.multi { |tx| tx.get('a') }, ['9'])
  other.close
end

# Messages come to a thread of its own; the last one ends it.
def messages(redis)
  heard = []
  listener = Thread.new do
    sub = connect
    sub.subscribe('news', 'end') do |on|
      on.message do |channel, message|
        heard << [channel, message.b]
        sub.unsubscribe if channel == 'end'
      end
    end
    sub.psubscribe('user:*') do |on|
      on.pmessage do |pattern, channel, message|
        heard << [pattern, channel, message]
        sub.punsubscribe
      end
    end
    heard << sub.ping
  end
  poll { redis.pubsub(:numsub, 'news', 'end') == ['news', 1, 'end', 1] }
  expect_equal(redis.publish('news', EVERY_BYTE), 1)
  expect_equal(redis.publish('nothing', 'x'), 0)
  expect_equal(redis.publish('end', ''), 1)
  poll { redis.pubsub(:numpat) == 1 }
  expect_equal(redis.publish('user:1', 'x'), 1)
  expect(listener.join(DEADLINE_S), 'the listener does not end')
  expect_equal(heard, [['news', EVERY_BYTE], ['end', ''], ['user:*', 'user:1', 'x'], 'PONG'])
end

def reconnecting(redis)
  victim = connect
  id = victim.call('CLIENT', 'ID')
  expect_equal(redis.client(:kill, 'ID', id), 1)
  expect_equal(victim.set('a', 'after'), 'OK')
  expect(victim.call('CLIENT', 'ID') > id, 'the same connection')
  expect_equal(redis.get('a'), 'after')
end

redis = connect
checks = %i[values expiry pipelines scanning errors connection_state transactions messages
            reconnecting]
checks.each do |check|
  redis.flushall
  send(check, redis)
  puts "  #{check}"
end
puts "Ruby redis #{Redis::VERSION}: #{checks.size} checks"
