import { closeRedis, connectRedis, silentLogger, whenReady } from '@vibe/platform';
import { Epoch, SessionStore } from '@vibe/session-store';
import type { TestRedis } from '@vibe/testkit';
import { startRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import type { FrontDoor } from './front-door';
import { OURS, ask, cookieOf, openFrontDoor, runningSession, socketOf } from './front-door';

describe('the gateway on a real Redis', () => {
  const session = runningSession();
  let server: TestRedis;
  let redis: Redis;
  let door: FrontDoor;

  beforeAll(async () => {
    server = await startRedis();
    redis = connectRedis(server.url, { purpose: 'requests', name: 'gateway', logger: silentLogger });
    await whenReady(redis);
    const store = new SessionStore(redis);
    const epoch = new Epoch(redis);
    door = await openFrontDoor({ sessions: { get: (id) => store.get(id), areRecordsWhole: () => epoch.isOpen() } });
  });
  afterAll(async () => {
    await door.close();
    await closeRedis(redis);
    await server.stop();
  });

  const question = () =>
    ask(door.port, '/auth/terminal', { headers: { cookie: cookieOf('ada'), origin: OURS, 'x-forwarded-uri': socketOf(session), 'x-forwarded-method': 'GET' } });

  it('waits for the records of a Redis that was emptied', async () => {
    expect((await question()).status).toBe(503);
  });

  it('knows who may open a session that another service started', async () => {
    const store = new SessionStore(redis);
    await new Epoch(redis).open();
    expect((await question()).status).toBe(404);
    await store.create({ id: session.id, userId: 'ada', name: 'work', baseImage: 'vibe-terminal', maxPerUser: 3, actor: 'user:ada' });
    expect((await question()).status).toBe(404);
    await store.move({ id: session.id, rev: 1, to: 'running', actor: 'test', set: { task_name: `session-${session.id}.1.t` } });
    expect((await question()).status).toBe(200);
  });

  it('says 503 at once while Redis is away, still shows its pages, and goes on when it is back (F21)', async () => {
    const away = new Promise((resolve) => redis.once('close', resolve));
    await server.kill();
    await away;
    expect((await question()).status).toBe(503);
    expect((await ask(door.port, '/terminal/', { headers: { cookie: cookieOf('ada') } })).status).toBe(200);
    const back = new Promise((resolve) => redis.once('ready', resolve));
    await server.restart();
    await back;
    expect((await question()).status).toBe(200);
  });
});
