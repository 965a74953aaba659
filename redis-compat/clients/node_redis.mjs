// SPDX-License-Identifier: BSD-3-Clause
// npm's redis client against a live server: node node_redis.mjs PORT
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createClient, RESP_TYPES, WatchError } from 'redis';

const port = Number(process.argv[2]);
const deadlineMs = 60000;

const everyByte = Buffer.from(Array.from({ length: 768 }, (_, i) => i % 256));

async function connect(options = {}) {
    const client = createClient({
        socket: {
            host: '127.0.0.1',
            port,
            reconnectStrategy: retries => retries < 100 ? 20 : new Error('gave up'),
        },
        // The five seconds that commands may wait by default are few on a busy machine.
        commandOptions: { timeout: deadlineMs },
        ...options,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
}

async function poll(done) {
    for (const end = Date.now() + deadlineMs; !(await done());) {
        assert(Date.now() < end, 'waited in vain');
        await new Promise(resolve => setTimeout(resolve, 5));
    }
}

async function values(client) {
    assert.equal(await client.ping(), 'PONG');
    assert.equal(await client.get('nokey'), null);
    assert.equal(await client.set('a', 'ä text'), 'OK');
    assert.equal(await client.get('a'), 'ä text');
    assert.equal(await client.append('a', '!'), Buffer.byteLength('ä text!'));
    assert.equal(await client.getDel('a'), 'ä text!');
    assert.equal(await client.exists('a'), 0);
    const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    assert.equal(await client.set(everyByte, everyByte), 'OK');
    assert.deepEqual(await binary.get(everyByte), everyByte);
    const large = Buffer.alloc(3000000, everyByte);
    assert.equal(await client.set('large', large), 'OK');
    assert.deepEqual(await binary.get('large'), large);
    assert.equal(await client.strLen('large'), large.length);
    assert.equal(await client.type('large'), 'string');
}

async function setOptions(client) {
    assert.equal(await client.set('a', '1', { condition: 'NX' }), 'OK');
    assert.equal(await client.set('a', '2', { condition: 'NX' }), null);
    assert.equal(await client.set('a', '3', { GET: true }), '1');
    assert.equal(await client.set('a', '4', { expiration: { type: 'EX', value: 100 } }), 'OK');
    const left = await client.ttl('a');
    assert(left > 60 && left <= 100);
    assert.equal(await client.set('a', '5', { expiration: 'KEEPTTL' }), 'OK');
    assert(await client.ttl('a') > 0);
    assert.equal(await client.setEx('a', 50, 'v'), 'OK');
    assert.equal(await client.setNX('a', 'v'), 0);
}

async function expiry(client) {
    assert.equal(await client.ttl('nokey'), -2);
    await client.set('a', '1');
    assert.equal(await client.ttl('a'), -1);
    assert.equal(await client.expire('a', 100), 1);
    assert.equal(await client.expire('a', 200, 'NX'), 0);
    assert.equal(await client.persist('a'), 1);
    assert.equal(await client.pExpire('a', 50), 1);
    await poll(async () => await client.get('a') === null);
}

async function counters(client) {
    assert.equal(await client.incr('n'), 1);
    assert.equal(await client.incrBy('n', 10), 11);
    assert.equal(await client.decr('n'), 10);
}

async function manyKeys(client) {
    assert.equal(await client.mSet({ a: '1', b: '2', c: '3' }), 'OK');
    assert.deepEqual(await client.mGet(['a', 'nokey', 'c']), ['1', null, '3']);
    assert.equal(await client.exists(['a', 'b', 'b']), 3);
    assert.equal(await client.del(['a', 'nokey']), 1);
    assert.equal(await client.unlink(['b', 'c']), 2);
    assert.equal(await client.dbSize(), 0);
    assert.equal(await client.randomKey(), null);
}

// All that is asked for in one turn of the event loop goes out as one pipeline.
async function pipelines(client) {
    const replies = [];
    for (let i = 0; i < 10000; i++) {
        replies.push(client.set(`key:${i % 100}`, String(i)));
        replies.push(client.get(`key:${i % 100}`));
    }
    (await Promise.all(replies)).forEach((reply, i) =>
        assert.equal(reply, i % 2 ? String((i - 1) / 2) : 'OK'));
    const multi = client.multi();
    for (let i = 0; i < 1000; i++)
        multi.incr('n');
    assert.deepEqual(await multi.execAsPipeline(), Array.from({ length: 1000 }, (_, i) => i + 1));
}

async function scanning(client) {
    await Promise.all(Array.from({ length: 5000 }, (_, i) => client.set(`user:${i}`, '1')));
    await Promise.all(Array.from({ length: 1000 }, (_, i) => client.set(`item:${i}`, '1')));
    const seen = [];
    for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 200 }))
        seen.push(...keys);
    assert.equal(seen.length, 5000);
    assert.equal(new Set(seen).size, 5000);
    const strings = [];
    for await (const keys of client.scanIterator({ TYPE: 'string', COUNT: 1000 }))
        strings.push(...keys);
    assert.equal(strings.length, 6000);
    assert.equal((await client.keys('item:*')).length, 1000);
}

async function errors(client) {
    await client.set('t', 'text');
    await assert.rejects(client.incr('t'), /ERR value is not an integer or out of range/);
    await assert.rejects(client.sendCommand(['NOSUCH', 'x']), /ERR unknown command 'NOSUCH'/);
    await assert.rejects(client.sendCommand(['GET']), /wrong number of arguments for 'get'/);
    await assert.rejects(client.set('a', '1', { expiration: { type: 'EX', value: 0 } }),
        /invalid expire time in 'set' command/);
    await assert.rejects(client.select(99), /DB index is out of range/);
    // Those around a failing one are answered.
    const replies = await Promise.allSettled([client.get('t'), client.incr('t'), client.get('t')]);
    assert.deepEqual(replies.map(reply => reply.status), ['fulfilled', 'rejected', 'fulfilled']);
}

async function connectionState(client) {
    const other = await connect({ name: 'my-app', database: 5 });
    assert.equal(await other.clientGetName(), 'my-app');
    await other.set('a', 'five');
    assert.equal(await client.get('a'), null);
    const info = await other.clientInfo();
    assert.equal(info.name, 'my-app');
    assert.equal(info.db, 5);
    if (!(await client.info('server')).includes('redis_version:7.0'))
        assert.equal(info.libName, 'node-redis');
    assert.equal(info.id, await other.clientId());
    const listed = (await client.clientList()).find(one => one.name === 'my-app');
    assert.equal(listed.id, info.id);
    await other.flushDb();
    await other.close();
}

async function protocols(client) {
    const older = await connect({ RESP: 2 });
    for (const one of [client, older]) {
        assert.deepEqual(await one.configGet('timeout'), { timeout: '0' });
        assert.match(await one.info('server'), /redis_version:7\.[02]/);
        assert.equal(await one.get('nokey'), null);
        assert.deepEqual(await one.mGet(['nokey']), [null]);
    }
    assert.equal(await client.configSet('timeout', '100'), 'OK');
    assert.equal(await client.configSet('timeout', '0'), 'OK');
    assert((await client.commandCount()) > 30);
    await older.close();
}

async function transactions(client) {
    const replies = await client.multi().set('a', '1').incrBy('a', 5).get('a').lLen('none').exec();
    assert.deepEqual(replies, ['OK', 6, '6', 0]);
    await client.set('t', 'text');
    await assert.rejects(client.multi().set('a', '7').incr('t').set('b', '1').exec(), error => {
        assert.equal(error.replies.length, 3);
        assert.deepEqual(error.errorIndexes, [1]);
        return true;
    });
    assert.deepEqual(await client.mGet(['a', 'b']), ['7', '1']);
    // Somebody else writes between WATCH and EXEC.
    const other = await connect();
    await other.watch(['a', 'b']);
    await client.set('b', '2');
    await assert.rejects(other.multi().set('a', '8').exec(), WatchError);
    await other.watch('a');
    await client.set('a', '9');
    assert.equal(await other.unwatch(), 'OK');
    assert.deepEqual(await other.multi().get('a').exec(), ['9']);
    await other.close();
}

async function messages(client) {
    const sub = await connect();
    const heard = [];
    const listener = (message, channel) => heard.push([channel, message]);
    await sub.subscribe(['news', 'x'], listener);
    await sub.pSubscribe('n*', listener);
    await sub.sSubscribe('orders', listener, true);
    assert.equal(await client.publish('news', 'one'), 2);
    assert.equal(await client.publish('none', 'two'), 1);
    assert.equal(await client.sPublish('orders', everyByte), 1);
    await poll(() => heard.length === 4);
    assert.deepEqual(heard.splice(0), [['news', 'one'], ['news', 'one'], ['none', 'two'],
        [Buffer.from('orders'), everyByte]]);
    assert.deepEqual({ ...await client.pubSubNumSub(['news', 'y']) }, { news: 1, y: 0 });
    assert.equal(await client.pubSubNumPat(), 1);
    assert.deepEqual(await client.pubSubShardChannels(), ['orders']);
    await sub.unsubscribe('news');
    await sub.pUnsubscribe();
    assert.equal(await client.publish('news', 'three'), 0);
    assert.equal(await client.publish('x', 'four'), 1);
    await poll(() => heard.length === 1);
    assert.deepEqual(heard, [['x', 'four']]);
    sub.destroy();
}

async function reconnecting(client) {
    const victim = await connect();
    const id = await victim.clientId();
    assert.equal(await client.clientKill({ filter: 'ID', id }), 1);
    await poll(async () => {
        try {
            return await victim.clientId() !== id;
        } catch {
            return false;
        }
    });
    assert.equal(await victim.set('a', 'after'), 'OK');
    assert.equal(await client.get('a'), 'after');
    await victim.close();
}

const client = await connect();
const tests = [values, setOptions, expiry, counters, manyKeys, pipelines, scanning, errors,
    connectionState, protocols, transactions, messages, reconnecting];
for (const test of tests) {
    await client.flushAll();
    await test(client);
    console.log(`  ${test.name}`);
}
await client.close();
const entry = createRequire(import.meta.url).resolve('redis');
const { version } = JSON.parse(readFileSync(entry.replace(/dist.*/, 'package.json'), 'utf8'));
console.log(`npm redis ${version}: ${tests.length} checks`);
