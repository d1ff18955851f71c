import { sessionSchema, newSessionId, sessionStates } from '@vibe/contracts';
import { keys, readAudit } from '@vibe/session-store';
import { type TestRedis, startRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { type ApiUnderTest, nodeReport, reportNodes, sessionIn, startApi, tokenOf } from '../test/api-under-test';

let server: TestRedis;
let redis: Redis;
let one: ApiUnderTest;
let two: ApiUnderTest;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  [one, two] = await Promise.all([startApi(server.url), startApi(server.url)]);
});
afterAll(async () => {
  await Promise.all([one.stop(), two.stop()]);
  await redis.quit();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  one.added.length = 0;
  two.added.length = 0;
  await one.parts.epoch.open();
  await reportNodes(one.parts, [nodeReport('n1'), nodeReport('n2')]);
});

describe('creating a session', () => {
  it('answers 201 with the session and where it is, and asks for its start', async () => {
    const { status, headers, json } = await one.call('ann', 'POST', '/api/sessions', { name: '  work ' });
    expect(status).toBe(201);
    expect(sessionSchema.parse(json)).toMatchObject({ name: 'work', state: 'creating', generation: 1, step: 'queued', terminal_url: `https://vibe.example/terminal/${json.id}` });
    expect(headers.get('location')).toBe(`/api/sessions/${json.id}`);
    expect(one.added).toEqual([{ queueName: 'swarm', name: 'start', payload: { session_id: json.id, rev: 1 } }]);
    expect(await readAudit(redis, 1)).toMatchObject([{ actor: 'user:ann', action: 'create', session: json.id }]);
  });

  it('names a session by the first free number when nobody else does', async () => {
    await one.call('ann', 'POST', '/api/sessions', {});
    await one.call('ann', 'POST', '/api/sessions', { name: 'Terminal 3' });
    const { json } = await one.call('ann', 'POST', '/api/sessions');
    expect(json.name).toBe('Terminal 2');
  });

  it('lets exactly three of a hundred parallel calls at two processes through, and names the three to the others', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? one : two).call('ann', 'POST', '/api/sessions', {})));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(97);
    expect(refused.at(-1)?.json.error).toMatchObject({ code: 'quota_exceeded', details: { max: 3, sessions: [{}, {}, {}] } });
    expect([...one.added, ...two.added]).toHaveLength(3);
    expect((await one.call('bob', 'POST', '/api/sessions', {})).status).toBe(201);
  });

  it('is refused with 503 and Retry-After when no node has room, be the places taken or promised', async () => {
    await reportNodes(one.parts, [nodeReport('n1', { memory_bytes: 1024 ** 3 }), nodeReport('n2', { is_manager: true })]);
    expect((await one.call('ann', 'POST', '/api/sessions', {})).status).toBe(201);
    expect((await one.call('bob', 'POST', '/api/sessions', {})).status).toBe(201);
    const { status, headers, json } = await one.call('cid', 'POST', '/api/sessions', {});
    expect([status, json.error.code]).toEqual([503, 'no_capacity']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await one.parts.store.listByUser('cid')).toEqual([]);
  });

  it('is refused while nothing is known of the Swarm', async () => {
    await redis.del(keys.swarmView);
    expect((await one.call('ann', 'POST', '/api/sessions', {})).json.error.code).toBe('no_capacity');
  });

  it('stands although its job could not be added: the reaper adds it again', async () => {
    one.failNextAdd();
    expect((await one.call('ann', 'POST', '/api/sessions', {})).status).toBe(201);
    expect(one.added).toEqual([]);
    expect(await one.parts.store.inWork(0, 10)).toHaveLength(1);
  });
});

describe('bad input gets one clear error and changes nothing', () => {
  it.each([
    ['bad JSON', '{"name":', {}, 400, 'bad_request'],
    ['an unknown field', { name: 'x', image: 'evil' }, {}, 400, 'bad_request'],
    ['an empty name', { name: '  ' }, {}, 400, 'bad_request'],
    ['a name of two lines', { name: 'a\nb' }, {}, 400, 'bad_request'],
    ['a list', [], {}, 400, 'bad_request'],
    ['text/plain', '{}', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a form', 'name=x', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['a foreign Origin', {}, { origin: 'https://evil.example' }, 403, 'forbidden_origin'],
    ['the Origin null', {}, { origin: 'null' }, 403, 'forbidden_origin'],
    ['no identity', {}, { authorization: '' }, 401, 'unauthenticated'],
    ['an identity by header', {}, { authorization: '', 'x-forwarded-user': 'ann' }, 401, 'unauthenticated'],
    ['a cookie without an Origin', {}, { authorization: '', cookie: '__Host-vibe=COOKIE' }, 403, 'forbidden_origin'],
    ['a body too large', { name: 'x'.repeat(100_000) }, {}, 413, 'payload_too_large'],
  ])('%s', async (_what, body, headers: Record<string, string>, status, code) => {
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('COOKIE', tokenOf('ann'))]));
    const answer = await one.call('ann', 'POST', '/api/sessions', body, sent);
    expect([answer.status, answer.json.error.code]).toEqual([status, code]);
    expect(await redis.exists(keys.moves)).toBe(0);
  });

  it('a method that the path does not know, and a path that is not there', async () => {
    const put = await one.call('ann', 'PUT', '/api/sessions', {});
    expect([put.status, put.json.error.code, put.headers.get('allow')]).toEqual([405, 'method_not_allowed', 'GET, POST']);
    expect((await one.call('ann', 'GET', '/api/nothing')).status).toBe(404);
  });
});

describe("somebody else's session", () => {
  const calls = [
    ['GET', '', undefined],
    ['PATCH', '', { name: 'mine' }],
    ['DELETE', '', undefined],
    ['POST', '/open', {}],
    ['POST', '/hibernate', {}],
  ] as const;

  it.each(calls)('is not there for %s …%s, exactly like an unknown or malformed id', async (method, path, body) => {
    const theirs = await sessionIn(one.parts, 'running', 'bob');
    const before = await one.parts.store.get(theirs.id);
    const answers = await Promise.all([theirs.id, newSessionId(), 'nonsense', theirs.id.toUpperCase(), '..%2f..'].map((id) => one.call('ann', method, `/api/sessions/${id}${path}`, body)));
    for (const { status, json } of answers) expect([status, json]).toEqual([404, answers[1]?.json]);
    expect(await one.parts.store.get(theirs.id)).toEqual(before);
  });

  it('is in no list but its own', async () => {
    await sessionIn(one.parts, 'running', 'bob');
    expect((await one.call('ann', 'GET', '/api/sessions')).json).toEqual({ sessions: [] });
  });
});

describe('opening a session', () => {
  const open = (id: string, at = one) => at.call('ann', 'POST', `/api/sessions/${id}/open`, {});

  it('that runs tells where its terminal is and counts as use', async () => {
    const { id } = await sessionIn(one.parts, 'running');
    await redis.hset(keys.session(id), 'last_activity', 1, 'activity_reason', 'cpu');
    const { status, json } = await open(id);
    expect(status).toBe(200);
    expect(json.terminal?.path).toBe(`/ttyd/${id}/g1/ws`);
    expect(Buffer.from(json.terminal?.auth_token ?? '', 'base64').toString()).toMatch(/^vibe:[\w-]{43}$/);
    expect(Date.parse(json.session.last_activity)).toBeGreaterThan(1);
    expect(json.session.idle).toEqual({ is_idle: false, reason: 'opened' });
  });

  it('that sleeps claims one wake, however many ask at once', async () => {
    const { id, rev } = await sessionIn(one.parts, 'hibernated');
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => open(id, i % 2 === 0 ? one : two)));
    for (const { status, json } of answers) expect([status, json.session.state, json.session.generation, json.terminal]).toEqual([202, 'waking', 2, undefined]);
    expect([...one.added, ...two.added]).toEqual([{ queueName: 'swarm', name: 'start', payload: { session_id: id, rev: rev + 1 } }]);
    expect(await one.parts.store.get(id)).toMatchObject({ gen: 2, wish_node: 'n1', step: 'queued' });
  });

  it('that sleeps wishes for no node when the one that holds it is full', async () => {
    const { id } = await sessionIn(one.parts, 'hibernated');
    await reportNodes(one.parts, [nodeReport('n1', { memory_bytes: 1 }), nodeReport('n2')]);
    await open(id);
    expect(await one.parts.store.get(id)).toMatchObject({ state: 'waking' });
    expect((await one.parts.store.get(id))?.wish_node).toBeUndefined();
  });

  it('that sleeps stays asleep, and says so, when no node has room', async () => {
    const { id } = await sessionIn(one.parts, 'hibernated');
    await reportNodes(one.parts, [nodeReport('n1', { memory_bytes: 1 })]);
    expect((await open(id)).json.error.code).toBe('no_capacity');
    expect((await one.parts.store.get(id))?.state).toBe('hibernated');
  });

  it('that is falling asleep cancels it: the record says running, and the idle clock starts anew', async () => {
    const { id, rev, gen } = await sessionIn(one.parts, 'hibernating');
    await redis.hset(keys.session(id), 'last_activity', 1, 'container_id', 'c');
    const { status, json } = await open(id);
    expect([status, json.session.state, json.terminal?.path]).toEqual([200, 'running', `/ttyd/${id}/g${gen}/ws`]);
    // Should its container have ended meanwhile, frozen or in line, its agent saves it.
    expect(await one.parts.store.get(id)).toMatchObject({ rev: rev + 1, gen, frozen_container: 'c' });
    expect(await one.parts.store.idleSince(60_000, 10)).toEqual([]);
  });

  it('whose container ended while it was frozen answers 202 until it is saved: there is nothing to thaw', async () => {
    const { id, rev } = await sessionIn(one.parts, 'hibernating');
    await one.parts.store.progress({ id, rev, set: { hibernate_reason: 'ended' } });
    const { status, json } = await open(id);
    expect([status, json.session.state, json.session.hibernate_reason]).toEqual([202, 'hibernating', 'ended']);
    expect((await one.parts.store.get(id))?.rev).toBe(rev);
  });

  it.each(['creating', 'waking'] as const)('that is %s answers 202 and asks for nothing more', async (state) => {
    const { id } = await sessionIn(one.parts, state);
    expect((await open(id)).status).toBe(202);
    expect(one.added).toEqual([]);
  });

  it.each(['lost', 'failed', 'deleting'] as const)('that is %s answers 410 with the reason', async (state) => {
    const { id } = await sessionIn(one.parts, state);
    const { status, json } = await open(id);
    expect([status, json.error.code, json.error.details.state]).toEqual([410, 'gone', state]);
    if (state !== 'deleting') expect(json.error.message).toBe(`made ${state}`);
  });
});

describe('putting a session to sleep and deleting it', () => {
  it('goes to the node that holds it, once', async () => {
    const { id, rev } = await sessionIn(one.parts, 'running');
    const first = await one.call('ann', 'POST', `/api/sessions/${id}/hibernate`, {});
    const again = await two.call('ann', 'POST', `/api/sessions/${id}/hibernate`);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(first.json).toMatchObject({ state: 'hibernating', hibernate_reason: 'asked' });
    expect([...one.added, ...two.added]).toEqual([{ queueName: 'node-n1', name: 'hibernate', payload: { session_id: id, rev: rev + 1 } }]);
  });

  it('waits while the store of sleeping sessions is cleaned, and says so (F10)', async () => {
    const { id, rev } = await sessionIn(one.parts, 'running');
    await redis.hset(keys.collection, { run: 'aaaaaaaa', started_at: (await one.parts.store.now()) - 40_000 });
    const { status, headers, json } = await one.call('ann', 'POST', `/api/sessions/${id}/hibernate`, {});
    expect([status, headers.get('retry-after'), json.error.code, json.error.details]).toEqual([503, '30', 'unavailable', { cleaning_since_s: 40 }]);
    expect(json.error.message).toContain('is being cleaned');
    expect(await one.parts.store.get(id)).toMatchObject({ state: 'running', rev });
  });

  it.each(sessionStates)('from %s: only what runs or sleeps can be put to sleep, everything can be deleted, and its erasure is asked for once', async (state) => {
    const { id } = await sessionIn(one.parts, state);
    const sleeps = ['running', 'hibernating', 'hibernated'].includes(state);
    expect((await one.call('ann', 'POST', `/api/sessions/${id}/hibernate`, {})).status).toBe(sleeps ? 202 : 409);
    const deleted = await one.call('ann', 'DELETE', `/api/sessions/${id}`);
    expect([deleted.status, deleted.json.state]).toEqual([202, 'deleting']);
    expect((await one.call('ann', 'DELETE', `/api/sessions/${id}`)).status).toBe(202);
    expect(one.added.filter(({ name }) => name === 'erase')).toHaveLength(state === 'deleting' ? 0 : 1);
  });
});

describe("one's own sessions", () => {
  it('are listed and renamed', async () => {
    const first = await sessionIn(one.parts, 'hibernated');
    await sessionIn(one.parts, 'lost');
    const renamed = await one.call('ann', 'PATCH', `/api/sessions/${first.id}`, { name: 'new name' });
    expect([renamed.status, renamed.json.name]).toEqual([200, 'new name']);
    const { json } = await one.call('ann', 'GET', '/api/sessions');
    expect(json.sessions.map(({ name, state, reason }) => [name, state, reason])).toEqual([['new name', 'hibernated', null], ['one', 'lost', 'made lost']]);
    for (const session of json.sessions) expect(Date.parse(sessionSchema.parse(session).expires_at as string)).toBeGreaterThan(Date.now());
    expect((await one.call('ann', 'GET', `/api/sessions/${first.id}`)).json).toEqual(json.sessions[0]);
  });

  it('come with what one may have', async () => {
    expect((await one.call('ann', 'GET', '/api/me')).json).toEqual({ user_id: 'ann', is_admin: false, limits: { max_sessions: 3, idle_timeout_minutes: 120, hibernated_ttl_days: 7 } });
  });

  it('are not told while the records cannot be believed', async () => {
    await one.parts.epoch.close();
    for (const [method, path] of [['GET', '/api/sessions'], ['POST', '/api/sessions'], ['GET', '/api/sessions/events'], ['DELETE', `/api/sessions/${newSessionId()}`]] as const) {
      const { status, headers, json } = await one.call('ann', method, path);
      expect([status, json.error.code, headers.get('retry-after')]).toEqual([503, 'rebuilding', '5']);
    }
  });
});
