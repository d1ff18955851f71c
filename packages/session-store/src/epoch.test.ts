import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { Epoch } from './epoch';
import { keys } from './keys';

let redis: Redis;
useRedis((empty) => void (redis = empty));

describe('an epoch that is opened after the clock of Redis went back', () => {
  it('is closed once by each process that saw a later one, and then believed', async () => {
    const [one, other] = [new Epoch(redis), new Epoch(redis)];
    await redis.set(keys.clockOffset, 3_600_000);
    await one.open();
    expect([await one.look(), await other.look()]).toEqual(['open', 'open']);
    await redis.flushall();
    for (const epoch of [one, other]) {
      await epoch.open();
      expect(await epoch.look()).toBe('rewound');
      await epoch.close();
    }
    await one.open();
    expect([await one.look(), await other.look()]).toEqual(['open', 'open']);
  });
});
