<?php
// SPDX-License-Identifier: BSD-3-Clause
// PHP's redis extension against a live server: php php_redis.php PORT
declare(strict_types=1);

const DEADLINE_S = 30;
define('PORT', (int) $argv[1]);

set_error_handler(function (int $level, string $text, string $file, int $line) {
    throw new ErrorException($text, 0, $level, $file, $line);
});

function connect(): Redis
{
    $redis = new Redis();
    $redis->connect('127.0.0.1', PORT, DEADLINE_S, null, 0, DEADLINE_S);
    return $redis;
}

function expect(bool $condition, string $what): void
{
    if (!$condition) {
        throw new Exception($what);
    }
}

function expect_equal(mixed $got, mixed $want): void
{
    expect($got === $want, 'wanted ' . var_export($want, true) . ', got ' . var_export($got, true));
}

// Errors that begin with ERR are no exceptions: the call answers false, and the text is kept.
function expect_error(Redis $redis, string $text, callable $call): void
{
    $redis->clearLastError();
    expect_equal($call(), false);
    $error = $redis->getLastError();
    expect($error !== null && str_contains($error, $text), "wanted '$text' in '$error'");
}

function poll(callable $done): void
{
    for ($end = time() + DEADLINE_S; !$done(); usleep(5000)) {
        expect(time() < $end, 'waited in vain');
    }
}

function values(Redis $redis): void
{
    $every_byte = str_repeat(implode(array_map('chr', range(0, 255))), 3);
    expect_equal($redis->ping(), true);
    expect_equal($redis->get('nokey'), false);
    expect_equal($redis->set('a', 'ä text'), true);
    expect_equal($redis->get('a'), 'ä text');
    expect_equal($redis->set($every_byte, $every_byte), true);
    expect_equal($redis->get($every_byte), $every_byte);
    expect_equal($redis->set('a', '1', ['nx']), false);
    expect_equal($redis->set('a', '1', ['xx', 'ex' => 100]), true);
    expect_equal($redis->incrBy('a', 10), 11);
    expect_equal($redis->mset(['x' => '1', 'y' => '2']), true);
    expect_equal($redis->mget(['x', 'nokey', 'y']), ['1', false, '2']);
    expect_equal($redis->del('x', 'nokey'), 1);
    expect_equal($redis->type('a'), Redis::REDIS_STRING);
}

function expiry(Redis $redis): void
{
    expect_equal($redis->ttl('nokey'), -2);
    $redis->set('a', '1');
    expect_equal($redis->ttl('a'), -1);
    expect_equal($redis->expire('a', 100), true);
    expect($redis->ttl('a') > 60 && $redis->ttl('a') <= 100, 'expire');
    expect_equal($redis->persist('a'), true);
    expect_equal($redis->setex('a', 100, 'v'), true);
    expect($redis->ttl('a') > 60, 'setex');
    expect_equal($redis->psetex('a', 50, 'v'), true);
    poll(fn() => $redis->get('a') === false);
}

function pipelines(Redis $redis): void
{
    $pipe = $redis->pipeline();
    $want = [];
    for ($i = 0; $i < 10000; $i++) {
        $pipe->set('key:' . $i % 100, (string) $i)->get('key:' . $i % 100);
        array_push($want, true, (string) $i);
    }
    expect_equal($pipe->exec(), $want);
    $replies = $redis->pipeline()->set('t', 'x')->incr('t')->get('t')->exec();
    expect_equal($replies, [true, false, 'x']);
    expect(str_contains($redis->getLastError(), 'ERR value is not an integer'), 'no error');
}

function scanning(Redis $redis): void
{
    $users = array_map(fn($i) => "user:$i", range(0, 799));
    $items = array_map(fn($i) => "item:$i", range(0, 199));
    $redis->mset(array_fill_keys(array_merge($users, $items), '1'));
    $redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $seen = [];
    $cursor = null;
    while ($keys = $redis->scan($cursor, 'user:*', 50)) {
        array_push($seen, ...$keys);
    }
    sort($seen);
    sort($users);
    expect_equal($seen, $users);
    expect_equal(count($redis->keys('item:*')), 200);
}

function errors(Redis $redis): void
{
    $redis->set('t', 'text');
    expect_error($redis, 'ERR value is not an integer or out of range', fn() => $redis->incr('t'));
    expect_error($redis, 'ERR unknown command', fn() => $redis->rawCommand('NOSUCH', 'x'));
    expect_error($redis, 'wrong number of arguments', fn() => $redis->rawCommand('GET'));
    expect_error($redis, 'DB index is out of range', fn() => $redis->select(99));
    expect_equal($redis->get('t'), 'text');
    // Those that begin with another word are.
    try {
        $redis->auth(['nobody', 'wrong']);
        $caught = 'none';
    } catch (RedisException $exception) {
        $caught = $exception->getMessage();
    }
    expect(str_starts_with($caught, 'WRONGPASS'), "wanted WRONGPASS, got '$caught'");
}

function connection_state(Redis $redis): void
{
    $other = connect();
    expect_equal($other->select(5), true);
    expect_equal($other->client('setname', 'my-app'), true);
    $other->set('a', 'five');
    expect_equal($redis->get('a'), false);
    $named = array_filter($redis->client('list'), fn($client) => $client['name'] === 'my-app');
    expect_equal(array_column($named, 'db'), [5]);
    expect(str_starts_with($redis->info('server')['redis_version'], '7.'), 'redis_version');
    $other->close();
}

function transactions(Redis $redis): void
{
    $replies = $redis->multi()->set('a', '1')->incrBy('a', 5)->get('a')->mget(['a', 'b'])->exec();
    expect_equal($replies, [true, 6, '6', ['6', false]]);
    $redis->set('t', 'text');
    expect_equal($redis->multi()->incr('t')->set('after', '1')->exec(), [false, true]);
    expect(str_contains($redis->getLastError(), 'ERR value is not an integer'), 'no error');
    expect_equal($redis->multi()->set('a', '7')->discard(), true);
    expect_equal($redis->get('a'), '6');
    // Somebody else writes between WATCH and EXEC.
    $other = connect();
    expect_equal($redis->watch(['a', 'b']), true);
    $other->set('b', '1');
    expect_equal($redis->multi()->set('a', '8')->exec(), false);
    expect_equal($redis->get('a'), '6');
    $redis->watch('a');
    $other->set('a', '9');
    expect_equal($redis->unwatch(), true);
    expect_equal($redis->multi()->get('a')->exec(), ['9']);
    $other->close();
}

// Listening never ends, so it takes a process of its own, which passes on what it hears until it is
// killed.
function messages(Redis $redis): void
{
    $child = pcntl_fork();
    if ($child === 0) {
        $other = connect();
        connect()->psubscribe(['user:*', 'news'], fn($_, ...$what) =>
            $other->rPush('heard', implode(' ', $what)));
        exit;
    }
    poll(fn() => $redis->pubsub('numpat') === 2);
    expect_equal($redis->publish('user:1', "\0\xff"), 1);
    expect_equal($redis->publish('none', 'x'), 0);
    expect_equal($redis->publish('news', ''), 1);
    poll(fn() => $redis->lLen('heard') === 2);
    expect_equal($redis->lRange('heard', 0, -1), ["user:* user:1 \0\xff", 'news news ']);
    posix_kill($child, SIGKILL);
    pcntl_waitpid($child, $status);
    poll(fn() => $redis->pubsub('numpat') === 0);
}

// The library connects again when it finds the connection closed before it sends; it is closed when
// CLIENT KILL has answered. The chosen database is chosen again.
function reconnecting(Redis $redis): void
{
    $victim = connect();
    $victim->select(3);
    $id = $victim->rawCommand('CLIENT', 'ID');
    expect_equal($redis->rawCommand('CLIENT', 'KILL', 'ID', (string) $id), 1);
    expect_equal($victim->set('a', 'after'), true);
    expect($victim->rawCommand('CLIENT', 'ID') > $id, 'the same connection');
    expect_equal($redis->get('a'), false);
    $redis->select(3);
    expect_equal($redis->get('a'), 'after');
}

$redis = connect();
$checks = ['values', 'expiry', 'pipelines', 'scanning', 'errors', 'connection_state',
    'transactions', 'messages', 'reconnecting'];
foreach ($checks as $check) {
    $redis->flushAll();
    $check($redis);
    echo "  $check\n";
}
echo 'PHP redis ', phpversion('redis'), ': ', count($checks), " checks\n";
