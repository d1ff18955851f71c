import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { ApiSession, ErrorCode } from '@vibe/contracts';
import { WebSocketServer } from 'ws';
import { MockSessions } from './mock-sessions';
import { serveShell } from './mock-shell';

/**
 * The built pages in front of an imagined service, to look at them without a Swarm: `pnpm dev:mock`, then
 * http://localhost:3100/terminal/. A script sets a scene by POST to /mock/session (part of a session with its id),
 * /mock/refuse ({"call": "open", "status", "code", "message", "retry_after"}; an empty object ends it) and /mock/drop (cuts all sockets).
 */
const PORT = Number(process.env.PORT ?? 3100);
const DIST = join(import.meta.dirname, '../dist');
const AUTH_TOKEN = Buffer.from('vibe:only-for-looking-at-pages').toString('base64');
const MAX_SESSIONS = 3;
const types: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };

interface Refusal { readonly call?: string; readonly status?: number; readonly code?: ErrorCode; readonly message?: string; readonly retry_after?: number; readonly details?: unknown }

const sessions = new MockSessions(Number(process.env.STEP_MS ?? 800));
const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'tty' });
let refusal: Refusal = {};

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, { status = 503, code = 'unavailable', message = 'Not now.', retry_after: retryAfter, details }: Refusal): void {
  answer(response, status, { error: { code, message, details } }, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
}

/** The policy the gateway sets: no script and no address but our own. xterm.js writes style elements, so the terminal page allows them. */
function sendPage(response: ServerResponse, file: string): void {
  const path = join(DIST, file);
  if (!existsSync(path)) {
    response.writeHead(404).end('Not found');
    return;
  }
  const style = file === 'terminal.html' ? "'self' 'unsafe-inline'" : "'self'";
  response.writeHead(200, {
    'content-type': types[file.split('.').pop() ?? ''] ?? 'application/octet-stream',
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src ${style}; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  });
  createReadStream(path).pipe(response);
}

function sendEvents(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (event: string, data: unknown): void => {
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  send('sessions', { sessions: sessions.list() });
  request.on('close', sessions.listen(send));
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function takesPlace({ state }: ApiSession): boolean {
  return !['failed', 'lost', 'deleting'].includes(state);
}

function openAnswer(response: ServerResponse, session: ApiSession): void {
  if (session.state === 'lost' || session.state === 'failed') {
    refuse(response, { status: 410, code: 'gone', message: session.reason ?? 'It is gone.' });
    return;
  }
  const opened = sessions.open(session);
  if (opened.state !== 'running') answer(response, 202, { session: opened });
  else answer(response, 200, { session: opened, terminal: { path: `/ttyd/${opened.id}/g${String(opened.generation)}/ws`, auth_token: AUTH_TOKEN } });
}

async function serveApi(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  const [, , first, id, verb] = path.split('/');
  const call = verb ?? (request.method === 'POST' ? 'create' : (first ?? ''));
  if (refusal.call === call) {
    refuse(response, refusal);
    return;
  }
  if (first === 'me') {
    answer(response, 200, { user_id: 'ann', is_admin: false, limits: { max_sessions: MAX_SESSIONS, idle_timeout_minutes: 120, hibernated_ttl_days: 7 } });
    return;
  }
  if (id === 'events') {
    sendEvents(request, response);
    return;
  }
  const body = await readJson(request);
  const name = typeof body.name === 'string' ? body.name : undefined;
  if (id === undefined) {
    const taken = sessions.list().filter(takesPlace);
    if (request.method !== 'POST') answer(response, 200, { sessions: sessions.list() });
    else if (taken.length >= MAX_SESSIONS) refuse(response, { status: 409, code: 'quota_exceeded', message: `you have ${String(taken.length)} of ${String(MAX_SESSIONS)} sessions`, details: { max: MAX_SESSIONS, sessions: taken } });
    else answer(response, 201, sessions.create(name));
    return;
  }
  const session = sessions.get(id);
  if (session === undefined) refuse(response, { status: 404, code: 'not_found', message: 'there is no such session' });
  else if (verb === 'open') openAnswer(response, session);
  else if (verb === 'hibernate') answer(response, 202, sessions.hibernate(session));
  else if (request.method === 'DELETE') answer(response, 202, sessions.remove(session));
  else if (request.method === 'PATCH') answer(response, 200, sessions.rename(id, name ?? session.name));
  else answer(response, 200, session);
}

async function setScene(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  const body = await readJson(request);
  if (path === '/mock/session') sessions.put(body as { id: string });
  else if (path === '/mock/refuse') refusal = body;
  else for (const socket of sockets.clients) socket.terminate();
  answer(response, 200, {});
}

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://mock').pathname;
  if (path.startsWith('/api/')) void serveApi(request, response, path);
  else if (path.startsWith('/mock/')) void setScene(request, response, path);
  else if (path === '/terminal/') sendPage(response, 'index.html');
  else if (/^\/terminal\/[a-z0-9]{26}$/u.test(path)) sendPage(response, 'terminal.html');
  else if (path.startsWith('/terminal/assets/')) sendPage(response, path.slice('/terminal/'.length));
  else if (path === '/') response.writeHead(302, { location: '/terminal/' }).end();
  else response.writeHead(404).end('Not found');
});
server.on('upgrade', (request, socket, head) => {
  const [, , id, generation] = (request.url ?? '').split('/');
  const session = sessions.get(id ?? '');
  if (session?.state !== 'running' || `g${String(session.generation)}` !== generation) {
    socket.destroy();
    return;
  }
  sockets.handleUpgrade(request, socket, head, (open) => {
    serveShell(open, AUTH_TOKEN);
  });
});
server.listen(PORT, '127.0.0.1', () => {
  console.log(`http://localhost:${String(PORT)}/terminal/`);
});
