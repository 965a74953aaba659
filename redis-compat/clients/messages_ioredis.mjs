// SPDX-License-Identifier: BSD-3-Clause
// Messages and transactions with npm's ioredis client: node messages_ioredis.mjs PACKAGE PORT
// PACKAGE is ioredis, or the name that package.json gives an older version of it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [name, port] = process.argv.slice(2);
const deadlineMs = 30000;
const require = createRequire(import.meta.url);
const { Redis } = require(name);
const { version } = require(`${name}/package.json`);
const resp3 = name === 'ioredis';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

function connect(options = {}) {
    const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 20, ...options });
    client.on('error', () => {});
    return client;
}

async function poll(done) {
    for (const end = Date.now() + deadlineMs; !(await done());) {
        assert(Date.now() < end, `waited in vain: ${done}`);
        await new Promise(resolve => setTimeout(resolve, 5));
    }
}

function numbers(count) {
    return Array.from({ length: count }, (_, i) => i);
}

// A connection and all that it hears: [kind, pattern (if any), channel, message].
function listener(options) {
    const client = connect(options);
    const heard = [];
    for (const kind of ['message', 'pmessage', 'smessage']) {
        client.on(`${kind}Buffer`, (...args) =>
            heard.push([kind, ...args.map(arg => Buffer.from(arg).toString('latin1'))]));
    }
    return { client, heard };
}

// --- Transactions -------------------------------------------------------------------------------

async function transactions(client) {
    const replies = await client.multi().set('a', 1).incr('a').get('a').hset('h', 'f', everyByte)
        .hgetBuffer('h', 'f').lrange('none', 0, -1).exec();
    assert.deepEqual(replies.map(([error]) => error), Array(6).fill(null));
    assert.deepEqual(replies.map(([, reply]) => reply), ['OK', 2, '2', 1, everyByte, []]);
    // The same, each command in its own time.
    assert.equal(await client.multi({ pipeline: false }), 'OK');
    assert.equal(await client.set('a', 5), 'QUEUED');
    assert.equal(await client.get('a'), 'QUEUED');
    assert.deepEqual(await client.exec(), [[null, 'OK'], [null, '5']]);
    await client.multi({ pipeline: false });
    await client.set('a', 6);
    assert.equal(await client.discard(), 'OK');
    assert.equal(await client.get('a'), '5');
    await assert.rejects(client.call('EXEC'), /ERR EXEC without MULTI/);
    await assert.rejects(client.call('DISCARD'), /ERR DISCARD without MULTI/);
}

async function errors(client) {
    await client.set('t', 'text');
    const [first, second, third] = await client.multi().set('a', 1).incr('t').set('b', 2).exec();
    assert.deepEqual([first, third], [[null, 'OK'], [null, 'OK']]);
    assert.match(second[0].message, /^ERR value is not an integer/);
    await assert.rejects(client.multi().set('a', 9).call('NOSUCH').exec(), error => {
        assert.match(error.message, /^EXECABORT Transaction discarded because of previous errors/);
        assert.match(error.previousErrors[0].message, /^ERR unknown command/);
        return true;
    });
    assert.equal(await client.get('a'), '1');
}

// Workers count with WATCH, GET and SET. A watched key that changes makes EXEC answer null.
async function contention(client) {
    await Promise.all(numbers(6).map(async () => {
        const worker = connect();
        for (let done = 0; done < 30;) {
            assert.equal(await worker.watch('n'), 'OK');
            const value = Number(await worker.get('n'));
            const replies = await worker.multi().set('n', value + 1).exec();
            done += replies === null ? 0 : 1;
        }
        worker.disconnect();
    }));
    assert.equal(await client.get('n'), '180');
    await client.watch('a', 'b');
    const other = connect();
    await other.del('a');
    await other.set('b', 1);
    assert.equal(await client.multi().set('a', 1).exec(), null);
    // That watch is over.
    await other.set('b', 2);
    assert.deepEqual(await client.multi().set('a', 1).exec(), [[null, 'OK']]);
    other.disconnect();
}

// --- Messages -----------------------------------------------------------------------------------

async function everyKind(client) {
    const { client: sub, heard } = listener();
    assert.equal(await sub.subscribe('news', everyByte), 2);
    assert.equal(await sub.psubscribe('n*', 'user:?'), 4);
    assert.equal(await sub.ssubscribe('orders'), 1);
    assert.equal(await client.publish('news', 'one'), 2);
    assert.equal(await client.publish(everyByte, everyByte), 1);
    assert.equal(await client.publish('user:1', ''), 1);
    assert.equal(await client.spublish('orders', everyByte), 1);
    assert.equal(await client.publish('orders', 'another world'), 0);
    assert.equal(await client.spublish('news', 'another world'), 0);
    const bytes = everyByte.toString('latin1');
    await poll(() => heard.length === 5);
    assert.deepEqual(heard.splice(0), [
        ['message', 'news', 'one'],
        ['pmessage', 'n*', 'news', 'one'],
        ['message', bytes, bytes],
        ['pmessage', 'user:?', 'user:1', ''],
        ['smessage', 'orders', bytes],
    ]);
    assert.deepEqual((await client.pubsub('CHANNELS', 'n*')), ['news']);
    assert.deepEqual(await client.pubsub('NUMSUB', 'news', 'none'), ['news', 1, 'none', 0]);
    assert.deepEqual(await client.pubsub('SHARDCHANNELS'), ['orders']);
    assert.equal(await client.pubsub('NUMPAT'), 2);

    assert.equal(await sub.unsubscribe('news'), 3);
    assert.equal(await sub.punsubscribe('n*'), 2);
    assert.equal(await client.publish('news', 'x'), 0);
    assert.equal(await sub.unsubscribe(everyByte), 1);
    assert.equal(await sub.sunsubscribe('orders'), 0);
    assert.equal(await sub.punsubscribe(), 0);
    assert.equal(await client.spublish('orders', 'x'), 0);
    // Back to ordinary life.
    assert.equal(await sub.set('a', 1), 'OK');
    assert.deepEqual(heard, []);
    sub.disconnect();
}

// In RESP3 a subscriber may do everything, and hears itself; in RESP2 the library forbids it.
async function whileSubscribed(client) {
    const { client: sub, heard } = listener();
    await sub.subscribe('news');
    if (resp3) {
        assert.equal(await sub.set('a', 1), 'OK');
        const [count, value] = await Promise.all([sub.publish('news', 'self'), sub.get('a')]);
        assert.equal(count, 1);
        assert.equal(value, '1');
        await poll(() => heard.length === 1);
        assert.deepEqual(heard, [['message', 'news', 'self']]);
    } else {
        await assert.rejects(sub.get('a'), /subscriber mode/);
        assert.deepEqual(await sub.ping(), ['pong', '']);
    }
    assert.equal(await client.publish('news', 'x'), 1);
    sub.disconnect();
}

async function manyChannels(client) {
    const channels = numbers(2000).map(i => `channel:${i}`);
    const { client: sub, heard } = listener();
    assert.equal(await sub.subscribe(...channels), 2000);
    const pipeline = client.pipeline();
    for (const channel of channels)
        pipeline.publish(channel, channel.repeat(20));
    assert((await pipeline.exec()).every(([error, count]) => error === null && count === 1));
    await poll(() => heard.length === 2000);
    assert.deepEqual(heard, channels.map(channel => ['message', channel, channel.repeat(20)]));
    sub.disconnect();
    await poll(async () => (await client.pubsub('CHANNELS')).length === 0);
}

async function large(client) {
    const content = Buffer.alloc(2000000, everyByte);
    const { client: sub, heard } = listener();
    await sub.subscribe('news');
    assert.deepEqual(await Promise.all(numbers(5).map(() => client.publish('news', content))),
        Array(5).fill(1));
    await poll(() => heard.length === 5);
    assert(heard.every(([, , message]) => message === content.toString('latin1')));
    sub.disconnect();
}

// Subscribers that are cut off come back, with everything that they had subscribed to.
async function cutOff(client) {
    const subs = numbers(10).map(() => listener());
    await Promise.all(subs.map(async ({ client: sub }, i) => {
        await sub.subscribe('news', `own:${i}`);
        await sub.psubscribe('n?ws');
        await sub.ssubscribe('orders');
    }));
    for (let round = 0; round < 3; round++) {
        assert.equal(await client.client('KILL', 'TYPE', 'pubsub'), subs.length);
        await poll(async () => Array.from(String(await client.client('LIST', 'TYPE', 'pubsub'))
            .matchAll(/ sub=2 psub=1 /g)).length === subs.length);
        await poll(async () => (await client.pubsub('SHARDNUMSUB', 'orders'))[1] === subs.length);
        assert.equal(await client.publish('news', round), 2 * subs.length);
        assert.equal(await client.spublish('orders', round), subs.length);
        assert.equal(await client.publish('own:7', round), 1);
        await poll(() => subs.every(({ heard }, i) => heard.length === (i === 7 ? 4 : 3)));
        for (const { heard } of subs) {
            const [first, second, third] = heard.splice(0);
            assert.deepEqual(first, ['message', 'news', String(round)]);
            assert.deepEqual(second, ['pmessage', 'n?ws', 'news', String(round)]);
            assert.deepEqual(third, ['smessage', 'orders', String(round)]);
        }
    }
    subs.forEach(({ client: sub }) => sub.disconnect());
    await poll(async () => (await client.pubsub('NUMPAT')) === 0);
}

// A cache in front of a data base, which learns from notifications what has changed.
async function notifications(client) {
    assert.equal(await client.config('SET', 'notify-keyspace-events', 'KEA'), 'OK');
    const { client: sub, heard } = listener();
    await sub.psubscribe('__keyspace@0__:user:*');
    await client.multi().set('user:1', 1).hset('user:2', 'f', 1).expire('user:2', 100)
        .set('other', 1).del('user:1').lpush('user:3', 'a').lpop('user:3').exec();
    await poll(() => heard.length === 7);
    assert.deepEqual(heard.map(([, , channel, event]) => [channel.slice(15), event]), [
        ['user:1', 'set'], ['user:2', 'hset'], ['user:2', 'expire'], ['user:1', 'del'],
        ['user:3', 'lpush'], ['user:3', 'lpop'], ['user:3', 'del'],
    ]);
    assert.equal(await client.config('SET', 'notify-keyspace-events', ''), 'OK');
    sub.disconnect();
}

const client = connect();
const tests = [transactions, errors, contention, everyKind, whileSubscribed, manyChannels, large,
    cutOff, notifications];
for (const test of tests) {
    await client.flushall();
    await test(client);
    console.log(`  ${test.name}`);
}
await client.quit();
console.log(`npm ioredis ${version}, messages: ${tests.length} checks`);
