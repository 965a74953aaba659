// SPDX-License-Identifier: BSD-3-Clause
// npm's @valkey/valkey-glide client, which is Rust below, against a live server:
// node valkey_glide.mjs PORT
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Batch, Decoder, GlideClient, GlideClientConfiguration, Logger, ProtocolVersion,
    RequestError, TimeUnit } from '@valkey/valkey-glide';

const port = Number(process.argv[2]);
const deadlineMs = 30000;
const { version } = JSON.parse(readFileSync(
    new URL('node_modules/@valkey/valkey-glide/package.json', import.meta.url), 'utf8'));

const everyByte = Buffer.from(Array.from({ length: 768 }, (_, i) => i % 256));

// It would tell of the connection that the test kills.
Logger.setLoggerConfig('off');

function connect(options = {}) {
    return GlideClient.createClient({
        addresses: [{ host: '127.0.0.1', port }],
        protocol: ProtocolVersion.RESP3,
        requestTimeout: deadlineMs,
        advancedConfiguration: { connectionTimeout: deadlineMs },
        ...options,
    });
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
    assert.deepEqual(await client.get(everyByte, { decoder: Decoder.Bytes }), everyByte);
    assert.equal(await client.set('a', '1', { conditionalSet: 'onlyIfDoesNotExist' }), null);
    assert.equal(await client.set('a', '1', { returnOldValue: true }), 'ä text');
    assert.equal(await client.incrBy('a', 10), 11);
    assert.equal(await client.mset({ x: '1', y: '2' }), 'OK');
    assert.deepEqual(await client.mget(['x', 'nokey', 'y']), ['1', null, '2']);
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
    await client.set('a', '2', { expiry: { type: TimeUnit.Milliseconds, count: 50 } });
    await poll(async () => await client.get('a') === null);
}

async function pipelines(client) {
    const batch = new Batch(false);
    for (let i = 0; i < 5000; i++)
        batch.set(`key:${i % 100}`, String(i)).get(`key:${i % 100}`);
    const replies = await client.exec(batch, true, { timeout: deadlineMs });
    assert.deepEqual(replies,
        Array.from({ length: 10000 }, (_, i) => i % 2 ? String((i - 1) / 2) : 'OK'));
    const some = await client.exec(new Batch(false).set('t', 'x').incr('t').get('t'), false);
    assert.equal(some[0], 'OK');
    assert(some[1] instanceof RequestError);
    assert.equal(some[2], 'x');
}

async function scanning(client) {
    const users = Array.from({ length: 800 }, (_, i) => `user:${i}`);
    const items = Array.from({ length: 200 }, (_, i) => `item:${i}`);
    await client.mset(Object.fromEntries([...users, ...items].map(key => [key, '1'])));
    const seen = [];
    let cursor = '0';
    do {
        const [next, keys] = await client.scan(cursor, { match: 'user:*', count: 50 });
        seen.push(...keys);
        cursor = next;
    } while (cursor !== '0');
    assert.deepEqual(seen.sort(), users.sort());
}

async function errors(client) {
    await client.set('t', 'text');
    await assert.rejects(client.incr('t'), RequestError);
    await assert.rejects(client.incr('t'), /value is not an integer or out of range/);
    await assert.rejects(client.customCommand(['NOSUCH', 'x']), /unknown command/i);
    await assert.rejects(client.customCommand(['GET']), /wrong number of arguments/);
    assert.equal(await client.get('t'), 'text');
}

async function protocols(client) {
    const older = await connect({ protocol: ProtocolVersion.RESP2, databaseId: 5,
        clientName: 'my-app' });
    for (const one of [client, older]) {
        assert.match(await one.info(), /redis_version:7\.[02]/);
        assert.equal(await one.get('nokey'), null);
        assert.deepEqual(await one.configGet(['timeout']), { timeout: '0' });
    }
    assert.equal(await older.clientGetName(), 'my-app');
    older.close();
}

async function transactions(client) {
    const batch = new Batch(true).set('a', '1').incrBy('a', 5).get('a');
    assert.deepEqual(await client.exec(batch, true), ['OK', 6, '6']);
    // Somebody else writes between WATCH and EXEC.
    const other = await connect();
    await client.watch(['a']);
    await other.set('a', '7');
    assert.equal(await client.exec(new Batch(true).set('a', '8'), true), null);
    assert.equal(await client.get('a'), '7');
    other.close();
}

// Subscriptions are a part of the configuration; they are made again after each connecting.
async function messages(client) {
    const { Exact, Pattern } = GlideClientConfiguration.PubSubChannelModes;
    const heard = [];
    const sub = await connect({ pubsubSubscriptions: {
        channelsAndPatterns: { [Exact]: new Set(['news']), [Pattern]: new Set(['user:*']) },
        callback: ({ message, channel, pattern }) => heard.push([pattern ?? '', channel, message]),
    } });
    for (const round of ['first', 'second']) {
        await poll(async () => await client.pubsubNumPat() === 1 &&
            (await client.pubsubNumSub(['news']))[0].numSub === 1);
        assert.equal(await client.publish(round, 'news'), 1);
        assert.equal(await client.publish('x', 'user:1'), 1);
        await poll(() => heard.length === 2);
        assert.deepEqual(heard.splice(0), [['', 'news', round], ['user:*', 'user:1', 'x']]);
        assert.equal(await client.customCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']), 1);
    }
    sub.close();
    await poll(async () => await client.pubsubNumPat() === 0);
}

async function reconnecting(client) {
    const victim = await connect();
    const id = await victim.clientId();
    assert.equal(await client.customCommand(['CLIENT', 'KILL', 'ID', String(id)]), 1);
    await poll(async () => {
        try {
            return await victim.clientId() !== id;
        } catch {
            return false;
        }
    });
    assert.equal(await victim.set('a', 'after'), 'OK');
    assert.equal(await client.get('a'), 'after');
    victim.close();
}

const client = await connect();
const tests = [values, expiry, pipelines, scanning, errors, protocols, transactions,
    messages, reconnecting];
for (const test of tests) {
    await client.flushall();
    await test(client);
    console.log(`  ${test.name}`);
}
client.close();
console.log(`npm @valkey/valkey-glide ${version}: ${tests.length} checks`);
