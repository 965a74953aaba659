// SPDX-License-Identifier: BSD-3-Clause
// A client that finds its primary through Sentinel and keeps writing while that changes: for
// redis-compat/replication/sentinel.py.
//
//   node sentinel_ioredis.mjs PACKAGE NAME SENTINEL_PORT...
//
// Prints the number of each write that a replica has acknowledged, as soon as that is known; ends when its
// standard input does. PACKAGE is ioredis, or the name that package.json gives an older version of it.
import { createRequire } from 'node:module';

const [name, primary, ...ports] = process.argv.slice(2);
const { Redis } = createRequire(import.meta.url)(name);
const waitMs = 1000;
const pauseMs = 5;

const client = new Redis({
    sentinels: ports.map(port => ({ host: '127.0.0.1', port: Number(port) })),
    name: primary,
    sentinelRetryStrategy: () => 50,
    retryStrategy: () => 50,
    // A write and its WAIT belong to one connection: none of them is sent again on another one.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
});
client.on('error', () => {});

let running = true;
process.stdin.on('end', () => { running = false; });
process.stdin.resume();

for (let number = 0; running; number++) {
    try {
        const replies = await client.pipeline().set(`${name}:${number}`, number).wait(1, waitMs).exec();
        const [[setError], [waitError, replicas]] = replies;
        if (!setError && !waitError && replicas >= 1)
            console.log(number);
    } catch {
        // The connection has gone; the next write goes to whoever is the primary then.
    }
    await new Promise(resolve => setTimeout(resolve, pauseMs));
}
client.disconnect();
