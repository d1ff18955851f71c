import { startRedis, type TestRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { isCoded } from './errors';
import { silentLogger } from './logging';
import { closeRedis, connectRedis, isRedisAway, whenReady, whileRedisAnswers } from './redis';

describe('a connection to Redis', () => {
  let server: TestRedis;
  const open: Redis[] = [];
  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());
  afterEach(() => Promise.all(open.splice(0).map(closeRedis)));

  const connect = async (purpose: 'requests' | 'workers', answerLimitMs?: number): Promise<Redis> => {
    const redis = connectRedis(server.url, { purpose, name: 'test', logger: silentLogger, ...(answerLimitMs === undefined ? {} : { answerLimitMs }) });
    open.push(redis);
    await whenReady(redis);
    return redis;
  };

  it('for requests fails a command at once while Redis is away, and works again when it is back', async () => {
    const redis = await connect('requests');
    const away = new Promise((resolve) => redis.once('close', resolve));
    await server.kill();
    await away;
    const refused = await whileRedisAnswers(() => redis.get('a')).catch((error: unknown) => error);
    expect(isCoded(refused, 'unavailable')).toBe(true);
    expect(refused).toMatchObject({ retryable: true });
    const back = new Promise((resolve) => redis.once('ready', resolve));
    await server.restart();
    await back;
    await expect(redis.set('a', '1')).resolves.toBe('OK');
  });

  it('for requests gives up on a Redis that is silent', async () => {
    const redis = await connect('requests', 50);
    const other = await connect('workers');
    await other.client('PAUSE', 60_000, 'ALL');
    await expect(whileRedisAnswers(() => redis.get('a'))).rejects.toMatchObject({ code: 'unavailable' });
    await server.restart();
  });

  it('for workers waits for Redis instead', async () => {
    const redis = await connect('workers');
    const away = new Promise((resolve) => redis.once('close', resolve));
    await server.kill();
    await away;
    const pending = redis.set('b', '2');
    await server.restart();
    await expect(pending).resolves.toBe('OK');
  });

  it('tells an absent Redis from a wrong command and from a mistake of ours', async () => {
    const redis = await connect('requests');
    await redis.set('text', 'x');
    const wrongType = await redis.lpush('text', 'y').catch((error: unknown) => error);
    expect(isRedisAway(wrongType)).toBe(false);
    expect(isRedisAway(new TypeError('ours'))).toBe(false);
    await expect(whileRedisAnswers(() => Promise.reject(new RangeError('ours')))).rejects.toThrow(RangeError);
    expect(isRedisAway(Object.assign(new Error('OOM command not allowed'), { name: 'ReplyError' }))).toBe(true);
  });

  it('is logged once when it goes and once when it is back', async () => {
    const lines: string[] = [];
    const logger = { ...silentLogger, warn: (line: string) => void lines.push(line), info: (line: string) => void lines.push(line), child: () => logger };
    const redis = connectRedis(server.url, { purpose: 'requests', name: 'test', logger });
    open.push(redis);
    await whenReady(redis);
    const twiceClosed = new Promise<void>((resolve) => redis.once('close', () => redis.once('close', () => resolve())));
    await server.kill();
    await twiceClosed;
    const back = new Promise((resolve) => redis.once('ready', resolve));
    await server.restart();
    await back;
    expect(lines).toEqual(['redis is away', 'redis is back']);
  });

  it('can be closed twice, and closed while Redis was never there', async () => {
    const never = connectRedis('redis://127.0.0.1:1', { purpose: 'workers', name: 'test', logger: silentLogger });
    await closeRedis(never);
    await closeRedis(never);
    const redis = await connect('requests');
    await closeRedis(redis);
    await closeRedis(redis);
  });
});
