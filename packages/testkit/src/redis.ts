import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis of its own for one test file. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  /** Where its append-only file lives, for tests that damage it. */
  readonly dir: string;
  /** Ends it with SIGTERM and removes its directory. Safe to repeat. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL; its data stays for `restart`. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data; ends it first where it still runs. */
  restart(): Promise<void>;
  /** It keeps its connections and answers nothing (SIGSTOP), until `speak`. */
  silence(): void;
  speak(): void;
  /** Takes no more writes, as when its memory is used up; with `isFull` false it takes them again. */
  fill(isFull: boolean): Promise<void>;
  /** Removes every key. */
  flush(): Promise<void>;
}

const START_LIMIT_MS = 60_000;
const PORT_TRIES = 5;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Spawns redis-server and resolves when it says that it takes connections; rejects with all it printed when it ends before. */
async function spawnRedis(program: string, port: number, dir: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(
    program,
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  child.once('close', () => process.removeListener('exit', endWithUs));

  await new Promise<void>((resolve, reject) => {
    let printed = '';
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`redis-server took no connections within ${START_LIMIT_MS} ms:\n${printed}`));
    }, START_LIMIT_MS);
    const read = (chunk: Buffer) => {
      if (printed.length < 20_000) printed += chunk.toString();
      if (printed.includes('Ready to accept connections')) {
        clearTimeout(limit);
        resolve();
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      reject(cause.code === 'ENOENT' ? new Error('redis-server is missing: apt-get install redis-server', { cause }) : cause);
    });
    child.once('close', () => {
      clearTimeout(limit);
      reject(new Error(`redis-server ended before it took connections:\n${printed}`));
    });
  });
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.kill(signal);
  child.kill('SIGCONT'); // a silent one hears no other signal but SIGKILL
  await ended;
}

/**
 * Starts a real redis-server on a free port of the loopback, set up as ours is in production (append-only file, every write
 * synced, nothing evicted), with its data in a directory of its own.
 * @param options.args more arguments of redis-server, such as `['--maxmemory', '2mb']`
 * @param options.program the redis-server to run, found on PATH by default
 * @throws when redis-server is not installed, with the cure in the message
 */
export async function startRedis(options: { args?: readonly string[]; program?: string } = {}): Promise<TestRedis> {
  const program = options.program ?? 'redis-server';
  const args = options.args ?? [];
  const dir = await mkdtemp(join(tmpdir(), 'vibe-redis-'));
  let port = 0;
  let child: ChildProcess | undefined;
  for (let tries = 1; child === undefined; tries += 1) {
    port = await freePort();
    try {
      child = await spawnRedis(program, port, dir, args);
    } catch (error) {
      // Another process may have taken the port between our look and redis-server's bind.
      if (tries < PORT_TRIES && String(error).includes('in use')) continue;
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }
  let running = child;
  const url = `redis://127.0.0.1:${port}`;
  const ask = async (command: (client: Redis) => Promise<unknown>): Promise<void> => {
    const client = new Redis(url, { maxRetriesPerRequest: 1, lazyConnect: true });
    client.on('error', () => undefined); // the call below says it
    try {
      await command(client);
    } finally {
      client.disconnect();
    }
  };

  return {
    url,
    port,
    dir,
    async stop() {
      await end(running, 'SIGTERM');
      await rm(dir, { recursive: true, force: true });
    },
    kill: () => end(running, 'SIGKILL'),
    async restart() {
      await end(running, 'SIGTERM');
      running = await spawnRedis(program, port, dir, args);
    },
    silence: () => void running.kill('SIGSTOP'),
    speak: () => void running.kill('SIGCONT'),
    fill: (isFull) => ask((client) => client.config('SET', 'maxmemory', isFull ? 1 : 0)),
    flush: () => ask((client) => client.flushall()),
  };
}
