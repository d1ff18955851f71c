import { type SessionState, stateTable } from '@vibe/contracts';
import { type AuditEntry, readAudit } from '@vibe/session-store';
import { type TestRedis, startRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { type Answer, type ApiUnderTest, nodeReport, reportNodes, sessionIn, settings, startApi } from '../test/api-under-test';

const MAX = settings.MAX_SESSIONS_PER_USER;

let server: TestRedis;
let redis: Redis;
let replicas: ApiUnderTest[];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  replicas = await Promise.all([startApi(server.url), startApi(server.url), startApi(server.url)]);
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await redis.quit();
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  for (const { added } of replicas) added.length = 0;
  await one().parts.epoch.open();
  await reportNodes(one().parts, [nodeReport('n1'), nodeReport('n2')]);
});

const one = (): ApiUnderTest => replicas[0] as ApiUnderTest;
const added = () => replicas.flatMap((replica) => replica.added);
/** Many calls at once, at every replica in turn. */
const atOnce = (count: number, call: (replica: ApiUnderTest, turn: number) => Promise<Answer>) => Promise.all(Array.from({ length: count }, (_, turn) => call(replicas[turn % replicas.length] as ApiUnderTest, turn)));

/** The moves of one session, the first one first. */
async function movesOf(id: string): Promise<AuditEntry[]> {
  return (await readAudit(redis, 10_000)).filter(({ session }) => session === id).reverse();
}

/** One audit entry a move, each from where the one before led, the last one what the record says (I8); every index agrees. */
async function expectOneStory(id: string): Promise<AuditEntry[]> {
  const moves = await movesOf(id);
  const record = (await one().parts.store.get(id))!;
  expect(moves.map(({ rev }) => Number(rev))).toEqual(moves.map((_, index) => index + 1));
  expect(moves.map(({ from }) => from)).toEqual(['', ...moves.slice(0, -1).map(({ to }) => to)]);
  expect(moves.at(-1)).toMatchObject({ to: record.state, rev: String(record.rev), gen: String(record.gen) });
  // Generations only go up, and only by a wake (I6).
  const gens = moves.map(({ gen }) => Number(gen));
  expect(gens).toEqual([...gens].sort((a, b) => a - b));
  const counts = await one().parts.store.counts();
  expect(Object.entries(counts).filter(([, count]) => count !== 0)).toEqual([[record.state, 1]]);
  expect(await one().parts.store.inWork(0, 10)).toEqual(stateTable[record.state].isWork ? [id] : []);
  return moves;
}

/** Each claim of this history asked for its job, once, and nothing else did. */
function expectOneJobAClaim(moves: readonly AuditEntry[]): void {
  const jobOf: Partial<Record<string, string>> = { waking: 'start', hibernating: 'hibernate', deleting: 'erase' } satisfies Partial<Record<SessionState, string>>;
  const byApi = moves.filter(({ actor, to }) => actor.startsWith('user:') && jobOf[to] !== undefined);
  const jobs = added().map(({ name, payload }) => `${name} r${(payload as { rev: number }).rev}`);
  expect(jobs.sort()).toEqual(byApi.map(({ to, rev }) => `${jobOf[to] ?? ''} r${rev}`).sort());
}

describe('three replicas of the API on one Redis', () => {
  it(`let exactly ${MAX} of sixty parallel creates of one user through (I4)`, async () => {
    const answers = await atOnce(60, (replica) => replica.call('ann', 'POST', '/api/sessions', {}));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(MAX);
    expect(answers.filter(({ status, json }) => status === 409 && json.error.code === 'quota_exceeded')).toHaveLength(60 - MAX);
    expect(await one().parts.store.listByUser('ann')).toHaveLength(MAX);
    expect((await one().parts.store.counts()).creating).toBe(MAX);
    expect(added()).toHaveLength(MAX);
  });

  it('hold the quota while creates and deletes of one user come at once: a place is free only when it is given up (I4)', async () => {
    for (let i = 0; i < MAX; i += 1) await sessionIn(one().parts, 'running');
    const [first] = await one().parts.store.listByUser('ann');
    await atOnce(60, (replica, turn) => (turn % 6 === 0 ? replica.call('ann', 'DELETE', `/api/sessions/${first?.id}`) : replica.call('ann', 'POST', '/api/sessions', {})));
    const held = (await one().parts.store.listByUser('ann')).filter(({ state }) => stateTable[state].countsInQuota);
    expect(held.length).toBeLessThanOrEqual(MAX);
    expect(added().filter(({ name }) => name === 'erase')).toHaveLength(1);
  });

  it('make one claim, one start and one generation of fifty parallel opens of a session that sleeps (F7)', async () => {
    const { id, rev, gen } = await sessionIn(one().parts, 'hibernated');
    const answers = await atOnce(50, (replica) => replica.call('ann', 'POST', `/api/sessions/${id}/open`, {}));
    for (const { status, json } of answers) expect([status, json.session.state, json.session.generation]).toEqual([202, 'waking', gen + 1]);
    expect(added()).toEqual([{ queueName: 'swarm', name: 'start', payload: { session_id: id, rev: rev + 1 } }]);
    expect((await expectOneStory(id)).map(({ to }) => to)).toEqual(['creating', 'running', 'hibernating', 'hibernated', 'waking']);
  });

  it('end fifty opens and fifty sleeps of one session at once in one state, with one job a claim (I8)', async () => {
    const { id } = await sessionIn(one().parts, 'running');
    const answers = await atOnce(100, (replica, turn) => replica.call('ann', 'POST', `/api/sessions/${id}/${turn % 2 === 0 ? 'open' : 'hibernate'}`, {}));
    // 503: the session changed faster than one call could follow; nothing was done, and it may be asked again.
    for (const { status } of answers) expect([200, 202, 503]).toContain(status);
    const moves = await expectOneStory(id);
    expect(['running', 'hibernating']).toContain(moves.at(-1)?.to);
    expect(moves.length).toBeGreaterThan(2);
    expectOneJobAClaim(moves);
  });

  it.each(['running', 'hibernating', 'hibernated', 'waking'] as const)('end opens, sleeps and deletes of a session that is %s in its erasure, asked for once', async (state) => {
    const { id } = await sessionIn(one().parts, state);
    const calls = [['POST', '/open'], ['POST', '/hibernate'], ['DELETE', '']] as const;
    const answers = await atOnce(60, (replica, turn) => {
      const [method, path] = calls[turn % calls.length] as (typeof calls)[number];
      return replica.call('ann', method, `/api/sessions/${id}${path}`, method === 'POST' ? {} : undefined);
    });
    for (const { status } of answers) expect([200, 202, 409, 410, 503]).toContain(status);
    expect((await one().call('ann', 'DELETE', `/api/sessions/${id}`)).status).toBe(202);
    const moves = await expectOneStory(id);
    expect(moves.at(-1)?.to).toBe('deleting');
    expect(moves.filter(({ to }) => to === 'deleting')).toHaveLength(1);
    expectOneJobAClaim(moves);
  });
});
