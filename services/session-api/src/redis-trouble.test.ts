import { type TestRedis, startRedis } from '@vibe/testkit';
import { type ApiUnderTest, nodeReport, reportNodes, sessionIn, startApi } from '../test/api-under-test';

/** A command waits 2 s for its answer; the rest is for a machine that is busy. */
const FAST_MS = 5_000;

let server: TestRedis;
let api: ApiUnderTest;

beforeAll(async () => {
  server = await startRedis();
  api = await startApi(server.url);
  await api.parts.epoch.open();
  await reportNodes(api.parts, [nodeReport('n1')]);
});
afterAll(async () => {
  await api.stop();
  await server.stop();
});

/** Each trouble, how it begins and how it ends, and whether reading goes on meanwhile. */
const troubles = [
  { kind: 'away', begin: () => server.kill(), end: () => server.restart(), isRead: false },
  { kind: 'silent', begin: () => server.silence(), end: () => server.speak(), isRead: false },
  { kind: 'full', begin: () => server.fill(true), end: () => server.fill(false), isRead: true },
] as const;

describe.each(troubles)('while Redis is $kind (F21)', ({ begin, end, isRead }) => {
  it('every change is refused with 503 at once and changes nothing, and all goes on when Redis is back', async () => {
    const [awake, asleep, falling] = [await sessionIn(api.parts, 'running'), await sessionIn(api.parts, 'hibernated'), await sessionIn(api.parts, 'hibernating')];
    const records = () => api.parts.store.listByUser('ann');
    const before = await records();
    const changes = [
      ['bob', 'POST', '/api/sessions', {}],
      ['ann', 'POST', `/api/sessions/${awake.id}/hibernate`, undefined],
      ['ann', 'POST', `/api/sessions/${asleep.id}/open`, {}],
      ['ann', 'POST', `/api/sessions/${falling.id}/open`, {}],
      ['ann', 'DELETE', `/api/sessions/${awake.id}`, undefined],
    ] as const;
    await begin();
    try {
      const startedAt = performance.now();
      const answers = await Promise.all(changes.map(([user, method, path, body]) => api.call(user, method, path, body)));
      expect(performance.now() - startedAt).toBeLessThan(FAST_MS);
      for (const { status, json, headers } of answers) expect([status, json.error.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '2']);
      expect((await api.call('ann', 'GET', '/api/sessions')).status).toBe(isRead ? 200 : 503);
    } finally {
      await end();
    }
    await untilItAnswers();
    expect(await records()).toEqual(before);
    expect(api.added).toEqual([]);
    expect((await api.call('ann', 'POST', `/api/sessions/${awake.id}/hibernate`)).status).toBe(202);
    expect(api.added.splice(0)).toMatchObject([{ name: 'hibernate' }]);
  });
});

async function untilItAnswers(): Promise<void> {
  while ((await api.call('ann', 'GET', '/api/sessions')).status !== 200);
}
