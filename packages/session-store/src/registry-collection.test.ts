import { newCollectionRun, newSessionId } from '@vibe/contracts';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { type Collection, Epoch, RegistryCollection, SessionStore, keys } from '.';

let redis: Redis;
let collection: RegistryCollection;

useRedis((given) => {
  redis = given;
  collection = new RegistryCollection(redis);
});

const skipClock = (ms: number) => redis.incrby(keys.clockOffset, ms);
const begin = (run = newCollectionRun()) => collection.begin({ run, step: 'draining', limitMs: 1_000 }) as Promise<Collection>;

describe('a collection of the registry', () => {
  it('is one at a time: a second one finds the first', async () => {
    const first = await begin();
    expect((await begin()).run).toBe(first.run);
    expect(await collection.current()).toEqual(first);
  });

  it('goes step by step, each timed, and remembers how it ended', async () => {
    let at = await begin();
    await skipClock(700);
    at = (await collection.advance(at, 'closing', { limitMs: 5_000 })) as Collection;
    expect(at).toMatchObject({ step: 'closing', deadline_at: at.step_since + 5_000 });
    expect(at.ms_draining).toBeGreaterThanOrEqual(700);
    at = (await collection.advance(at, 'opening', { set: { outcome: 'collected', freed_bytes: 42 } })) as Collection;
    await skipClock(300);
    const ended = await collection.end(at);
    expect(ended).toMatchObject({ run: at.run, outcome: 'collected', freed_bytes: 42 });
    expect(ended?.ms_opening).toBeGreaterThanOrEqual(300);
    expect(await collection.current()).toBeNull();
    expect(await collection.last()).toEqual(ended);
  });

  it('goes on when the clock goes back', async () => {
    await skipClock(60_000);
    let at = await begin();
    await skipClock(-60_000);
    at = (await collection.advance(at, 'opening', { set: { outcome: 'collected' } })) as Collection;
    expect(at.ms_draining).toBe(0);
    await skipClock(-60_000);
    expect(await collection.end(at)).toMatchObject({ ms_opening: 0 });
  });

  it('is not moved by whoever is late: another step, another run', async () => {
    const early = await begin();
    const later = (await collection.advance(early, 'opening', { set: { outcome: 'failed' } })) as Collection;
    expect(await collection.advance(early, 'closing')).toBeNull();
    expect(await collection.end(early)).toBeNull();
    await collection.end(later);
    const next = await begin();
    expect(await collection.advance(early, 'closing')).toBeNull();
    expect(await collection.end(later)).toBeNull();
    expect(await collection.current()).toEqual(next);
  });

  it('does not begin again when its job comes late', async () => {
    const at = await begin();
    await collection.end((await collection.advance(at, 'opening', { set: { outcome: 'collected' } })) as Collection);
    expect(await begin(at.run)).toBeNull();
    expect(await collection.current()).toBeNull();
  });

  it('is due so long after the last one ended, and not right after Redis was emptied', async () => {
    expect(await collection.isDue(10_000)).toBe(false);
    await skipClock(9_000);
    expect(await collection.isDue(10_000)).toBe(false);
    await skipClock(1_000);
    expect(await collection.isDue(10_000)).toBe(true);
    const at = await begin();
    expect(await collection.isDue(10_000)).toBe(false);
    await collection.end((await collection.advance(at, 'opening', { set: { outcome: 'collected' } })) as Collection);
    expect(await collection.isDue(10_000)).toBe(false);
    await skipClock(10_000);
    expect(await collection.isDue(10_000)).toBe(true);
  });

  it('lets nothing begin to fall asleep, and nothing else be hindered (F10)', async () => {
    await new Epoch(redis).open();
    const store = new SessionStore(redis);
    const id = newSessionId();
    await store.create({ id, userId: 'ann', name: 'one', baseImage: 'b', maxPerUser: 3, actor: 'test' });
    const at = await begin();
    expect((await store.move({ id, rev: 1, to: 'running', actor: 'test' })).outcome).toBe('moved');
    await skipClock(4_000);
    const refused = await store.move({ id, rev: 2, to: 'hibernating', actor: 'test' });
    expect(refused).toMatchObject({ outcome: 'collecting' });
    expect(refused.outcome === 'collecting' && refused.sinceMs).toBeGreaterThanOrEqual(4_000);
    expect((await store.move({ id, rev: 1, to: 'hibernating', actor: 'test' })).outcome).toBe('stale');
    expect(await store.get(id)).toMatchObject({ state: 'running', rev: 2 });
    await collection.end((await collection.advance(at, 'opening', { set: { outcome: 'collected' } })) as Collection);
    expect((await store.move({ id, rev: 2, to: 'hibernating', actor: 'test' })).outcome).toBe('moved');
  });
});
