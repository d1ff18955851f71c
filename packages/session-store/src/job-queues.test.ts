import { nodeJobs, stateTable } from '@vibe/contracts';
import { connectRedis, silentLogger, whenReady } from '@vibe/platform';
import { type TestRedis, startRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { JobQueues, createJobWorker } from './job-queues';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url, { maxRetriesPerRequest: null });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

describe('the queues', () => {
  it('take jobs again after Redis was silent when a queue was first used', async () => {
    const impatient = connectRedis(server.url, { purpose: 'requests', name: 'impatient', logger: silentLogger, answerLimitMs: 50 });
    await whenReady(impatient);
    const queues = new JobQueues(impatient);
    const add = () => queues.add('some', nodeJobs.prepull, { image: 'any' });
    try {
      await redis.client('PAUSE', 500, 'ALL');
      await expect(add()).rejects.toThrow('Command timed out');
      while ((await impatient.ping().catch(() => '')) !== 'PONG');
      await add();
      expect(await redis.exists('bull:some:prepull-any')).toBe(1);
    } finally {
      await queues.close();
      impatient.disconnect();
    }
  });

  it('are taken away with all that is in them, and are there again with the next job: also for those who had them open before', async () => {
    const [queues, others] = [new JobQueues(redis), new JobQueues(redis)];
    const done: string[] = [];
    const handlers = { prepull: async ({ image }: { image: string }) => void done.push(image) };
    try {
      for (const image of ['one', 'two']) await others.add('left', nodeJobs.prepull, { image });
      await queues.obliterate('left');
      expect(await redis.keys('bull:left:*')).toEqual([]);
      await queues.obliterate('left');
      expect(await redis.keys('bull:left:*')).toEqual([]);
      for (const [index, of] of [others, queues].entries()) await of.add('left', nodeJobs.prepull, { image: `back ${index}` });
      const worker = createJobWorker({ queueName: 'left', catalog: { prepull: nodeJobs.prepull }, handlers, connection: redis, signal: new AbortController().signal });
      await new Promise<void>((drained) => worker.once('drained', drained));
      await worker.close();
      expect(done.sort()).toEqual(['back 0', 'back 1']);
    } finally {
      await Promise.all([queues.close(), others.close()]);
    }
  });
});

describe('a worker', () => {
  it('takes over from one that died before half of the time that a start has is over', async () => {
    const worker = createJobWorker({ queueName: 'any', catalog: {}, handlers: {}, connection: redis, signal: new AbortController().signal, settings: { autorun: false } });
    const { lockDuration, stalledInterval } = worker.opts;
    await worker.close();
    // The lock lapses; the first look after that marks the job, or finds it marked; the second one takes it.
    expect(lockDuration! + 2 * stalledInterval!).toBeLessThanOrEqual(stateTable.creating.deadlineMs! / 2);
  });
});
