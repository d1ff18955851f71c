import { once } from 'node:events';
import { connect } from 'node:net';
import { terminalCredential } from '@vibe/identity';
import type { LookupFunction } from 'node:net';
import type { FrontDoor } from './front-door';
import { OURS, TERMINAL_KEY, cookieOf, everyNameIsLocal, openFrontDoor, openSocket, runningSession, socketOf, tokenOf } from './front-door';
import type { TtydStandIn } from './ttyd-stand-in';
import { startTtyd } from './ttyd-stand-in';

describe('the road to a terminal that Traefik does not know yet', () => {
  const session = runningSession();
  const asAda = { cookie: cookieOf('ada'), origin: OURS };
  const names: string[] = [];
  const lookup: LookupFunction = (name, options, callback) => {
    names.push(name);
    everyNameIsLocal(name, options, callback);
  };
  let ttyd: TtydStandIn;
  let door: FrontDoor;

  beforeEach(async () => {
    ttyd = await startTtyd(() => terminalCredential(TERMINAL_KEY, session.id, session.gen).basic);
    door = await openFrontDoor({ ttydPort: ttyd.port, lookup, handshakeLimitMs: 300 });
    door.sessions.add(session);
    names.length = 0;
  });
  afterEach(async () => {
    await door.close();
    await ttyd.stop();
  });

  const open = async (headers: Record<string, string> = asAda, path = socketOf(session)) => {
    const result = await openSocket(door.port, path, headers);
    if (!('socket' in result)) throw new Error(`refused with ${result.status}`);
    return result;
  };
  const refusal = async (headers: Record<string, string> = asAda, path = socketOf(session)) => {
    const result = await openSocket(door.port, path, headers);
    if ('socket' in result) throw new Error('it was opened');
    return result;
  };
  const count = async (outcome: string): Promise<number> => {
    const metric = await door.registry.getSingleMetric('vibe_gateway_upgrades_total')?.get();
    return metric?.values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
  };

  it('carries bytes both ways, to the task by its own name', async () => {
    const { socket, headers } = await open();
    expect([socket.protocol, headers['x-vibe-route']]).toEqual(['tty', 'fallback']);
    socket.send('{"AuthToken":"x"}');
    expect(String((await once(socket, 'message'))[0])).toBe('0$ ');
    const long = `0${'é'.repeat(200_000)}`;
    socket.send(Buffer.from(long));
    expect(String((await once(socket, 'message'))[0])).toBe(long);
    expect(names).toEqual([`session-${session.id}.1.task1`]);
    socket.terminate();
  });

  it('shows the container its own credential and nothing of the person', async () => {
    const { socket } = await open({ ...asAda, 'x-forwarded-for': '1.2.3.4', 'x-secret': 'yes' });
    const seen = ttyd.seen[0];
    expect(seen?.url).toBe(socketOf(session));
    expect(Object.keys(seen?.headers ?? {}).sort()).toEqual(['authorization', 'connection', 'host', 'sec-websocket-extensions', 'sec-websocket-key', 'sec-websocket-protocol', 'sec-websocket-version', 'upgrade']);
    socket.terminate();
    const script = await open({ authorization: `Bearer ${tokenOf('ada')}` });
    expect(ttyd.seen[1]?.headers.authorization).toBe(terminalCredential(TERMINAL_KEY, session.id, 1).basic);
    script.socket.terminate();
  });

  it('lets a container set nothing on our origin', async () => {
    ttyd.manner = 'hostile-headers';
    const { socket, headers } = await open();
    expect(headers).not.toHaveProperty('set-cookie');
    expect(headers).not.toHaveProperty('service-worker-allowed');
    expect(headers).not.toHaveProperty('location');
    expect(headers['x-vibe-route']).toBe('fallback');
    expect(headers['content-security-policy']).toBe('sandbox');
    socket.terminate();
  });

  it.each([
    ['nobody', {}, 401],
    ['another site', { cookie: cookieOf('ada'), origin: 'https://evil.example' }, 403],
    ['a cookie without Origin', { cookie: cookieOf('ada') }, 403],
    ['another user', { cookie: cookieOf('eve'), origin: OURS }, 404],
  ])('is closed to %s, without a word', async (_who, headers, status) => {
    expect(await refusal(headers)).toMatchObject({ status, body: '' });
    expect([ttyd.seen.length, await count('refused')]).toEqual([0, 1]);
  });

  it('leads to the running generation alone', async () => {
    expect((await refusal(asAda, socketOf(session, 2))).status).toBe(404);
    door.sessions.add({ ...session, state: 'hibernating' });
    expect((await refusal()).status).toBe(404);
    expect(ttyd.seen).toHaveLength(0);
  });

  it.each(['/', '/terminal/', '/ttyd/', '/ttyd/x/ws', '/auth/terminal', '/api/sessions/events'])('refuses an upgrade of %s', async (path) => {
    expect(await refusal(asAda, path)).toMatchObject({ status: 404, body: '' });
  });

  it('refuses an upgrade to anything but a WebSocket', async () => {
    const socket = connect(door.port, '127.0.0.1');
    socket.write(`GET ${socketOf(session)} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nCookie: ${asAda.cookie}\r\nOrigin: ${OURS}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /);
    await once(socket, 'close');
    expect(await count('unclaimed')).toBe(1);
  });

  it.each(['html', 'dies', 'silent'] as const)('says 502 and nothing more when the container answers like this: %s', async (manner) => {
    ttyd.manner = manner;
    const answer = await refusal();
    expect([answer.status, answer.body, answer.headers['set-cookie']]).toEqual([502, '', undefined]);
    expect(await count('unreachable')).toBe(1);
  });

  it('says 502 when there is no such container', async () => {
    const nobody: LookupFunction = (name, _options, callback) => callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }), '', 4);
    const other = await openFrontDoor({ lookup: nobody });
    other.sessions.add(session);
    expect(await openSocket(other.port, socketOf(session), asAda)).toMatchObject({ status: 502, body: '' });
    await other.close();
  });

  it('says 503 and when to come back while Redis is away', async () => {
    door.sessions.fault = new Error('Connection is closed.');
    const answer = await refusal();
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
  });

  it("ends the browser's socket when the container's ends", async () => {
    const { socket } = await open();
    ttyd.cut();
    await once(socket, 'close');
    await noSocketIsOpen();
  });

  it("ends the container's socket when the browser vanishes", async () => {
    const { socket } = await open();
    const closed = ttyd.closed();
    socket.terminate();
    await closed;
    await noSocketIsOpen();
  });

  it('lets go of a container that is silent', async () => {
    ttyd.manner = 'silent';
    const refused = refusal();
    while (ttyd.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([ttyd.closed(), refused]);
  });

  it('closes every socket when the gateway stops, and opens no more', async () => {
    const { socket } = await open();
    const closed = once(socket, 'close');
    door.stop.abort();
    await door.closeSockets();
    await closed;
    expect((await refusal()).status).toBe(503);
    await noSocketIsOpen();
  });

  /** Waits until the gateway has seen the end of all sockets it opened. */
  const noSocketIsOpen = async (): Promise<void> => {
    const gauge = door.registry.getSingleMetric('vibe_gateway_open_sockets');
    while ((await gauge?.get())?.values[0]?.value !== 0) await new Promise((resolve) => setImmediate(resolve));
  };
});
