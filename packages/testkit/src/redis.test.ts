import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';
import { startRedis, type TestRedis } from './redis';

describe('a Redis for a test', () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis.stop());

  const ask = async <T>(question: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(redis.url);
    try {
      return await question(client);
    } finally {
      client.disconnect();
    }
  };

  it('keeps every acknowledged write over a kill -9', async () => {
    await ask((client) => client.set('kept', 'yes'));
    await redis.kill();
    await redis.restart();
    expect(await ask((client) => client.get('kept'))).toBe('yes');
  });

  it('is set up as in production: append-only, always synced, nothing evicted', async () => {
    const settings = await ask((client) => client.config('GET', 'appendfsync', 'appendonly', 'maxmemory-policy', 'save'));
    expect(Object.fromEntries((settings as string[]).flatMap((value, i, all) => (i % 2 === 0 ? [[value, all[i + 1]]] : [])))).toEqual({
      appendfsync: 'always',
      appendonly: 'yes',
      'maxmemory-policy': 'noeviction',
      save: '',
    });
  });

  it('forgets everything when flushed', async () => {
    await ask((client) => client.set('a', '1'));
    await redis.flush();
    expect(await ask((client) => client.dbsize())).toBe(0);
  });

  it('says how to get redis-server where it is missing', async () => {
    await expect(startRedis({ program: '/nowhere/redis-server' })).rejects.toThrow('redis-server is missing: apt-get install redis-server');
  });

  it('leaves nothing behind when stopped, even twice', async () => {
    const other = await startRedis({ args: ['--maxmemory', '3mb'] });
    await other.stop();
    await other.stop();
    expect(existsSync(other.dir)).toBe(false);
  });
});
