import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import type { Lab } from '../src/lab';

/** The Engine answered with an error. */
export class EngineRefused extends Error {
  constructor(call: string, status: number, body: string) {
    super(`the Engine answered ${call} with ${status}: ${body.trim().slice(0, 400)}`);
    this.name = 'EngineRefused';
  }
}

/**
 * The Engine API of a lab node, without the time that its command line takes to start: a socket of this machine whose
 * other end is `docker system dial-stdio` in the node.
 */
export class NodeEngine {
  private constructor(
    private readonly folder: string,
    private readonly server: Server,
    private readonly pool: Pool,
  ) {}

  static async connect(lab: Lab, node: string): Promise<NodeEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'vibe-bench-'));
    const socketPath = join(folder, 'engine.sock');
    const server = createServer((socket) => {
      const dial = lab.start(node, 'docker', 'system', 'dial-stdio');
      socket.pipe(dial.stdin);
      dial.stdout.pipe(socket);
      // Either end may go first; both go then.
      for (const stream of [socket, dial.stdin, dial.stdout]) stream.on('error', () => socket.destroy());
      socket.on('close', () => dial.kill());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, resolve);
    });
    const engine = new NodeEngine(folder, server, new Pool('http://engine', { socketPath, connections: 4, keepAliveTimeout: 600_000, keepAliveMaxTimeout: 600_000, bodyTimeout: 0, headersTimeout: 0 }));
    await engine.call('GET', '/_ping');
    return engine;
  }

  /** One call; the body is read to its end. Throws EngineRefused. */
  async call(method: 'GET' | 'POST' | 'DELETE', path: string, options: { readonly json?: unknown; readonly headers?: Readonly<Record<string, string>> } = {}): Promise<string> {
    const { statusCode, body } = await this.pool.request({
      method,
      path,
      headers: { ...(options.json === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
    });
    const text = await body.text();
    if (statusCode >= 400) throw new EngineRefused(`${method} ${path}`, statusCode, text);
    return text;
  }

  /** The Engine's events from now on, one JSON object each, until the connection is closed. */
  async *events(filters: Readonly<Record<string, readonly string[]>>): AsyncGenerator<EngineEvent> {
    const { body } = await this.pool.request({ method: 'GET', path: `/events?filters=${encodeURIComponent(JSON.stringify(filters))}` });
    let rest = '';
    for await (const chunk of body.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as EngineEvent;
    }
  }

  async close(): Promise<void> {
    await this.pool.destroy();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface EngineEvent {
  readonly Action: string;
  readonly timeNano: number;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}
