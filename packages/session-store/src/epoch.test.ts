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

it('tells for how long it was seen open, by its own looks alone and without a break', async () => {
  let ms = 0;
  const epoch = new Epoch(redis, () => ms);
  await epoch.open();
  const seen: number[] = [];
  const lookAfter = async (more: number): Promise<void> => {
    ms += more;
    await epoch.look();
    seen.push(epoch.openForMs);
  };
  await lookAfter(0);
  await lookAfter(10_000);
  await lookAfter(5_000);
  await epoch.close();
  await lookAfter(1_000);
  await epoch.open();
  await lookAfter(1_000);
  await lookAfter(2_000);
  expect(seen).toEqual([0, 10_000, 15_000, 0, 0, 2_000]);
});
