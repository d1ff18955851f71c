import { newSessionId } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { createParts, digestOf, labelsOf, never, nodeReport, skipClock, swarmView } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';
import { RegistryCare } from './registry-care';
import { UNRECORDED_MAX } from './registry-plan';

let redis: Redis;
let under: ReturnType<typeof createParts>;
let watch: EpochWatch;

useRedis(async (given) => {
  redis = given;
  under = createParts(redis);
  watch = new EpochWatch(under.parts);
  await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
  await under.parts.reports.put(nodeReport('n1'));
});

describe('a rebuild beside another registry', () => {
  it.each([
    ['at the first look', 1],
    ['once the catalogue was read', 2],
  ])('waits for the one that has the base image when this one has not %s: what it shows is not all there is (F20)', async (_, lacksAtLook) => {
    const { shelf, parts } = under;
    const { has } = shelf;
    let looks = 0;
    shelf.has = async (...of) => (looks += 1) !== lacksAtLook && has(...of);
    expect(await watch.look(never)).toBe(false);
    expect(await parts.epoch.isOpen()).toBe(false);
    expect(looks).toBe(lacksAtLook);
    const id = newSessionId();
    shelf.put(digestOf('a'), labelsOf(id));
    expect(await watch.look(never)).toBe(true);
    expect(await parts.store.get(id)).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('a') });
  });

  it('cannot know of it when the base image is kept elsewhere', async () => {
    under.shelf.hasBaseImage = false;
    const elsewhere = new EpochWatch({ ...under.parts, settings: { ...under.parts.settings, BASE_IMAGE: 'registry.example/vibe-terminal:1' } });
    expect(await elsewhere.look(never)).toBe(true);
  });
});

describe('repositories without a record', () => {
  /** So many sessions that sleep in the registry and have no record. */
  function shelve(count: number): string[] {
    const ids = Array.from({ length: count }, () => newSessionId());
    for (const [index, id] of ids.entries()) under.shelf.put(`sha256:${String(index).padStart(64, '0')}`, labelsOf(id));
    return ids.sort();
  }

  /** Rounds a minute apart, as of one reaper; what they raised. */
  async function twoRounds(): Promise<string[]> {
    const raised: string[] = [];
    const metrics = { ...under.parts.metrics, raise: (alarm: string) => void raised.push(alarm) };
    const care = new RegistryCare();
    await care.round({ ...under.parts, metrics }, never);
    await skipClock(redis, 60_000);
    await care.round({ ...under.parts, metrics }, never);
    return raised;
  }

  it('are erased while they are few', async () => {
    await watch.look(never);
    shelve(UNRECORDED_MAX);
    expect(await twoRounds()).toEqual([]);
    expect(under.shelf.sessions()).toEqual([]);
  });

  it('are kept when they are many: it is the records that are missing. A person is told, and has them adopted (I2)', async () => {
    const { parts, shelf } = under;
    await watch.look(never);
    const ids = shelve(UNRECORDED_MAX + 1);
    expect(await twoRounds()).toEqual(['repositories_unrecorded']);
    expect(shelf.sessions().sort()).toEqual(ids);
    // What operations.md has a person do.
    await redis.del(keys.epoch);
    expect(await watch.look(never)).toBe(true);
    expect(await parts.store.counts()).toMatchObject({ hibernated: UNRECORDED_MAX + 1 });
  });
});
