// SPDX-License-Identifier: BSD-3-Clause
// npm's redis client, version 4, which knows RESP2 only, against a live server:
// node node_redis4.mjs PORT
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { commandOptions, createClient, ErrorReply, WatchError } from 'redis4';

const port = Number(process.argv[2]);
const deadlineMs = 60000;

const everyByte = Buffer.from(Array.from({ length: 768 }, (_, i) => i % 256));

async function connect(options = {}) {
    const client = createClient({ socket: { host: '127.0.0.1', port }, ...options });
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
    assert.equal(await client.set(everyByte, everyByte), 'OK');
    const binary = commandOptions({ returnBuffers: true });
    assert.deepEqual(await client.get(binary, everyByte), everyByte);
    assert.equal(await client.set('a', '1', { NX: true }), null);
    assert.equal(await client.set('a', '1', { GET: true }), 'ä text');
    assert.equal(await client.incrBy('a', 10), 11);
    assert.equal(await client.mSet({ x: '1', y: '2' }), 'OK');
    assert.deepEqual(await client.mGet(['x', 'nokey', 'y']), ['1', null, '2']);
    assert.equal(await client.del(['x', 'nokey']), 1);
}

async function expiry(client) {
    assert.equal(await client.ttl('nokey'), -2);
    await client.set('a', '1');
    assert.equal(await client.ttl('a'), -1);
    assert.equal(await client.expire('a', 100), true);
    const left = await client.ttl('a');
    assert(left > 60 && left <= 100);
    assert.equal(await client.persist('a'), true);
    assert.equal(await client.set('a', '2', { PX: 50 }), 'OK');
    await poll(async () => await client.get('a') === null);
}

async function pipelines(client) {
    const replies = await Promise.all(Array.from({ length: 10000 }, (_, i) =>
        Promise.all([client.set(`key:${i % 100}`, String(i)), client.get(`key:${i % 100}`)])));
    replies.forEach((reply, i) => assert.deepEqual(reply, ['OK', String(i)]));
    const some = await Promise.allSettled([client.set('t', 'x'), client.incr('t'),
        client.get('t')]);
    assert.deepEqual(some.map(one => one.status), ['fulfilled', 'rejected', 'fulfilled']);
}

async function scanning(client) {
    const users = Array.from({ length: 800 }, (_, i) => `user:${i}`);
    const items = Array.from({ length: 200 }, (_, i) => `item:${i}`);
    await client.mSet([...users, ...items].map(key => [key, '1']));
    const seen = [];
    for await (const key of client.scanIterator({ MATCH: 'user:*', COUNT: 50 }))
        seen.push(key);
    assert.deepEqual(seen.sort(), users.sort());
    assert.equal((await client.keys('item:*')).length, 200);
}

async function errors(client) {
    await client.set('t', 'text');
    await assert.rejects(client.incr('t'), ErrorReply);
    await assert.rejects(client.incr('t'), /ERR value is not an integer or out of range/);
    await assert.rejects(client.sendCommand(['NOSUCH', 'x']), /ERR unknown command 'NOSUCH'/);
    await assert.rejects(client.sendCommand(['GET']), /wrong number of arguments for 'get'/);
    await assert.rejects(client.select(99), /DB index is out of range/);
    assert.equal(await client.get('t'), 'text');
}

async function connectionState(client) {
    const other = await connect({ name: 'my-app', database: 5 });
    assert.equal(await other.clientGetName(), 'my-app');
    await other.set('a', 'five');
    assert.equal(await client.get('a'), null);
    assert.equal((await other.clientInfo()).db, 5);
    assert.equal((await client.configGet('timeout')).timeout, '0');
    await other.disconnect();
}

async function transactions(client) {
    assert.deepEqual(await client.multi().set('a', '1').incrBy('a', 5).get('a').exec(),
        ['OK', 6, '6']);
    // Somebody else writes between WATCH and EXEC.
    const other = await connect();
    await other.watch('a');
    await client.set('a', '7');
    await assert.rejects(other.multi().set('a', '8').exec(), WatchError);
    assert.deepEqual(await other.multi().get('a').exec(), ['7']);
    await other.disconnect();
}

async function messages(client) {
    const sub = await connect();
    const heard = [];
    const listener = (message, channel) => heard.push([channel, message]);
    await sub.subscribe(['news', 'x'], listener);
    await sub.pSubscribe('n*', listener);
    await sub.sSubscribe('orders', listener);
    assert.equal(await client.publish('news', 'one'), 2);
    assert.equal(await client.sPublish('orders', 'two'), 1);
    await poll(() => heard.length === 3);
    assert.deepEqual(heard, [['news', 'one'], ['news', 'one'], ['orders', 'two']]);
    // One at a time: with several its promise is never kept.
    await sub.unsubscribe('news');
    await sub.unsubscribe('x');
    await sub.pUnsubscribe('n*');
    await sub.sUnsubscribe('orders');
    assert.equal(await client.publish('news', 'three'), 0);
    assert.equal(await sub.set('a', 'ordinary again'), 'OK');
    await sub.disconnect();
}

async function reconnecting(client) {
    const victim = await connect({ database: 3 });
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
    assert.equal(await client.get('a'), null);
    await client.select(3);
    assert.equal(await client.get('a'), 'after');
    await victim.disconnect();
}

const client = await connect();
const tests = [values, expiry, pipelines, scanning, errors, connectionState,
    transactions, messages, reconnecting];
for (const test of tests) {
    await client.flushAll();
    await test(client);
    console.log(`  ${test.name}`);
}
await client.quit();
const entry = createRequire(import.meta.url).resolve('redis4');
const { version } = JSON.parse(readFileSync(entry.replace(/dist.*/, 'package.json'), 'utf8'));
console.log(`npm redis ${version}: ${tests.length} checks`);
