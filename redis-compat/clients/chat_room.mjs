// SPDX-License-Identifier: BSD-3-Clause
// A chat room: npm's socket.io on two processes that meet in the server under test.
//
//   node chat_room.mjs ADAPTER PACKAGE PORT
//
// ADAPTER is pubsub (PSUBSCRIBE and SUBSCRIBE) or sharded (SSUBSCRIBE) of @socket.io/redis-adapter,
// PACKAGE the client that it uses, by its name in package.json.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { io as connectSocket } from 'socket.io-client';

const [kind, name, port] = process.argv.slice(2);
const sharded = kind === 'sharded';
const deadlineMs = 30000;
const require = createRequire(import.meta.url);
const nodeProgram = fileURLToPath(new URL('chat_node.mjs', import.meta.url));

const admin = new Redis({ host: '127.0.0.1', port });
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

async function poll(done) {
    for (const end = Date.now() + deadlineMs; !(await done());) {
        assert(Date.now() < end, `waited in vain: ${done}`);
        await new Promise(resolve => setTimeout(resolve, 5));
    }
}

// --- The cast -----------------------------------------------------------------------------------

// A process with a socket.io server.
class ChatNode {
    constructor() {
        this.waiting = new Map();
        this.orders = 0;
        this.child = fork(nodeProgram, [kind, name, port], { serialization: 'advanced' });
        this.ended = new Promise(resolve => this.child.once('exit', resolve));
        this.ready = new Promise((resolve, reject) => {
            this.child.once('message', resolve);
            this.child.once('exit', () => reject(new Error('a node ended')));
        });
        this.child.on('message', ({ id, value, error }) => {
            const { resolve, reject } = this.waiting.get(id) ?? {};
            this.waiting.delete(id);
            error ? reject(new Error(error)) : resolve?.(value);
        });
    }

    async start() {
        Object.assign(this, await this.ready);
        return this;
    }

    tell(order, ...args) {
        const id = ++this.orders;
        return new Promise((resolve, reject) => {
            this.waiting.set(id, { resolve, reject });
            this.child.send({ id, order, args });
        });
    }

    async kill() {
        this.child.kill('SIGKILL');
        await this.ended;
    }
}

function address(node) {
    return `http://127.0.0.1:${node.httpPort}`;
}

// Somebody's browser. `heard` is what came: [event, from, content].
class Member {
    constructor(user, node, path = '/') {
        this.user = user;
        this.heard = [];
        this.fence = 0;
        this.socket = connectSocket(address(node) + path, {
            auth: { user },
            forceNew: true,
            reconnectionDelay: 20,
            reconnectionDelayMax: 100,
            transports: ['websocket'],
        });
        for (const event of ['said', 'shouted', 'announced'])
            this.socket.on(event, (...args) => this.heard.push([event, ...args]));
        this.socket.on('question', (content, answer) => answer(`${this.user}: ${content}`));
        this.socket.on('fence', number => {
            this.fence = number;
        });
    }

    async ask(...args) {
        await poll(() => this.socket.connected);
        await this.socket.timeout(deadlineMs).emitWithAck(...args);
    }

    overheard() {
        return this.heard.splice(0);
    }
}

// How many are subscribed to each of the channels.
async function subscribed(...channels) {
    const reply = await admin.pubsub(sharded ? 'SHARDNUMSUB' : 'NUMSUB', ...channels);
    return channels.map((_, i) => Number(reply[2 * i + 1]));
}

async function patternsOfEach() {
    const list = String(await admin.client('LIST', 'TYPE', 'pubsub'));
    return Array.from(list.matchAll(/ psub=(\d+) /g), ([, count]) => Number(count));
}

// These nodes, and no others, have all the subscriptions that they need to talk to each other.
async function meeting(...nodes) {
    const channels = [nodes[0].shared, ...nodes.map(node => node.own)];
    const wanted = JSON.stringify([nodes.length, ...nodes.map(() => 1)]);
    await poll(async () => JSON.stringify(await subscribed(...channels)) === wanted);
    if (!sharded)
        await poll(async () => (await patternsOfEach()).every(count => count > 0));
}

// Members are in a room, and their nodes have told the server under test where it matters.
async function join(room, nodeCount, ...members) {
    await Promise.all(members.map(member => member.ask('join', room)));
    if (sharded)
        await poll(async () => (await subscribed(`socket.io#/#${room}#`))[0] === nodeCount);
}

let fences = 0;

// All that was sent by way of this node before has come to everybody.
async function settle(node) {
    const number = ++fences;
    await node.tell('emit', 'fence', number);
    await poll(() => everybody().every(member => member.fence === number));
}

async function hears(node, wanted) {
    await settle(node);
    for (const [user, member] of Object.entries(cast))
        assert.deepEqual(member.overheard(), wanted[user] ?? [], `what ${user} heard`);
}

const nodes = await Promise.all([new ChatNode().start(), new ChatNode().start()]);
// Ann and Bob are at the first node, Cy and Dee at the second one.
const cast = {
    ann: new Member('ann', nodes[0]),
    bob: new Member('bob', nodes[0]),
    cy: new Member('cy', nodes[1]),
    dee: new Member('dee', nodes[1]),
};
const { ann, bob, cy, dee } = cast;

function everybody() {
    return Object.values(cast);
}

// --- What happens in it -------------------------------------------------------------------------

// What is said in a room comes to all the others in it, once, and to nobody else.
async function rooms() {
    await join('tea', 2, ann, cy, dee);
    await join('büro', 1, bob);
    await ann.ask('say', 'tea', 'hello');
    await hears(nodes[0], { cy: [['said', 'ann', 'hello']], dee: [['said', 'ann', 'hello']] });
    await cy.ask('say', 'tea', { text: 'ä', tags: [1, 2.5, null, true] });
    const answer = ['said', 'cy', { text: 'ä', tags: [1, 2.5, null, true] }];
    await hears(nodes[1], { ann: [answer], dee: [answer] });
    await dee.ask('say', 'büro', 'anybody?');
    await hears(nodes[1], { bob: [['said', 'dee', 'anybody?']] });
    await dee.ask('say', 'nowhere', 'anybody?');
    await hears(nodes[1], {});
    // To two rooms at once, and to somebody alone.
    await dee.ask('say', ['büro', 'tea'], 'all');
    const all = ['said', 'dee', 'all'];
    await hears(nodes[1], { ann: [all], bob: [all], cy: [all] });
    await bob.ask('say', dee.socket.id, 'psst');
    await hears(nodes[0], { dee: [['said', 'bob', 'psst']] });
}

async function broadcasts() {
    await bob.ask('shout', 'fire');
    const fire = ['shouted', 'bob', 'fire'];
    await hears(nodes[0], { ann: [fire], cy: [fire], dee: [fire] });
    await nodes[1].tell('emit', 'announced', 'closing time');
    const closing = ['announced', 'closing time'];
    await hears(nodes[1], { ann: [closing], bob: [closing], cy: [closing], dee: [closing] });
}

// Another namespace is another world.
async function namespaces() {
    const staff = nodes.map(node => new Member('staff', node, '/staff'));
    await poll(() => staff.every(member => member.socket.connected));
    // Nodes have told each other of the namespace when the second answer comes.
    await poll(async () => {
        await nodes[0].tell('emitToStaff', 'announced', 'ready?');
        return staff[1].heard.length > 0;
    });
    staff.forEach(member => member.overheard());
    await nodes[0].tell('emitToStaff', 'announced', 'meeting');
    await poll(() => staff.every(member => member.heard.length > 0 &&
        member.heard.at(-1)[1] === 'meeting'));
    await hears(nodes[0], {});
    staff.forEach(member => member.socket.disconnect());
}

async function binary() {
    const large = Buffer.alloc(1000000, everyByte);
    for (const content of [everyByte, large, Buffer.alloc(0), { a: [everyByte], b: 'text' }]) {
        await ann.ask('say', 'tea', content);
        const said = ['said', 'ann', content];
        await hears(nodes[0], { cy: [said], dee: [said] });
    }
}

// Thousands of messages, none is lost and none overtakes another.
async function order() {
    const count = 1000;
    await Promise.all(nodes.map(node => node.tell('emitMany', 'tea', count)));
    await settle(nodes[0]);
    await settle(nodes[1]);
    for (const member of [ann, cy, dee]) {
        const numbers = member.overheard().map(([, , number]) => number);
        assert.equal(numbers.length, 2 * count);
        const next = Array(count).fill(0);
        // Each number comes twice, from either node, each time after all before it.
        numbers.forEach(number => {
            next[number]++;
            assert(number === 0 || next[number] <= next[number - 1], `${number} is too early`);
        });
        assert(next.every(times => times === 2));
    }
    assert.deepEqual(bob.overheard(), []);
}

async function acknowledgements() {
    const answers = await nodes[0].tell('askAll', deadlineMs, 'question', 'ready?');
    assert.deepEqual(answers.sort(), everybody().map(({ user }) => `${user}: ready?`).sort());
}

async function betweenServers() {
    await nodes[1].tell('tellServers', { text: 'hello', list: [1, 2] });
    await poll(async () => {
        const notes = await nodes[0].tell('notes');
        if (notes.length > 0)
            assert.deepEqual(notes, [{ text: 'hello', list: [1, 2] }]);
        return notes.length > 0;
    });
    assert.deepEqual(await nodes[1].tell('notes'), []);
    const [users, ...others] = await nodes[1].tell('askServers');
    assert.deepEqual(users.sort(), ['ann', 'bob']);
    assert.deepEqual(others, []);
}

async function fetching() {
    const found = await nodes[0].tell('fetch', 'tea');
    assert.deepEqual(found.map(({ user }) => user).sort(), ['ann', 'cy', 'dee']);
    assert(found.every(({ rooms }) => rooms.includes('tea')));
    assert.deepEqual(await nodes[1].tell('fetch', 'nowhere'), []);
}

// A node moves members of both into another room, and sends some away.
async function fromAfar() {
    await nodes[1].tell('move', 'tea', 'coffee');
    await poll(async () => (await nodes[0].tell('fetch', 'coffee')).length === 3);
    assert.deepEqual(await nodes[0].tell('fetch', 'tea'), []);
    if (sharded)
        await poll(async () => (await subscribed('socket.io#/#coffee#'))[0] === 2);
    await dee.ask('say', 'coffee', 'better');
    const better = ['said', 'dee', 'better'];
    await hears(nodes[1], { ann: [better], cy: [better] });
    const { id } = bob.socket;
    await nodes[1].tell('dismiss', 'büro');
    await poll(() => !bob.socket.connected);
    bob.socket.connect();
    await poll(() => bob.socket.connected && bob.socket.id !== id);
}

// The connections of all subscribers are cut: they come back, with all their subscriptions.
async function cutOff() {
    const cut = await admin.client('KILL', 'TYPE', 'pubsub');
    assert.equal(cut, nodes.length);
    await meeting(...nodes);
    await join('coffee', 2, ann, cy, dee);
    await ann.ask('say', 'coffee', 'still there?');
    const said = ['said', 'ann', 'still there?'];
    await hears(nodes[0], { cy: [said], dee: [said] });
    await cy.ask('say', 'coffee', everyByte);
    await hears(nodes[1], { ann: [['said', 'cy', everyByte]], dee: [['said', 'cy', everyByte]] });
}

// A process dies: those at the other one go on, the rest comes back by way of a new one.
async function restart() {
    await nodes[1].kill();
    await meeting(nodes[0]);
    await poll(() => !cy.socket.connected && !dee.socket.connected);
    await join('coffee', 1, bob);
    await ann.ask('say', 'coffee', 'who is left?');
    await poll(() => bob.heard.length > 0);
    assert.deepEqual(bob.overheard(), [['said', 'ann', 'who is left?']]);
    assert.deepEqual((await nodes[0].tell('askAll', deadlineMs, 'question', '?')).sort(),
        ['ann: ?', 'bob: ?']);
    assert.deepEqual(await nodes[0].tell('askServers'), []);

    nodes[1] = await new ChatNode().start();
    for (const member of [cy, dee])
        member.socket.io.uri = address(nodes[1]);
    await meeting(...nodes);
    await join('coffee', 2, cy, dee);
    await dee.ask('say', 'coffee', 'back');
    const back = ['said', 'dee', 'back'];
    await hears(nodes[1], { ann: [back], bob: [back], cy: [back] });
    assert.equal((await nodes[1].tell('fetch', 'coffee')).length, 4);
}

// When everybody is gone, so are their subscriptions.
async function closing() {
    everybody().forEach(member => member.socket.disconnect());
    await Promise.all(nodes.map(node => node.kill()));
    const list = sharded ? 'SHARDCHANNELS' : 'CHANNELS';
    await poll(async () => (await admin.pubsub(list)).length === 0);
    assert.equal(await admin.pubsub('NUMPAT'), 0);
}

await admin.flushall();
await meeting(...nodes);
const tests = [rooms, broadcasts, namespaces, binary, order, acknowledgements, betweenServers,
    fetching, fromAfar, cutOff, restart, closing];
for (const test of tests) {
    await test();
    console.log(`  ${test.name}`);
}
await admin.quit();
const { version } = require('socket.io/package.json');
console.log(`npm socket.io ${version}, ${kind} adapter on ${name}: ${tests.length} checks`);
