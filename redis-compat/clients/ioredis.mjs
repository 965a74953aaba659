// SPDX-License-Identifier: BSD-3-Clause
// npm's ioredis client against a live server: node ioredis.mjs PACKAGE PORT
// PACKAGE is ioredis, or the name that package.json gives an older version of it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [name, port] = process.argv.slice(2);
const deadlineMs = 30000;
const require = createRequire(import.meta.url);
const { Redis } = require(name);
const { version } = require(`${name}/package.json`);

const everyByte = Buffer.from(Array.from({ length: 768 }, (_, i) => i % 256));

function connect(options = {}) {
    const client = new Redis({ host: '127.0.0.1', port, ...options });
    client.on('error', () => {});
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
    assert.equal(await client.getdel('a'), 'ä text!');
    assert.equal(await client.exists('a'), 0);
    assert.equal(await client.set(everyByte, everyByte), 'OK');
    assert.deepEqual(await client.getBuffer(everyByte), everyByte);
    const large = Buffer.alloc(3000000, everyByte);
    assert.equal(await client.set('large', large), 'OK');
    assert.deepEqual(await client.getBuffer('large'), large);
    assert.equal(await client.strlen('large'), large.length);
    assert.equal(await client.type('large'), 'string');
}

async function setOptions(client) {
    assert.equal(await client.set('a', 1, 'NX'), 'OK');
    assert.equal(await client.set('a', 2, 'NX'), null);
    assert.equal(await client.set('a', 3, 'GET'), '1');
    assert.equal(await client.set('a', 4, 'EX', 100), 'OK');
    const left = await client.ttl('a');
    assert(left > 60 && left <= 100);
    assert.equal(await client.set('a', 5, 'KEEPTTL'), 'OK');
    assert(await client.ttl('a') > 0);
    assert.equal(await client.set('a', 6, 'PX', 100000, 'XX'), 'OK');
    assert.equal(await client.setex('a', 50, 'v'), 'OK');
    assert.equal(await client.setnx('a', 'v'), 0);
}

async function expiry(client) {
    assert.equal(await client.ttl('nokey'), -2);
    await client.set('a', 1);
    assert.equal(await client.ttl('a'), -1);
    assert.equal(await client.expire('a', 100), 1);
    assert.equal(await client.expire('a', 200, 'NX'), 0);
    assert.equal(await client.persist('a'), 1);
    assert.equal(await client.pexpire('a', 50), 1);
    await poll(async () => await client.get('a') === null);
}

async function counters(client) {
    assert.equal(await client.incr('n'), 1);
    assert.equal(await client.incrby('n', 10), 11);
    assert.equal(await client.decr('n'), 10);
}

async function manyKeys(client) {
    assert.equal(await client.mset({ a: 1, b: 2, c: 3 }), 'OK');
    assert.deepEqual(await client.mget('a', 'nokey', 'c'), ['1', null, '3']);
    assert.equal(await client.exists('a', 'b', 'b'), 3);
    assert.equal(await client.del('a', 'nokey'), 1);
    assert.equal(await client.unlink('b', 'c'), 2);
    assert.equal(await client.dbsize(), 0);
    assert.equal(await client.randomkey(), null);
}

async function pipelines(client) {
    const pipeline = client.pipeline();
    for (let i = 0; i < 10000; i++)
        pipeline.set(`key:${i % 100}`, i).get(`key:${i % 100}`);
    const replies = await pipeline.exec();
    assert.equal(replies.length, 20000);
    replies.forEach(([error, reply], i) => {
        assert.equal(error, null);
        assert.equal(reply, i % 2 ? String((i - 1) / 2) : 'OK');
    });
    const [first, second, third] = await client.pipeline().set('t', 'x').incr('t').get('t').exec();
    assert.deepEqual(first, [null, 'OK']);
    assert.match(second[0].message, /ERR value is not an integer/);
    assert.deepEqual(third, [null, 'x']);
    const automatic = connect({ enableAutoPipelining: true });
    const counts = await Promise.all(Array.from({ length: 1000 }, () => automatic.incr('n')));
    assert.deepEqual(counts, Array.from({ length: 1000 }, (_, i) => i + 1));
    automatic.disconnect();
}

async function scanning(client) {
    const pipeline = client.pipeline();
    for (let i = 0; i < 5000; i++)
        pipeline.set(`user:${i}`, 1);
    for (let i = 0; i < 1000; i++)
        pipeline.set(`item:${i}`, 1);
    await pipeline.exec();
    const seen = [];
    for await (const keys of client.scanStream({ match: 'user:*', count: 200 }))
        seen.push(...keys);
    assert.equal(seen.length, 5000);
    assert.equal(new Set(seen).size, 5000);
    const strings = [];
    for await (const keys of client.scanStream({ type: 'string', count: 1000 }))
        strings.push(...keys);
    assert.equal(strings.length, 6000);
    assert.equal((await client.keys('item:*')).length, 1000);
}

async function errors(client) {
    await client.set('t', 'text');
    await assert.rejects(client.incr('t'), /ERR value is not an integer or out of range/);
    await assert.rejects(client.call('NOSUCH', 'x'), /ERR unknown command 'NOSUCH'/);
    await assert.rejects(client.call('GET'), /wrong number of arguments for 'get'/);
    await assert.rejects(client.setex('a', 0, 'v'), /invalid expire time in 'setex' command/);
    await assert.rejects(client.set('a', 1, 'FOO'), /ERR syntax error/);
    await assert.rejects(client.select(99), /DB index is out of range/);
    assert.equal(await client.get('t'), 'text');
}

async function connectionState(client) {
    const other = connect({ connectionName: 'my-app', db: 5 });
    assert.equal(await other.client('GETNAME'), 'my-app');
    await other.set('a', 'five');
    assert.equal(await client.get('a'), null);
    const info = String(await other.client('INFO'));
    assert.match(info, / name=my-app /);
    assert.match(info, / db=5 /);
    if (!(await client.info('server')).includes('redis_version:7.0'))
        assert.match(info, / lib-name=ioredis/);
    assert.match(String(await client.client('LIST')), / name=my-app /);
    await other.flushdb();
    assert.equal(await other.quit(), 'OK');
}

async function protocols(client) {
    const older = connect({ protocol: 2 });
    for (const one of [client, older]) {
        assert.match(await one.info('server'), /redis_version:7\.[02]/);
        assert.equal(await one.get('nokey'), null);
        assert.deepEqual(await one.mget('nokey'), [null]);
        assert.match(JSON.stringify(await one.config('GET', 'timeout')), /timeout.*0/);
        assert.equal(await one.config('SET', 'timeout', 0), 'OK');
        assert.equal((await one.command('INFO', 'get'))[0][0], 'get');
        assert((await one.command('COUNT')) > 30);
    }
    older.disconnect();
}

async function reconnecting(client) {
    const victim = connect();
    const id = await victim.client('ID');
    let again = 0;
    victim.on('reconnecting', () => again++);
    assert.equal(await client.client('KILL', 'ID', id), 1);
    await poll(async () => again > 0 && await victim.client('ID') !== id);
    assert.equal(await victim.set('a', 'after'), 'OK');
    assert.equal(await client.get('a'), 'after');
    victim.disconnect();
}

const client = connect();
const tests = [values, setOptions, expiry, counters, manyKeys, pipelines, scanning, errors,
    connectionState, protocols, reconnecting];
for (const test of tests) {
    await client.flushall();
    await test(client);
    console.log(`  ${test.name}`);
}
await client.quit();
console.log(`npm ioredis ${version}: ${tests.length} checks`);
