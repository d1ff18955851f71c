import { REAPER_QUEUE, REPORT_EVERY_MS, REST_MS, WAIT_IN_LINE_MS, reaperJobs } from '@vibe/contracts';
import { Epoch, JobQueues, createJobWorker } from '@vibe/session-store';
import { type TestRedis, startRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { createParts, never, nodeReport, sessionIn, settings, skipClock, swarmView } from '../test/reaper-under-test';
import { ensureSchedules, tickEveryMs } from './schedules';
import { createTickHandlers } from './ticks';
import { Watch } from './watch';

let server: TestRedis;
let redis: Redis;
let queues: JobQueues;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  queues = new JobQueues(redis);
});
afterAll(async () => {
  await queues.close();
  await redis.quit();
  await server.stop();
});
beforeEach(() => redis.flushall());

const everyMs = tickEveryMs(settings);

describe('the schedules', () => {
  it('stand after the first look, are left alone afterwards, and follow their settings', async () => {
    const queue = await queues.ready(REAPER_QUEUE);
    await queue.upsertJobScheduler('yesterday', { every: 5_000 }, { name: 'yesterday' });
    await ensureSchedules(queue, everyMs);
    const standing = async () => Object.fromEntries((await queue.getJobSchedulers()).map(({ key, every, next }) => [key, { every: Number(every), next }]));
    const first = await standing();
    expect(Object.entries(first).map(([key, { every }]) => [key, every]).sort()).toEqual([['deadlines', 2_000], ['idle', 60_000], ['reconcile', 10_000], ['registry-care', 60_000]]);
    await ensureSchedules(queue, everyMs);
    expect(await standing()).toEqual(first);
    await ensureSchedules(queue, { ...everyMs, idle: 7_500 });
    expect((await standing()).idle?.every).toBe(7_500);
  });

  it('come back, and ticks with them, after Redis has lost everything', async () => {
    const { parts } = createParts(redis);
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    const ticked: string[] = [];
    let heard: () => void = () => undefined;
    const nextTick = () => new Promise<void>((resolve) => (heard = resolve));
    const watch = new Watch({ parts, queue: () => queues.ready(REAPER_QUEUE), everyMs, now: () => performance.now(), onStuck: () => undefined });
    const onTick = (tick: string) => {
      ticked.push(tick);
      heard();
    };
    const handlers = createTickHandlers(parts, { onTick, mayAct: () => watch.mayAct() });
    const worker = createJobWorker({ queueName: REAPER_QUEUE, catalog: reaperJobs, handlers, connection, signal: never, settings: { concurrency: 4 } });
    worker.on('error', () => undefined); // jobs that are under way when everything is lost
    try {
      for (const round of [1, 2]) {
        await redis.flushall();
        await watch.round(never);
        expect(await parts.epoch.isOpen()).toBe(false);
        await parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
        await parts.reports.put(nodeReport('n1'));
        const tick = nextTick();
        await watch.round(never);
        await tick;
        expect(ticked.length).toBeGreaterThanOrEqual(round);
        expect(await parts.epoch.isOpen()).toBe(true);
        expect(watch.mayAct()).toBe(true);
      }
    } finally {
      await worker.close();
      await connection.quit();
    }
  });
});

describe('when no tick comes', () => {
  it('the schedules are set up anew after a minute, and after another the process ends', async () => {
    const { parts } = createParts(redis);
    await parts.epoch.open();
    let now = 0;
    let isStuck = false;
    const watch = new Watch({ parts, queue: () => queues.ready(REAPER_QUEUE), everyMs, now: () => now, onStuck: () => void (isStuck = true) });
    const passes = async (ms: number) => {
      now += ms;
      await watch.round(never);
      return isStuck;
    };
    expect(await passes(60_000)).toBe(false);
    watch.ticked();
    expect(await passes(60_001)).toBe(false);
    expect(await passes(60_000)).toBe(false);
    expect(await passes(2)).toBe(true);
  });
});

describe('a reaper that has just started', () => {
  /** A new one beside a session whose deadline has passed, its clock, and what its tick makes of that session. */
  async function startNew() {
    const { parts } = createParts(redis);
    let now = 0;
    const watch = new Watch({ parts, queue: () => queues.ready(REAPER_QUEUE), everyMs, now: () => now, onStuck: () => undefined });
    const handlers = createTickHandlers(parts, { onTick: () => watch.ticked(), mayAct: () => watch.mayAct() });
    const { id } = await sessionIn(parts.store, 'creating');
    await skipClock(redis, WAIT_IN_LINE_MS + 1);
    const stateAfter = async (ms: number) => {
      now += ms;
      await watch.round(never);
      await handlers.deadlines({}, { signal: never } as never);
      return (await parts.store.get(id))?.state;
    };
    return { parts, watch, stateAfter };
  }

  it('does nothing in an epoch that it finds before agents, who remember, would have closed it (F19)', async () => {
    await createParts(redis).parts.epoch.open();
    const { stateAfter } = await startNew();
    expect(REST_MS).toBeGreaterThan(REPORT_EVERY_MS);
    for (const ms of [0, REPORT_EVERY_MS, REST_MS - REPORT_EVERY_MS - 1]) expect(await stateAfter(ms)).toBe('creating');
    expect(await stateAfter(1)).toBe('failed');
  });

  it('begins its rest anew when Redis was away', async () => {
    await createParts(redis).parts.epoch.open();
    const { parts, stateAfter } = await startNew();
    expect(await stateAfter(0)).toBe('creating');
    jest.spyOn(parts.epoch, 'look').mockRejectedValueOnce(new Error('Redis is away'));
    expect(await stateAfter(REST_MS - 1)).toBe('creating');
    expect(await stateAfter(1)).toBe('creating');
    expect(await stateAfter(REST_MS - 1)).toBe('creating');
    expect(await stateAfter(1)).toBe('failed');
  });

  it('needs no rest after a rebuild of its own: an agent closed what had gone back', async () => {
    await createParts(redis).parts.epoch.open();
    const { parts, watch, stateAfter } = await startNew();
    expect(await stateAfter(0)).toBe('creating');
    await new Epoch(redis).close();
    expect(await stateAfter(1)).toBe('creating');
    await parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
    await parts.reports.put(nodeReport('n1'));
    expect(watch.mayAct()).toBe(false);
    await watch.round(never);
    expect(watch.mayAct()).toBe(true);
  });
});
