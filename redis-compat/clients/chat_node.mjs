// SPDX-License-Identifier: BSD-3-Clause
// One process of the chat room that chat_room.mjs tests: a socket.io server whose adapter talks to
// the others through the server under test. The parent process tells it what to do.
//
//   node chat_node.mjs ADAPTER PACKAGE PORT      ADAPTER: pubsub or sharded
import { createRequire } from 'node:module';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';

const [kind, name, port] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const maxMessageBytes = 8000000;
const retryMs = 20;
const deadlineMs = 30000;

// One connection publishes, the other one is subscribed.
function ioredisClients() {
    const { Redis } = require(name);
    const publisher = new Redis({ host: '127.0.0.1', port, retryStrategy: () => retryMs });
    return [publisher, publisher.duplicate()];
}

async function nodeRedisClients() {
    const { createClient } = require(name);
    const publisher = createClient({
        socket: { host: '127.0.0.1', port: Number(port), reconnectStrategy: () => retryMs },
        // The five seconds that commands may wait by default are few on a busy machine.
        commandOptions: { timeout: deadlineMs },
    });
    const clients = [publisher, publisher.duplicate()];
    clients.forEach(client => client.on('error', () => {}));
    await Promise.all(clients.map(client => client.connect()));
    return clients;
}

const clients = name.startsWith('ioredis') ? ioredisClients() : await nodeRedisClients();
clients.forEach(client => client.on('error', () => {}));
const create = kind === 'sharded' ? createShardedAdapter : createAdapter;
const adapter = create(...clients, { requestsTimeout: deadlineMs });
const io = new Server(0, { adapter, maxHttpBufferSize: maxMessageBytes });
const notes = [];

io.on('connection', socket => {
    const { user } = socket.handshake.auth;
    socket.data.user = user;
    socket.on('join', async (room, done) => {
        await socket.join(room);
        done();
    });
    socket.on('say', (room, content, done) => {
        socket.to(room).emit('said', user, content);
        done();
    });
    socket.on('shout', (content, done) => {
        socket.broadcast.emit('shouted', user, content);
        done();
    });
});
io.of('/staff').on('connection', () => {});
io.on('note', note => notes.push(note));
io.on('users', done => done([...io.sockets.sockets.values()].map(socket => socket.data.user)));

// What the parent may ask for; the answers go back to it.
const orders = {
    emit: (...args) => void io.emit(...args),
    emitTo: (room, ...args) => void io.to(room).emit(...args),
    emitToStaff: (...args) => void io.of('/staff').emit(...args),
    emitMany: (room, count) => {
        for (let i = 0; i < count; i++)
            io.to(room).emit('said', 'node', i);
    },
    askAll: (timeoutMs, ...args) => io.timeout(timeoutMs).emitWithAck(...args),
    tellServers: note => void io.serverSideEmit('note', note),
    askServers: () => io.serverSideEmitWithAck('users'),
    notes: () => notes.splice(0),
    fetch: async room => (await io.in(room).timeout(deadlineMs).fetchSockets())
        .map(({ data, rooms }) => ({ user: data.user, rooms: [...rooms] })),
    move: (from, to) => {
        io.in(from).socketsJoin(to);
        io.in(from).socketsLeave(from);
    },
    dismiss: room => void io.in(room).disconnectSockets(true),
};

process.on('message', async ({ id, order, args }) => {
    try {
        process.send({ id, value: await orders[order](...args) });
    } catch (error) {
        process.send({ id, error: error.message });
    }
});
process.on('disconnect', () => process.exit());

const { uid, requestChannel, channel, specificResponseChannel, responseChannel } =
    io.of('/').adapter;
process.send({
    uid,
    httpPort: io.httpServer.address().port,
    shared: requestChannel ?? channel,
    own: specificResponseChannel ?? responseChannel,
});
