import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One call to a fake Engine, taken apart. */
export interface EngineCall {
  readonly method: string;
  /** Without the version. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** What JSON came with it, or undefined. */
  readonly body: unknown;
  /** What X-Registry-Auth said, or null without one. */
  readonly auth: RegistryAuth | null;
  readonly response: ServerResponse;
}

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
}

export interface Route {
  readonly method: string;
  /** Of the whole path without the version; its groups are handed on. */
  readonly path: RegExp;
  /** The query's names that it knows. */
  readonly query?: readonly string[];
  /** Answers by `reply`, or throws an EngineRefusal. */
  readonly handle: (call: EngineCall, ...groups: string[]) => void | Promise<void>;
}

/** What an Engine refuses, with its status. */
export class EngineRefusal extends Error {
  override readonly name = 'EngineRefusal';
  constructor(
    readonly status: number,
    message: string,
    /** True when the call was right, and what it named was not there. */
    readonly isByState = false,
  ) {
    super(message);
  }
}

/** A call that is held before it does anything. */
export interface HeldCall {
  /** Resolves when such a call has come. */
  readonly reached: Promise<void>;
  /** Lets it go on. */
  release(): void;
  /** Answers it with this status instead: it does nothing. */
  fail(status: number): void;
}

export function reply({ response }: EngineCall, status: number, body?: unknown): void {
  response.writeHead(status, body === undefined ? {} : { 'content-type': 'application/json' });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

const AUTH_KEYS = new Set(['username', 'password', 'serveraddress']);

function parseAuth(header: string | undefined): RegistryAuth | null {
  if (header === undefined) return null;
  const said = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
  const strange = Object.keys(said).filter((key) => !AUTH_KEYS.has(key));
  if (strange.length > 0) throw new EngineRefusal(400, `X-Registry-Auth holds ${strange.join(', ')}: that is no login`);
  return said;
}

async function parseBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}

/**
 * The HTTP side of one fake Engine: finds the route of a call, refuses what it does not know (501, and remembered in
 * `unknown`), holds calls on demand, can be unreachable.
 */
export class EngineHttp {
  /** `GET /containers/json?all=true`, in order, without the version. */
  readonly calls: string[] = [];
  /** Calls that no route knows, or with a query or body that the real one would not take. A test with such a call is wrong. */
  readonly unknown: string[] = [];
  port = 0;
  private readonly held: { calls: RegExp; take: (call: EngineCall) => Promise<'go on' | 'answered'> }[] = [];
  private readonly sockets = new Set<Socket>();
  private servers: Server[] = [];

  constructor(
    /** `1.44`: calls must name this version, or none where a real Engine is asked without one. */
    private readonly apiVersion: string,
    private readonly routes: readonly Route[],
    /** Where it listens besides its port: a path for a socket, as an Engine's own. */
    private readonly socketPath: string,
  ) {}

  /** Holds the next call that matches `POST /commit?…`. */
  hold(calls: RegExp): HeldCall {
    let decide: (decision: 'go on' | number) => void = () => undefined;
    let arrive: () => void = () => undefined;
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    const decided = new Promise<'go on' | number>((resolve) => (decide = resolve));
    this.held.push({
      calls,
      take: async (call) => {
        arrive();
        const decision = await decided;
        if (decision === 'go on') return 'go on';
        reply(call, decision, { message: 'a fault of this test' });
        return 'answered';
      },
    });
    return { reached, release: () => decide('go on'), fail: (status) => decide(status) };
  }

  /** The next call that matches does its work, and its caller never hears of it: the connection is cut. Resolves when that was. */
  loseReply(calls: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.held.push({
        calls,
        take: async ({ response }) => {
          const lose = () => {
            response.destroy();
            resolve();
            return response;
          };
          Object.assign(response, { writeHead: () => response, write: () => true, end: lose });
          return 'go on';
        },
      });
    });
  }

  async listen(): Promise<void> {
    if (this.servers.length > 0) return;
    const onPort = this.createServer().listen(this.port, '127.0.0.1');
    const onSocket = this.createServer().listen(this.socketPath);
    this.servers = [onPort, onSocket];
    await Promise.all(this.servers.map((server) => once(server, 'listening')));
    this.port = (onPort.address() as AddressInfo).port;
  }

  private createServer(): Server {
    const server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    return server;
  }

  /** Nobody listens any more, and every open call is cut off. */
  async close(): Promise<void> {
    const closed = this.servers.splice(0).map(async (server) => {
      server.close();
      await once(server, 'close');
    });
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://engine');
    const method = request.method ?? 'GET';
    const versioned = /^\/v([\d.]+)(\/.*)$/.exec(url.pathname);
    const path = versioned?.[2] ?? url.pathname;
    const name = `${method} ${path}${decodeURIComponent(url.search)}`;
    this.calls.push(name);
    try {
      const call: EngineCall = { method, path, query: url.searchParams, body: await parseBody(request), auth: parseAuth(request.headers['x-registry-auth'] as string | undefined), response };
      const isVersionRight = versioned ? versioned[1] === this.apiVersion : path === '/version';
      const route = this.routes.find((candidate) => candidate.method === method && candidate.path.test(path));
      const strange = [...url.searchParams.keys()].filter((key) => !(route?.query ?? []).includes(key));
      if (!route || !isVersionRight || strange.length > 0) {
        this.unknown.push(`${request.method} ${request.url}`);
        return reply(call, 501, { message: `the fake Engine does not know ${request.method} ${request.url}` });
      }
      const holding = this.held.findIndex((candidate) => candidate.calls.test(name));
      if (holding >= 0 && (await this.held.splice(holding, 1)[0]?.take(call)) === 'answered') return;
      await route.handle(call, ...(route.path.exec(path)?.slice(1) ?? []));
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error;
      if (error.status === 400 && !error.isByState) this.unknown.push(`${name}: ${error.message}`);
      response.writeHead(error.status, { 'content-type': 'application/json' }).end(JSON.stringify({ message: error.message }));
    }
  }
}
