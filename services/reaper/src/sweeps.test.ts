import { WAIT_IN_LINE_MS, newSessionId, stateTable } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { never, nodeReport, sessionIn, skipClock, useReaper } from '../test/reaper-under-test';
import { watchDeadlines } from './deadlines';
import { decideSleep, sweepIdle } from './idle-sweep';
import { addLostJobs } from './lost-jobs';
import { createTickHandlers } from './ticks';

const HOUR = 3_600_000;

const under = useReaper(({ parts }) => parts.reports.put(nodeReport('n1')));

const stateOf = async (id: string) => (await under.parts.store.get(id))?.state;

describe('the idle sweep', () => {
  /** A session that nobody has used for so long, looked at just now. */
  async function idleFor(ms: number) {
    const record = await sessionIn(under.parts.store, 'running');
    await skipClock(under.redis, ms);
    await under.parts.store.looked({ id: record.id, gen: record.gen });
    return record;
  }

  it('claims what nobody used for the idle time and asks its node to put it to sleep', async () => {
    const { id, rev } = await idleFor(2 * HOUR);
    expect(await sweepIdle(under.parts, never)).toEqual({ idle: 1, claimed: 1, failed: 0 });
    expect(await under.parts.store.get(id)).toMatchObject({ state: 'hibernating', hibernate_reason: 'idle', rev: rev + 1 });
    expect(under.added).toEqual([{ queueName: 'node-n1', name: 'hibernate', payload: { session_id: id, rev: rev + 1 } }]);
  });

  it('finds them behind any number of others that cannot be put to sleep', async () => {
    const records = under.redis.pipeline();
    for (let n = 0; n < 1_100; n += 1) records.hset(keys.session(`bad${n}`), 'gen', 'nonsense').zadd(keys.byActivity, n, `bad${n}`).zadd(keys.inWork, n, `bad${n}`);
    await records.exec();
    const creating = await sessionIn(under.parts.store, 'creating');
    await idleFor(2 * HOUR);
    expect(await sweepIdle(under.parts, never)).toEqual({ idle: 1_101, claimed: 1, failed: 1_100 });
    await addLostJobs(under.parts, never);
    expect(under.added.map(({ name, payload }) => [name, (payload as { session_id: string }).session_id])).toContainEqual(['start', creating.id]);
  });

  it('leaves alone what was used, and what was not looked at lately', async () => {
    const used = await idleFor(2 * HOUR - 1_000);
    expect(await sweepIdle(under.parts, never)).toMatchObject({ idle: 0 });
    await skipClock(under.redis, HOUR);
    await sweepIdle(under.parts, never);
    expect(await stateOf(used.id)).toBe('running');
    await under.parts.store.looked({ id: used.id, gen: used.gen });
    await sweepIdle(under.parts, never);
    expect(await stateOf(used.id)).toBe('hibernating');
  });

  it('leaves alone what is opened between its look and its claim (F24)', async () => {
    const { store } = under.parts;
    const { id, rev } = await idleFor(2 * HOUR);
    const now = jest.spyOn(store, 'now').mockImplementationOnce(async () => {
      await store.touch({ id, ageMs: 0, activityReason: 'opened' });
      return store.now();
    });
    expect(await sweepIdle(under.parts, never)).toEqual({ idle: 1, claimed: 0, failed: 0 });
    now.mockRestore();
    expect(await store.get(id)).toMatchObject({ state: 'running', rev });
    expect(under.added).toEqual([]);
  });

  it('waits where the agent is silent or the last attempt failed not long ago', async () => {
    const { id } = await idleFor(2 * HOUR);
    await under.redis.del(keys.node('n1'));
    await sweepIdle(under.parts, never);
    await under.parts.reports.put(nodeReport('n1'));
    await under.redis.hset(keys.session(id), 'retry_after', (await under.parts.store.now()) + 30_000);
    await sweepIdle(under.parts, never);
    expect(await stateOf(id)).toBe('running');
    await skipClock(under.redis, 31_000);
    await sweepIdle(under.parts, never);
    expect(await stateOf(id)).toBe('hibernating');
  });

  it('is not stopped by one bad record, and claims no more for a node than its line bears', async () => {
    for (let i = 0; i < 25; i += 1) await sessionIn(under.parts.store, 'running');
    const [bad, ...good] = await under.parts.store.allRunning();
    await under.redis.hset(keys.session(bad as string), 'gen', 'nonsense');
    await skipClock(under.redis, 3 * HOUR);
    for (const id of good) await under.parts.store.looked({ id, gen: 1 });
    expect(await sweepIdle(under.parts, never)).toEqual({ idle: 25, claimed: 20, failed: 1 });
  });

  it('knows a session that moved on by its state', () => {
    expect(decideSleep({ record: null, nowMs: 0, reports: new Map(), claimed: new Map(), settings: under.parts.settings })).toBe('not_running');
  });
});

describe('when a state is overdue', () => {
  const overdue = async (state: 'creating' | 'hibernating' | 'waking' | 'failed' | 'lost' | 'hibernated' | 'deleting') => {
    const record = await sessionIn(under.parts.store, state);
    const limitMs = state === 'hibernated' ? 7 * 24 * HOUR : Math.max(stateTable[state].isWork ? WAIT_IN_LINE_MS : 0, stateTable[state].deadlineMs ?? 0);
    await skipClock(under.redis, limitMs - 5_000);
    await watchDeadlines(under.parts, never);
    expect(await stateOf(record.id)).toBe(state);
    await skipClock(under.redis, 6_000);
    await watchDeadlines(under.parts, never);
    return record;
  };

  it('creating fails, with a reason, and its service is retired', async () => {
    const { id, rev } = await overdue('creating');
    expect(await under.parts.store.get(id)).toMatchObject({ state: 'failed', reason: 'It did not start in time.' });
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'retire', payload: { session_id: id, rev: rev + 1, gen: 1, service_id: null } }]);
  });

  it('hibernating goes on running and is left alone for a while', async () => {
    const { id } = await overdue('hibernating');
    const record = await under.parts.store.get(id);
    expect(record).toMatchObject({ state: 'running', failures: 1, container_id: 'c', frozen_container: 'c' });
    expect(record?.retry_after).toBeGreaterThan(await under.parts.store.now());
    expect(under.added).toEqual([]);
  });

  it('hibernating goes on being saved where its container has ended: it cannot run', async () => {
    const { store } = under.parts;
    const { id, rev } = await sessionIn(store, 'hibernating');
    await store.progress({ id, rev, set: { hibernate_reason: 'ended' }, deadlineMs: 0 });
    await watchDeadlines(under.parts, never);
    expect(await store.get(id)).toMatchObject({ state: 'hibernating', rev });
    expect(await store.deadlineOf(id)).toBeGreaterThan(await store.now());
  });

  it('waking sleeps on until its time is over, and that generation is retired', async () => {
    const { id, rev } = await overdue('waking');
    expect(await under.parts.store.get(id)).toMatchObject({ state: 'hibernated', gen: 2, failures: 1 });
    expect(await under.parts.store.deadlineOf(id)).toBeGreaterThan((await under.parts.store.now()) + 6 * 24 * HOUR);
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'retire', payload: { session_id: id, rev: rev + 1, gen: 2, service_id: 's2' } }]);
  });

  it.each(['failed', 'lost', 'hibernated'] as const)('%s is deleted and erased', async (state) => {
    const { id, rev } = await overdue(state);
    expect(await stateOf(id)).toBe('deleting');
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'erase', payload: { session_id: id, rev: rev + 1 } }]);
  });

  it.each([
    ['whose wake failed', async (id: string) => under.redis.hset(keys.session(id), 'retry_after', (await under.parts.store.now()) - 1_000)],
    ['who is refused, as on a full Swarm (F10)', (id: string) => under.parts.store.touch({ id, ageMs: 0, activityReason: 'opened' })],
  ])('hibernated is spared while its user tries to get it back, %s', async (_who, triesToGetItBack) => {
    const { id } = await sessionIn(under.parts.store, 'hibernated');
    await skipClock(under.redis, 7 * 24 * HOUR + 1_000);
    await triesToGetItBack(id);
    for (let tries = 0; tries < 6; tries += 1) {
      await watchDeadlines(under.parts, never);
      expect(await stateOf(id)).toBe('hibernated');
      await skipClock(under.redis, HOUR / 6);
    }
    await watchDeadlines(under.parts, never);
    expect(await stateOf(id)).toBe('deleting');
  });

  it('hibernated is spared for an hour when its end is noticed days late, and then deleted', async () => {
    const { id } = await sessionIn(under.parts.store, 'hibernated');
    await skipClock(under.redis, 9 * 24 * HOUR);
    await watchDeadlines(under.parts, never);
    expect(await stateOf(id)).toBe('hibernated');
    await skipClock(under.redis, HOUR - 5_000);
    await watchDeadlines(under.parts, never);
    expect(await stateOf(id)).toBe('hibernated');
    await skipClock(under.redis, 6_000);
    await watchDeadlines(under.parts, never);
    expect(await stateOf(id)).toBe('deleting');
  });

  it('is dealt with behind any number of records that cannot be read', async () => {
    const { id } = await sessionIn(under.parts.store, 'creating');
    const unreadable = under.redis.pipeline();
    for (let n = 0; n < 250; n += 1) unreadable.hset(keys.session(`bad${n}`), 'gen', 'nonsense').zadd(keys.byDeadline, n, `bad${n}`);
    await unreadable.exec();
    await skipClock(under.redis, WAIT_IN_LINE_MS + 1);
    expect(await watchDeadlines(under.parts, never)).toEqual({ overdue: 251, failed: 250 });
    expect(await stateOf(id)).toBe('failed');
  });

  it('deleting stays, raises an alarm once a deadline, and its job is added again', async () => {
    const { id, rev } = await overdue('deleting');
    await watchDeadlines(under.parts, never);
    expect(await stateOf(id)).toBe('deleting');
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'erase', payload: { session_id: id, rev } }]);
  });

  it('progress that renewed the deadline is believed', async () => {
    const { id, rev } = await sessionIn(under.parts.store, 'creating');
    await skipClock(under.redis, WAIT_IN_LINE_MS + 1);
    await under.parts.store.progress({ id, rev, set: { step: 'asked' }, deadlineMs: 60_000 });
    await watchDeadlines(under.parts, never);
    expect(await stateOf(id)).toBe('creating');
  });
});

describe('lost jobs', () => {
  it('are added again by what the state says, and not before their time', async () => {
    const { store } = under.parts;
    const [creating, waking, hibernating, deleting] = [await sessionIn(store, 'creating'), await sessionIn(store, 'waking'), await sessionIn(store, 'hibernating'), await sessionIn(store, 'deleting')];
    await sessionIn(store, 'running');
    await addLostJobs(under.parts, never);
    expect(under.added).toEqual([]);
    await skipClock(under.redis, 11_000);
    await addLostJobs(under.parts, never);
    const work = ({ id, rev }: { id: string; rev: number }) => ({ session_id: id, rev });
    expect(under.added).toHaveLength(4);
    expect(under.added).toEqual(
      expect.arrayContaining([
        { queueName: 'swarm', name: 'start', payload: work(creating) },
        { queueName: 'swarm', name: 'start', payload: work(waking) },
        { queueName: 'node-n1', name: 'hibernate', payload: work(hibernating) },
        { queueName: 'swarm', name: 'erase', payload: work(deleting) },
      ]),
    );
  });
});

describe('a tick', () => {
  const withoutRest = { onTick: () => undefined, mayAct: () => true };

  it('does nothing while the records cannot be believed', async () => {
    await sessionIn(under.parts.store, 'creating');
    await skipClock(under.redis, HOUR);
    const handlers = createTickHandlers(under.parts, withoutRest);
    const context = { signal: never } as never;
    await under.parts.epoch.close();
    await handlers.deadlines({}, context);
    await handlers.reconcile({}, context);
    expect(under.added).toEqual([]);
    await under.parts.epoch.open();
    await handlers.deadlines({}, context);
    expect(under.added).toHaveLength(1);
  });

  it('lets the next one pass while it is still at work', async () => {
    const asked: string[] = [];
    const parts = { ...under.parts, store: Object.assign(Object.create(under.parts.store) as typeof under.parts.store, { overdue: async () => (asked.push(newSessionId()), []) }) };
    const handlers = createTickHandlers(parts, withoutRest);
    await Promise.all([handlers.deadlines({}, { signal: never } as never), handlers.deadlines({}, { signal: never } as never)]);
    expect(asked).toHaveLength(1);
  });
});
