import { newSessionId } from '@vibe/contracts';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { Epoch, SessionStore, keys, readAudit } from '.';

jest.setTimeout(300_000);

let redis: Redis;
useRedis((given) => void (redis = given));

const KEPT = 150_000;
/** Redis drops whole nodes of this many entries. */
const NODE = 100;

it('keeps the last 150,000 moves at least and few more, so that a small Redis holds them (F21)', async () => {
  await new Epoch(redis).open();
  await redis.eval(`for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'rev', i) end`, 1, keys.audit, KEPT + 5 * NODE);
  await new SessionStore(redis).create({ id: newSessionId(), userId: 'ann', name: 'one', baseImage: 'base', maxPerUser: 1, actor: 'test' });
  const left = await redis.xlen(keys.audit);
  expect(left).toBeGreaterThanOrEqual(KEPT);
  expect(left).toBeLessThanOrEqual(KEPT + NODE);
  expect(await readAudit(redis, 1)).toMatchObject([{ action: 'create', to: 'creating' }]);
});
