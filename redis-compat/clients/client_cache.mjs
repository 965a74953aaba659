// SPDX-License-Identifier: BSD-3-Clause
// Caches in clients, which the server keeps true (CLIENT TRACKING): node client_cache.mjs PORT
//
// First the one that npm's redis client has, then what rueidis and others do by hand (OPTIN,
// OPTOUT, BCAST), then RESP2, where another connection hears of changes (REDIRECT).
//
// The server tells of a change before it answers later commands: a PING is enough to wait for it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Redis as Redis5 } from 'ioredis5';
import { BasicClientSideCache, createClient } from 'redis';

const port = Number(process.argv[2]);
const deadlineMs = 30000;
const channel = '__redis__:invalidate';
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

async function connect(options = {}) {
    const client = createClient({
        socket: { host: '127.0.0.1', port, reconnectStrategy: () => 20 },
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
        assert(Date.now() < end, `waited in vain: ${done}`);
        await new Promise(resolve => setTimeout(resolve, 5));
    }
}

function numbers(count) {
    return Array.from({ length: count }, (_, i) => i);
}

// A client with a cache: { client, cache }.
async function cachingClient(options) {
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0, evictPolicy: 'LRU' });
    return { client: await connect({ clientSideCache: cache, ...options }), cache };
}

// A client that does the tracking itself, in the way `options` say; told() are the keys that the
// server has told it since it was last asked.
async function trackingClient(options) {
    const client = await connect({ emitInvalidate: true });
    const keys = [];
    client.on('invalidate', key => keys.push(key === null ? null : key.toString()));
    await client.clientTracking(false);
    assert.equal(await client.clientTracking(true, options), 'OK');
    const told = async () => {
        await client.ping();
        return keys.splice(0);
    };
    return { client, told };
}

// --- npm redis: a cache of replies --------------------------------------------------------------

async function readOnce(writer) {
    const { client, cache } = await cachingClient();
    assert.deepEqual((await client.clientTrackingInfo()).flags, ['on']);
    await writer.set('a', 'one');
    for (let i = 0; i < 100; i++)
        assert.equal(await client.get('a'), 'one');
    assert.equal(cache.stats().hitCount, 99);
    assert.equal(cache.stats().missCount, 1);
    // What another one writes is not hidden by the cache, nor is what one writes oneself.
    await writer.set('a', 'two');
    await client.ping();
    assert.equal(cache.size(), 0);
    assert.equal(await client.get('a'), 'two');
    await client.set('a', 'three');
    assert.equal(await client.get('a'), 'three');
    // Nothing is as good an answer as any.
    assert.equal(await client.get('none'), null);
    assert.equal(cache.size(), 2);
    await writer.set('none', 'now');
    await client.ping();
    assert.equal(await client.get('none'), 'now');
    client.destroy();
}

// A read, and a write that changes what it answers.
const changes = [
    [r => r.get('k'), w => w.append('k', 'x')],
    [r => r.strLen('k'), w => w.set('k', 'longer')],
    [r => r.get('k'), w => w.del('k')],
    [r => r.get('k'), w => w.unlink('k')],
    [r => r.exists('k'), w => w.rename('k', 'l')],
    [r => r.exists('k'), w => w.pExpireAt('k', 1)],
    [r => r.mGet(['x', 'k', 'y']), w => w.mSet({ z: '1', y: '2' })],
    [r => r.hGetAll('hash'), w => w.hSet('hash', 'f', '2')],
    [r => r.hGet('hash', 'f'), w => w.hDel('hash', ['f', 'g'])],
    [r => r.lRange('list', 0, -1), w => w.rPush('list', 'c')],
    [r => r.lLen('list'), w => w.lTrim('list', 1, 0)],
    [r => r.sMembers('set'), w => w.sMove('set', 'other', 'a')],
    [r => r.sIsMember('other', 'a'), w => w.sMove('set', 'other', 'a')],
    [r => r.sCard('sum'), w => w.sUnionStore('sum', ['set', 'set2'])],
    [r => r.zRange('zset', 0, -1), w => w.zIncrBy('zset', 5, 'a')],
    [r => r.zScore('zset', 'a'), w => w.zPopMin('zset')],
    [r => r.lLen('list'), w => w.sortStore('unsorted', 'list')],
    [r => r.get('k'), w => w.flushDb()],
    [r => r.hGetAll('hash'), w => w.flushAll()],
];

async function fill(writer) {
    await writer.multi().flushAll().mSet({ k: 'v', x: '1' }).hSet('hash', { f: '1', g: '1' })
        .rPush('list', ['a', 'b']).sAdd('set', ['a', 'b']).sAdd('set2', ['c', 'd'])
        .zAdd('zset', [{ score: 1, value: 'a' }, { score: 2, value: 'b' }])
        .rPush('unsorted', ['3', '1', '2']).exec();
}

async function everyType(writer) {
    const { client, cache } = await cachingClient();
    for (const [read, write] of changes) {
        await fill(writer);
        await client.ping();
        assert.equal(cache.size(), 0);
        const before = await read(client);
        assert.equal(cache.size(), 1, `not cached: ${read}`);
        assert.deepEqual(await read(client), before);
        await write(writer);
        await client.ping();
        assert.equal(cache.size(), 0, `not told: ${write}`);
        assert.notDeepEqual(await read(client), before);
        assert.deepEqual(await read(client), await read(writer));
    }
    client.destroy();
}

async function expiry(writer) {
    const { client, cache } = await cachingClient();
    await writer.set('a', '1', { expiration: { type: 'PX', value: 100 } });
    await writer.set('b', '1', { expiration: { type: 'PX', value: 100000 } });
    assert.equal(await client.get('a'), '1');
    assert.equal(await client.get('b'), '1');
    // Nobody asks for it: that it has gone is told all the same.
    await poll(async () => cache.size() < 2);
    assert.equal(cache.size(), 1);
    assert.equal(await client.get('a'), null);
    client.destroy();
}

async function reconnecting(writer) {
    const { client, cache } = await cachingClient();
    await writer.set('a', 'before');
    assert.equal(await client.get('a'), 'before');
    const id = await client.clientId();
    await writer.clientKill({ filter: 'ID', id });
    await writer.set('a', 'after');
    await poll(async () => {
        try {
            return await client.clientId() !== id;
        } catch {
            return false;
        }
    });
    assert.equal(cache.size(), 0);
    assert.equal(await client.get('a'), 'after');
    await writer.set('a', 'again');
    await client.ping();
    assert.equal(await client.get('a'), 'again');
    client.destroy();
}

// Four caches and a writer: what the caches say is what the server has, at any time.
async function manyCaches(writer) {
    const all = await Promise.all(numbers(4).map(() => cachingClient()));
    let state = 7;
    const random = below => (state = (state * 1103515245 + 12345) % 2147483648) % below;
    for (let round = 0; round < 200; round++) {
        const reads = all.flatMap(({ client }) =>
            numbers(10).map(() => client.get(`key:${random(30)}`)));
        const writes = numbers(3).map(() => writer.set(`key:${random(30)}`, `${round}`));
        await Promise.all([...reads, ...writes]);
        await Promise.all(all.map(({ client }) => client.ping()));
        const keys = numbers(30).map(i => `key:${i}`);
        const truth = await writer.mGet(keys);
        for (const { client } of all)
            assert.deepEqual(await Promise.all(keys.map(key => client.get(key))), truth);
    }
    for (const { client, cache } of all) {
        assert(cache.stats().hitCount > cache.stats().missCount);
        client.destroy();
    }
}

// The server forgets keys when they are too many, and says which.
async function fullTable(writer) {
    const { client, cache } = await cachingClient();
    const [limit] = Object.values(await writer.configGet('tracking-table-max-keys'));
    await writer.configSet('tracking-table-max-keys', '100');
    await Promise.all(numbers(500).map(i => client.get(`key:${i}`)));
    await poll(() => cache.size() <= 100);
    await Promise.all(numbers(500).map(i => writer.set(`key:${i}`, 'v')));
    await client.ping();
    assert.equal(cache.size(), 0);
    await writer.configSet('tracking-table-max-keys', limit);
    client.destroy();
}

// --- By hand ------------------------------------------------------------------------------------

// As rueidis reads what it means to keep: its time to live comes with it.
async function readAndKeep(client, ...keys) {
    const reads = client.multi();
    keys.forEach(key => reads.pTTL(key).get(key));
    const [answer, replies] = await Promise.all([client.clientCaching(true), reads.exec()]);
    assert.equal(answer, 'OK');
    return replies;
}

async function optIn(writer) {
    const { client, told } = await trackingClient({ OPTIN: true });
    assert.deepEqual((await client.clientTrackingInfo()).flags, ['on', 'optin']);
    await writer.mSet({ a: '1', b: '2', c: '3' });
    await writer.pExpire('b', 100000);
    const [ttl, value, ttl2, value2] = await readAndKeep(client, 'a', 'b');
    assert.deepEqual([ttl, value, value2], [-1, '1', '2']);
    assert(ttl2 > 50000 && ttl2 <= 100000);
    assert.equal(await client.get('c'), '3');
    await writer.mSet({ a: '4', b: '5', c: '6' });
    assert.deepEqual((await told()).sort(), ['a', 'b']);
    // Once is enough, until it is read again; and only what was asked for.
    await writer.mSet({ a: '7', b: '8', c: '9' });
    await client.get('a');
    await writer.set('a', '10');
    assert.deepEqual(await told(), []);
    await readAndKeep(client, 'a');
    await writer.flushAll();
    assert.deepEqual(await told(), [null]);
    client.destroy();
}

async function optOut(writer) {
    const { client, told } = await trackingClient({ OPTOUT: true, NOLOOP: true });
    assert.deepEqual((await client.clientTrackingInfo()).flags, ['on', 'optout', 'noloop']);
    await Promise.all([client.clientCaching(false), client.get('secret'), client.get('a')]);
    await writer.mSet({ secret: '1', a: '2' });
    assert.deepEqual(await told(), ['a']);
    // Its own changes it knows itself.
    await client.get('a');
    await client.set('a', '3');
    assert.deepEqual(await told(), []);
    await client.get('a');
    await writer.set('a', '4');
    assert.deepEqual(await told(), ['a']);
    client.destroy();
}

// All keys that begin with a prefix, whether they were read or not.
async function prefixes(writer) {
    const { client, told } = await trackingClient({ BCAST: true, PREFIX: ['user:', 'item:'] });
    const { flags, prefixes: known } = await client.clientTrackingInfo();
    assert.deepEqual(flags, ['on', 'bcast']);
    assert.deepEqual(known.sort(), ['item:', 'user:']);
    await writer.multi().set('user:1', 'a').hSet('item:1', 'f', 'v').set('other', 'b').del('user:1')
        .exec();
    assert.deepEqual((await told()).sort(), ['item:1', 'user:1']);
    await writer.set('user:1', 'b');
    await writer.set('user:1', 'c');
    // Twice in one turn of the server is told once.
    assert.deepEqual([...new Set(await told())], ['user:1']);
    client.destroy();
}

async function redirected(writer) {
    const listener = new Redis5({ host: '127.0.0.1', port });
    const reader = new Redis5({ host: '127.0.0.1', port });
    const heard = [];
    listener.on('messageBuffer', (from, keys) => {
        assert.equal(from.toString(), channel);
        heard.push(keys);
    });
    const id = await listener.client('ID');
    assert.equal(await listener.subscribe(channel), 1);
    assert.equal(await reader.client('TRACKING', 'ON', 'REDIRECT', id), 'OK');
    assert.equal(await reader.client('GETREDIR'), id);

    await writer.set('a', '1');
    await writer.set(everyByte, '1');
    assert.equal(await reader.get('a'), '1');
    assert.equal(await reader.get(everyByte), '1');
    await writer.del('a');
    await writer.del(everyByte);
    await poll(() => heard.length === 2);
    assert.deepEqual(heard.splice(0), [[Buffer.from('a')], [everyByte]]);
    assert.equal(await reader.get('a'), null);
    await writer.flushAll();
    await poll(() => heard.length === 1);
    assert.deepEqual(heard, [null]);

    // Without a listener there is nobody to tell, and the reader can find out.
    listener.disconnect();
    await poll(async () => !(await writer.sendCommand(['CLIENT', 'LIST', 'TYPE', 'pubsub'])));
    await reader.get('a');
    await writer.set('a', '2');
    assert((await reader.client('TRACKINGINFO'))[1].includes('broken_redirect'));
    reader.disconnect();
}

const writer = await connect();
const tests = [readOnce, everyType, expiry, reconnecting, manyCaches, fullTable, optIn, optOut,
    prefixes, redirected];
for (const test of tests) {
    await writer.flushAll();
    await test(writer);
    console.log(`  ${test.name}`);
}
await poll(async () => /tracking_clients:0\r/.test(await writer.info('clients')));
await writer.close();
const entry = createRequire(import.meta.url).resolve('redis');
const { version } = JSON.parse(readFileSync(entry.replace(/dist.*/, 'package.json'), 'utf8'));
console.log(`npm redis ${version}, client-side caches: ${tests.length} checks`);
