import { Redis } from 'ioredis';
import { type TestRedis, startRedis } from './redis';

/** A Redis for the tests of one file, empty before each of them: `begin` is handed it then. Called once, at the top of the file. */
export function useRedis(begin: (redis: Redis, server: TestRedis) => void | Promise<void>): void {
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    await redis.quit();
    await server.stop();
  });
  beforeEach(async () => {
    await redis.flushall();
    await begin(redis, server);
  });
}
