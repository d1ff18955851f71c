import { keys } from '@vibe/session-store';
import { type TestRedis, startRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { type AnswerJson, type ApiUnderTest, nodeReport, reportNodes, sessionIn, startApi, tokenOf } from '../test/api-under-test';

let server: TestRedis;
let redis: Redis;
let api: ApiUnderTest;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  redis.on('error', () => undefined);
  api = await startApi(server.url);
});
afterAll(async () => {
  await api.stop();
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  await api.parts.epoch.open();
  await reportNodes(api.parts, [nodeReport('n1')]);
});

interface Told {
  readonly event: string;
  readonly data: AnswerJson;
}

/** Reads a user's stream, one event a call. */
async function listen(user: string, url = api.url) {
  const abort = new AbortController();
  const response = await fetch(`${url}/api/sessions/events`, { headers: { authorization: `Bearer ${tokenOf(user)}` }, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    response,
    async next(): Promise<Told | 'end'> {
      for (;;) {
        const [block, ...rest] = text.split('\n\n');
        if (rest.length > 0) {
          text = rest.join('\n\n');
          const match = /^event: (.*)\ndata: (.*)$/.exec(block as string);
          if (match) return { event: match[1] as string, data: JSON.parse(match[2] as string) as AnswerJson };
          continue;
        }
        const { value, done } = await reader.read();
        if (done) return 'end';
        text += value;
      }
    },
    close: () => abort.abort(),
  };
}

const said = (told: Told | 'end') => (told === 'end' ? told : told.event === 'session' ? `${told.data.session.state} ${told.data.session.step ?? ''}`.trim() : told.event);

describe('live events', () => {
  it("tell one's own list first, then every change in order, then the end", async () => {
    const { id, rev } = await sessionIn(api.parts, 'running');
    const stream = await listen('ann');
    expect(stream.response.headers.get('x-accel-buffering')).toBe('no');
    expect(await stream.next()).toMatchObject({ event: 'sessions', data: { sessions: [{ id, state: 'running' }] } });

    await sessionIn(api.parts, 'running', 'bob');
    const { store } = api.parts;
    const steps = [
      () => store.move({ id, rev, to: 'hibernating', actor: 'test', set: { step: 'queued' } }),
      () => store.progress({ id, rev: rev + 1, set: { step: 'pushing' } }),
      () => store.rename({ id, name: 'other' }),
      () => store.move({ id, rev: rev + 1, to: 'running', actor: 'test' }),
      () => store.touch({ id, ageMs: 0, activityReason: 'input' }),
      () => store.move({ id, rev: rev + 2, to: 'deleting', actor: 'test' }),
    ];
    const heard: string[] = [];
    for (const step of steps) {
      await step();
      heard.push(said(await stream.next()));
    }
    expect(heard).toEqual(['hibernating queued', 'hibernating pushing', 'hibernating pushing', 'running', 'running', 'deleting']);
    await store.remove({ id, rev: rev + 3, actor: 'test' });
    expect(await stream.next()).toEqual({ event: 'removed', data: { id } });
    stream.close();
  });

  it('never tell something older after something newer', async () => {
    const stream = await listen('ann');
    await stream.next();
    const made = await sessionIn(api.parts, 'hibernated');
    await api.call('ann', 'POST', `/api/sessions/${made.id}/open`, {});
    await api.call('ann', 'DELETE', `/api/sessions/${made.id}`);
    const since: number[] = [];
    for (let last = ''; last !== 'deleting queued'; ) {
      const told = (await stream.next()) as Told;
      since.push(Date.parse(told.data.session.state_since));
      last = said(told);
    }
    expect(since).toEqual([...since].sort((a, b) => a - b));
    stream.close();
  });

  it('tell the whole list again when Redis was away', async () => {
    const { id } = await sessionIn(api.parts, 'running');
    const stream = await listen('ann');
    await stream.next();
    await server.kill();
    await server.restart();
    for (;;) {
      const told = await stream.next();
      if (told === 'end') throw new Error('the stream ended');
      if (told.event === 'sessions') {
        expect(told.data.sessions).toMatchObject([{ id }]);
        break;
      }
    }
    stream.close();
  });

  it('need a sign-in; while Redis is away the list is refused with 503, and told again when it is back', async () => {
    expect((await fetch(`${api.url}/api/sessions/events`)).status).toBe(401);
    await server.kill();
    const { status, json } = await api.call('ann', 'GET', '/api/sessions');
    expect([status, json.error.code]).toEqual([503, 'unavailable']);
    await server.restart();
    for (let isReady = false; !isReady; ) isReady = (await api.call('ann', 'GET', '/api/sessions')).status === 200;
    expect(await redis.exists(keys.epoch)).toBe(1);
  });

  it('end when the process stops', async () => {
    const other = await startApi(server.url);
    const stream = await listen('ann', other.url);
    await stream.next();
    await other.stop();
    expect(await stream.next()).toBe('end');
  });
});
