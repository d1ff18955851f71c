import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { SessionRecord } from '@vibe/contracts';
import { newSessionId, sessionRecordSchema, terminalSocketOf } from '@vibe/contracts';
import type { AuthMode } from '@vibe/identity';
import { SIGN_IN_COOKIE, createTokens } from '@vibe/identity';
import { createMetrics, silentLogger } from '@vibe/platform';
import type { Logger, Registry } from '@vibe/platform';
import WebSocket from 'ws';
import { createGateway } from '../src/gateway';
import type { SessionReader } from '../src/terminal-access';

export const OURS = 'https://vibe.localhost';
export const AUTH_KEY = 'a'.repeat(64);
export const TERMINAL_KEY = 't'.repeat(64);

const tokens = createTokens({ key: AUTH_KEY });
export const tokenOf = (userId: string): string => tokens.sign({ userId, roles: [] }, 60);
export const cookieOf = (userId: string): string => `${SIGN_IN_COOKIE}=${tokenOf(userId)}`;

/** Every name leads to this machine: what the overlay's DNS does for tasks. */
export const everyNameIsLocal: LookupFunction = (_name, options, callback) => {
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};

/** A session's record as it is while it runs, with changes. */
export function runningSession(changes: Partial<Record<keyof SessionRecord, unknown>> = {}): SessionRecord {
  const id = (changes.id as string | undefined) ?? newSessionId();
  return sessionRecordSchema.parse({
    id,
    user_id: 'ada',
    name: 'work',
    state: 'running',
    rev: 2,
    gen: 1,
    created_at: 1,
    last_activity: 1,
    state_since: 1,
    task_name: `session-${id}.1.task1`,
    base_image: 'registry:5000/vibe-terminal',
    ...changes,
  });
}

/** Records in memory. */
export class MemorySessions implements SessionReader {
  readonly records = new Map<string, SessionRecord>();
  areWhole = true;
  fault: Error | undefined;

  add(record: SessionRecord): SessionRecord {
    this.records.set(record.id, record);
    return record;
  }

  async get(id: string): Promise<SessionRecord | null> {
    if (this.fault) throw this.fault;
    return this.records.get(id) ?? null;
  }

  async areRecordsWhole(): Promise<boolean> {
    return this.areWhole;
  }
}

export interface FrontDoor {
  readonly port: number;
  readonly sessions: MemorySessions;
  readonly registry: Registry;
  readonly stop: AbortController;
  readonly closeSockets: () => Promise<void>;
  close(): Promise<void>;
}

/** A gateway on a free port, with records in memory unless given. */
export async function openFrontDoor(options: { mode?: AuthMode; ttydPort?: number; sessions?: SessionReader; lookup?: LookupFunction; handshakeLimitMs?: number; logger?: Logger } = {}): Promise<FrontDoor> {
  const sessions = new MemorySessions();
  const stop = new AbortController();
  const registry = createMetrics({ service: 'gateway', isProcessMeasured: false });
  const { http, fallback } = createGateway({
    sessions: options.sessions ?? sessions,
    checks: {},
    web: { list: '<title>list</title>', terminal: '<title>terminal</title>', assets: __dirname },
    mode: options.mode ?? 'dev',
    publicHost: 'vibe.localhost',
    authKey: AUTH_KEY,
    terminalKey: TERMINAL_KEY,
    logger: options.logger ?? silentLogger,
    registry,
    stopping: stop.signal,
    terminals: { lookup: options.lookup ?? everyNameIsLocal, port: options.ttydPort ?? 1, handshakeLimitMs: options.handshakeLimitMs ?? 2_000 },
  });
  const port = await http.listen(0);
  const close = async (): Promise<void> => {
    await fallback.closeAll();
    await http.close(100);
  };
  return { port, sessions, registry, stop, closeSockets: () => fallback.closeAll(), close };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request whose path goes out exactly as given. */
export function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers: options.headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.once('error', reject).end(options.body);
  });
}

/** Posts a form as a browser does from the page at `origin` (none: no Origin header). */
export function postForm(port: number, path: string, fields: Record<string, string>, headers: Record<string, string> = { origin: OURS }): Promise<Answer> {
  return ask(port, path, { method: 'POST', body: new URLSearchParams(fields).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } });
}

/** Opens a terminal's socket through the gateway; resolves with the socket and the handshake's headers, or with the refusal. */
export function openSocket(port: number, path: string, headers: Record<string, string>): Promise<{ socket: WebSocket; headers: IncomingHttpHeaders } | { status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, ['tty'], { headers });
    let answered: IncomingHttpHeaders = {};
    socket.once('upgrade', (response) => (answered = response.headers));
    socket.once('open', () => resolve({ socket, headers: answered }));
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('close', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    socket.once('error', reject);
  });
}

export const socketOf = (record: SessionRecord, gen = record.gen): string => terminalSocketOf(record.id, gen);
