import { stateTable } from '@vibe/contracts';
import { type TestRedis, startRedis } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { createJobWorker } from './job-queues';

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

describe('a worker', () => {
  it('takes over from one that died before half of the time that a start has is over', async () => {
    const worker = createJobWorker({ queueName: 'any', catalog: {}, handlers: {}, connection: redis, signal: new AbortController().signal, settings: { autorun: false } });
    const { lockDuration, stalledInterval } = worker.opts;
    await worker.close();
    // The lock lapses; the first look after that marks the job, or finds it marked; the second one takes it.
    expect(lockDuration! + 2 * stalledInterval!).toBeLessThanOrEqual(stateTable.creating.deadlineMs! / 2);
  });
});
