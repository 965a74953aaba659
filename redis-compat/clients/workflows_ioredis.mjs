// SPDX-License-Identifier: BSD-3-Clause
// What applications build of npm's ioredis client: node workflows_ioredis.mjs PACKAGE PORT
// A queue with blocking workers, a leaderboard and a session store, end to end.
// PACKAGE is ioredis, or the name that package.json gives an older version of it.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [name, port] = process.argv.slice(2);
const deadlineMs = 30000;
const deadlineS = deadlineMs / 1000;
const require = createRequire(import.meta.url);
const { Redis } = require(name);
const { version } = require(`${name}/package.json`);

const jobCount = 600;
const workerCount = 4;

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

async function blocked(client) {
    return Number(/blocked_clients:(\d+)/.exec(await client.info('clients'))[1]);
}

// Runs `work` on a connection of its own until it is done.
async function worker(work, number) {
    const client = connect({ connectionName: `worker-${number}` });
    try {
        await work(client, number);
    } finally {
        client.disconnect();
    }
}

function numbers(count, from = 0) {
    return Array.from({ length: count }, (_, i) => from + i);
}

// Pairs as objects, or as the flat arrays of RESP2 and the nested ones of RESP3: [[member, score]...].
function pairs(reply) {
    const flat = reply.flat();
    return numbers(flat.length / 2).map(i => [flat[2 * i], Number(flat[2 * i + 1])]);
}

// --- A queue ------------------------------------------------------------------------------------

// Each job is done once; urgent ones come first; a worker ends at its poison pill.
async function blockingWorkers(client) {
    const done = [];
    const workers = numbers(workerCount).map(number => worker(async mine => {
        for (;;) {
            const [queue, job] = await mine.blpop('urgent', 'jobs', deadlineS);
            if (job === 'stop')
                return;
            done.push([queue, JSON.parse(job).id]);
        }
    }, number));
    await poll(async () => await blocked(client) === workerCount);
    await Promise.all(numbers(jobCount).map(id =>
        client.rpush(id % 10 ? 'jobs' : 'urgent', JSON.stringify({ id, to: `user${id}` }))));
    await poll(async () => done.length === jobCount && await blocked(client) === workerCount);
    await client.rpush('jobs', ...Array(workerCount).fill('stop'));
    await Promise.all(workers);
    assert.deepEqual(done.map(([, id]) => id).sort((a, b) => a - b), numbers(jobCount));
    assert(done.every(([queue, id]) => queue === (id % 10 ? 'jobs' : 'urgent')));
    assert.equal(await client.exists('jobs', 'urgent'), 0);
    assert.equal(await blocked(client), 0);
}

// Who has waited longest is served first, and a client that gives up is passed over.
async function workersInOrder(client) {
    const impatient = worker(async mine => {
        assert.equal(await mine.brpop('jobs', 0.05), null);
    }, 0);
    const got = [];
    const workers = [];
    await impatient;
    for (const number of numbers(workerCount)) {
        workers.push(worker(async mine => {
            got.push([number, await mine.brpop('jobs', deadlineS)]);
        }, number));
        await poll(async () => await blocked(client) === number + 1);
    }
    for (const number of numbers(workerCount)) {
        await client.lpush('jobs', `job ${number}`);
        await poll(() => got.length === number + 1);
    }
    await Promise.all(workers);
    assert.deepEqual(got, numbers(workerCount).map(n => [n, ['jobs', `job ${n}`]]));
}

// Jobs move to their worker's list, and leave it when they are done.
async function reliableQueue(client) {
    const finished = [];
    const workers = numbers(workerCount).map(number => worker(async mine => {
        const processing = `processing:${number}`;
        for (let job; job !== 'stop';) {
            job = await mine.blmove('jobs', processing, 'RIGHT', 'LEFT', deadlineS);
            assert.deepEqual(await mine.lrange(processing, 0, -1), [job]);
            if (job !== 'stop')
                finished.push(job);
            assert.equal(await mine.lrem(processing, 1, job), 1);
        }
    }, number));
    const pipeline = client.pipeline();
    for (const i of numbers(jobCount))
        pipeline.lpush('jobs', `job ${i}`);
    await pipeline.exec();
    await poll(() => finished.length === jobCount);
    await client.lpush('jobs', ...Array(workerCount).fill('stop'));
    await Promise.all(workers);
    assert.deepEqual(finished.sort(), numbers(jobCount).map(i => `job ${i}`).sort());
    assert.equal(await client.dbsize(), 0);
}

// A worker dies with a job in its hands, another one while it waits: no job is lost or doubled.
async function killedWorker(client) {
    const once = { retryStrategy: null, maxRetriesPerRequest: 0 };
    await client.rpush('jobs', 'first', 'second', 'third');
    const victim = connect(once);
    assert.equal(await victim.blmove('jobs', 'processing:victim', 'LEFT', 'RIGHT', 1), 'first');
    assert.equal(await client.client('KILL', 'ID', await victim.client('ID')), 1);
    await poll(() => victim.status === 'end');

    // Its jobs go back to where they came from, in their order.
    assert.deepEqual(await client.lrange('processing:victim', 0, -1), ['first']);
    while (await client.lmove('processing:victim', 'jobs', 'RIGHT', 'LEFT') !== null)
        continue;
    assert.deepEqual(await client.lrange('jobs', 0, -1), ['first', 'second', 'third']);
    assert.equal(await client.exists('processing:victim'), 0);
    assert.deepEqual(await client.lpop('jobs', 3), ['first', 'second', 'third']);

    // One that waits is killed: the job that comes then is the next one's.
    const waiting = connect(once);
    const id = await waiting.client('ID');
    const end = assert.rejects(waiting.blmove('jobs', 'processing:1', 'LEFT', 'RIGHT', deadlineS),
        /Connection is closed|retries per request/);
    await poll(async () => await blocked(client) === 1);
    assert.equal(await client.client('KILL', 'ID', id), 1);
    await end;
    await poll(async () => await blocked(client) === 0);
    await client.rpush('jobs', 'fourth');
    assert.equal(await client.exists('processing:1'), 0);
    const next = connect();
    assert.equal(await next.blmove('jobs', 'processing:2', 'LEFT', 'RIGHT', 1), 'fourth');
    assert.deepEqual(await client.lrange('processing:2', 0, -1), ['fourth']);
    assert.equal(await next.blmove('jobs', 'processing:2', 'LEFT', 'RIGHT', 0.01), null);
    next.disconnect();
}

// A scheduler: jobs in the order of their times, taken when they are due.
async function delayedJobs(client) {
    const now = Date.now();
    await client.zadd('later', ...numbers(10).flatMap(i => [now + (i - 5) * 100000, `job ${i}`]));
    const due = await client.zrangebyscore('later', '-inf', now);
    assert.deepEqual(due, numbers(6).map(i => `job ${i}`));
    for (const job of due) {
        if (await client.zrem('later', job))
            await client.rpush('jobs', job);
    }
    assert.equal(await client.zcard('later'), 4);
    assert.deepEqual(await client.lrange('jobs', 0, -1), due);
    const [key, member, score] = await client.bzpopmin('later', 1);
    assert.deepEqual([key, member, Number(score)], ['later', 'job 6', now + 100000]);
    assert.deepEqual(pairs(await client.zpopmax('later')), [['job 9', now + 400000]]);
    assert.equal(await client.bzpopmin('none', 0.01), null);
}

// --- A leaderboard ------------------------------------------------------------------------------

function makeScores() {
    const scores = new Map();
    const rounds = [];
    let seed = 5;
    const below = limit => {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        return Math.floor(seed / 65536) % limit;
    };
    for (let i = 0; i < 3000; i++) {
        const player = `player:${below(400)}`;
        const points = 1 + below(99);
        scores.set(player, (scores.get(player) ?? 0) + points);
        rounds.push([player, points, scores.get(player)]);
    }
    return { scores, rounds };
}

// Scores come in; ranks and pages are those of a sorted list.
async function leaderboard(client) {
    const { scores, rounds } = makeScores();
    const totals = await Promise.all(rounds.map(([player, points]) =>
        client.zincrby('board', points, player)));
    assert.deepEqual(totals.map(Number), rounds.map(([, , total]) => total));
    const order = [...scores].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
    const best = [...order].reverse();
    assert.equal(await client.zcard('board'), order.length);
    assert.deepEqual(pairs(await client.zrevrange('board', 0, 9, 'WITHSCORES')), best.slice(0, 10));
    assert.deepEqual(pairs(await client.zrange('board', 10, 19, 'REV', 'WITHSCORES')),
        best.slice(10, 20));
    assert.deepEqual(pairs(await client.zrevrange('board', 0, -1, 'WITHSCORES')), best);
    for (const rank of [0, 1, 17, order.length - 1]) {
        const [player, score] = order[rank];
        assert.equal(await client.zrank('board', player), rank);
        assert.equal(await client.zrevrank('board', player), order.length - 1 - rank);
        assert.equal(Number(await client.zscore('board', player)), score);
    }
    assert.equal(await client.zrank('board', 'nobody'), null);
    assert.equal(await client.zscore('board', 'nobody'), null);
    const low = order[100][1];
    const high = order[200][1];
    const within = order.filter(([, score]) => score >= low && score <= high);
    assert.deepEqual(pairs(await client.zrangebyscore('board', low, high, 'WITHSCORES')), within);
    assert.deepEqual(pairs(await client.zrevrangebyscore('board', high, low, 'WITHSCORES')),
        [...within].reverse());
    assert.deepEqual(await client.zrangebyscore('board', low, high, 'LIMIT', 5, 7),
        within.slice(5, 12).map(([player]) => player));
    assert.equal(await client.zcount('board', `(${low}`, '+inf'),
        order.filter(([, score]) => score > low).length);
}

// Only better scores count; weeks add up; the board is cut to its best.
async function leaderboardRules(client) {
    assert.equal(await client.zadd('week:1', 10, 'ann', 20.5, 'bob', 5, 'cy'), 3);
    assert.equal(await client.zadd('week:1', 'GT', 'CH', 5, 'ann', 30, 'bob'), 1);
    assert.equal(await client.zadd('week:1', 'NX', 99, 'ann', 1, 'dee'), 1);
    assert.equal(Number(await client.zscore('week:1', 'ann')), 10);
    await client.zadd('week:2', 7, 'ann', 8, 'cy', 3, 'eve');
    assert.equal(await client.zunionstore('total', 2, 'week:1', 'week:2'), 5);
    assert.deepEqual(pairs(await client.zrevrange('total', 0, 2, 'WITHSCORES')),
        [['bob', 30], ['ann', 17], ['cy', 13]]);
    assert.equal(await client.zinterstore('both', 2, 'week:1', 'week:2', 'WEIGHTS', 2, 1,
        'AGGREGATE', 'MAX'), 2);
    assert.deepEqual(pairs(await client.zrange('both', 0, -1, 'WITHSCORES')),
        [['cy', 10], ['ann', 20]]);
    assert.equal(await client.zremrangebyrank('total', 0, -4), 2);
    assert.deepEqual(await client.zrange('total', 0, -1), ['cy', 'ann', 'bob']);
    await client.hset('user:ann', 'name', 'Ann');
    await client.hset('user:bob', { name: 'Bob' });
    assert.deepEqual(await client.sort('total', 'BY', 'nosort', 'LIMIT', 0, 2, 'DESC', 'GET', '#',
        'GET', 'user:*->name'), ['bob', 'Bob', 'ann', 'Ann']);
}

// --- A session store ----------------------------------------------------------------------------

async function scanned(client, options) {
    const found = new Set();
    for await (const keys of client.scanStream(options))
        keys.forEach(key => found.add(key));
    return [...found].sort();
}

// Sessions are hashes that end by themselves, unless they are used.
async function sessions(client) {
    const names = numbers(300).map(i => `session:${i}`);
    for (const [i, key] of names.entries()) {
        assert.equal(await client.hset(key, { user: `user${i}`, visits: 1, cart: '[]' }), 3);
        assert.equal(await client.expire(key, 1800), 1);
    }
    assert.deepEqual({ ...await client.hgetall('session:7') },
        { user: 'user7', visits: '1', cart: '[]' });
    assert.equal(await client.hincrby('session:7', 'visits', 2), 3);
    assert.deepEqual(await client.hmget('session:7', 'user', 'nothing', 'visits'),
        ['user7', null, '3']);
    assert.equal(await client.hsetnx('session:7', 'user', 'other'), 0);
    assert.equal(await client.hset('session:7', 'cart', JSON.stringify([1, 2])), 0);
    assert.deepEqual(JSON.parse(await client.hget('session:7', 'cart')), [1, 2]);
    const left = await client.ttl('session:7');
    assert(left > 1700 && left <= 1800, 'a change of a field keeps the time to live');

    assert.deepEqual(await scanned(client, { match: 'session:*', count: 50 }), [...names].sort());
    assert.deepEqual(await scanned(client, { match: 'session:1?', type: 'hash' }),
        names.slice(10, 20).sort());
    assert.deepEqual(await scanned(client, { match: 'session:*', type: 'string' }), []);
    assert.equal(await client.hdel('session:7', 'user', 'visits', 'cart'), 3);
    assert.equal(await client.exists('session:7'), 0);
    assert.deepEqual({ ...await client.hgetall('session:7') }, {});
}

// Who comes back in time stays; who does not is gone.
async function slidingExpiry(client) {
    for (const [user, ttlMs] of [['active', 30000], ['idle', 200]]) {
        await client.hset(`session:${user}`, { user });
        await client.pexpire(`session:${user}`, ttlMs);
    }
    await poll(async () => {
        const [[, session], [, slid]] = await client.pipeline().hgetall('session:active')
            .pexpire('session:active', 100000).exec();
        assert.deepEqual({ ...session }, { user: 'active' });
        assert.equal(slid, 1);
        return !await client.exists('session:idle');
    });
    assert.deepEqual({ ...await client.hgetall('session:idle') }, {});
    assert.deepEqual(await scanned(client, { match: 'session:*' }), ['session:active']);
    assert(await client.pttl('session:active') > 30000, 'the time does not slide');
    assert.equal(await client.persist('session:active'), 1);
    assert.equal(await client.ttl('session:active'), -1);
}

// A hash grows from small to large, and is scanned whole.
async function largeSession(client) {
    const fields = Object.fromEntries(numbers(1500).map(i => [`field:${i}`, 'x'.repeat(i % 90)]));
    const entries = Object.entries(fields);
    for (let i = 0; i < entries.length; i += 100) {
        assert.equal(await client.hset('session', Object.fromEntries(entries.slice(i, i + 100))),
            100);
    }
    assert.equal(await client.hlen('session'), 1500);
    assert.deepEqual({ ...await client.hgetall('session') }, fields);
    const seen = {};
    for await (const flat of client.hscanStream('session', { count: 100 })) {
        for (let i = 0; i < flat.length; i += 2)
            seen[flat[i]] = flat[i + 1];
    }
    assert.deepEqual(seen, fields);
    await assert.rejects(client.lpush('session', 'x'), /^ReplyError: WRONGTYPE /);
}

const client = connect();
const tests = [blockingWorkers, workersInOrder, reliableQueue, killedWorker, delayedJobs,
    leaderboard, leaderboardRules, sessions, slidingExpiry, largeSession];
for (const test of tests) {
    await client.flushall();
    await test(client);
    console.log(`  ${test.name}`);
}
await client.quit();
console.log(`npm ioredis ${version}, workflows: ${tests.length} checks`);
