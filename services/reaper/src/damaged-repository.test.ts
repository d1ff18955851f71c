import { newSessionId } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { createParts, digestOf, labelsOf, never, nodeReport, sessionIn, skipClock, swarmView } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';
import { RegistryCare } from './registry-care';

let redis: Redis;
let under: ReturnType<typeof createParts>;

useRedis((given) => {
  redis = given;
  under = createParts(redis);
});

/** From here on the registry cannot read what it has of this session. */
function damage(id: string, status = 500): void {
  const { shelf } = under;
  const { resolve, inspectSnapshot } = shelf;
  const refuse = (repository: string): void => {
    if (repository.includes(id)) throw new CodedError('registry_unreachable', `the registry answers ${status}`, { details: { status }, retryable: true });
  };
  shelf.resolve = async (repository, reference) => (refuse(repository), resolve(repository, reference));
  shelf.inspectSnapshot = async (repository, reference) => (refuse(repository), inspectSnapshot(repository, reference));
}

describe('a repository that the registry cannot read', () => {
  it('keeps a rebuild waiting, by its name and with an alarm: left out, it would be erased as nobody\'s', async () => {
    const [good, bad] = [newSessionId(), newSessionId()];
    under.shelf.put(digestOf('a'), labelsOf(good));
    under.shelf.put(digestOf('b'), labelsOf(bad));
    damage(bad);
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
    await under.parts.reports.put(nodeReport('n1'));
    const raise = jest.spyOn(under.parts.metrics, 'raise');
    const error = jest.spyOn(under.parts.logger, 'error');
    const watch = new EpochWatch(under.parts);
    expect([await watch.look(never), await watch.look(never)]).toEqual([false, false]);
    expect(raise.mock.calls).toEqual([['repository_unreadable']]);
    expect(error).toHaveBeenCalledWith('the rebuild waits', expect.objectContaining({ for_what: expect.stringContaining(bad) as string }));
    error.mockRestore();
    under.shelf.images.delete(digestOf('b'));
    expect(await watch.look(never)).toBe(true);
    expect(await under.parts.store.get(good)).toMatchObject({ state: 'hibernated' });
  });

  it('keeps the care for the others from nothing, is alarming, and is neither missing nor nobody\'s', async () => {
    const { parts, shelf } = under;
    await parts.epoch.open();
    const asleep = await sessionIn(parts.store, 'hibernated', { snapshot_digest: digestOf('a') });
    const [unrecorded, orphan] = [newSessionId(), newSessionId()];
    shelf.put(digestOf('a'), labelsOf(asleep.id, { gen: asleep.gen }));
    shelf.put(digestOf('b'), labelsOf(unrecorded));
    shelf.put(digestOf('c'), labelsOf(orphan));
    damage(asleep.id);
    damage(unrecorded);
    const raise = jest.spyOn(parts.metrics, 'raise');
    const care = new RegistryCare();
    await care.round(parts, never);
    await skipClock(redis, 60_000);
    await care.round(parts, never);
    expect(shelf.sessions().sort()).toEqual([asleep.id, unrecorded].sort());
    expect(raise.mock.calls).toEqual([['repository_unreadable'], ['repository_unreadable']]);
  });

  it('keeps what else there is of its session, when it is the snapshot itself that cannot be read (I2)', async () => {
    const { parts, shelf } = under;
    await parts.epoch.open();
    const asleep = await sessionIn(parts.store, 'hibernated', { snapshot_digest: digestOf('a') });
    shelf.put(digestOf('b'), labelsOf(asleep.id, { gen: asleep.gen }));
    const { resolve } = shelf;
    shelf.resolve = async (repository, reference) => {
      if (reference === digestOf('a')) throw new CodedError('registry_unreachable', 'the registry answers 500', { details: { status: 500 }, retryable: true });
      return resolve(repository, reference);
    };
    const care = new RegistryCare();
    for (let rounds = 0; rounds < 4; rounds += 1) {
      await care.round(parts, never);
      await skipClock(redis, 60_000);
    }
    expect(shelf.sessions()).toEqual([asleep.id]);
  });

  it('is told from a registry that nobody stands behind: then nothing at all is decided', async () => {
    const { parts, shelf } = under;
    await parts.epoch.open();
    const id = newSessionId();
    shelf.put(digestOf('a'), labelsOf(id));
    damage(id, 503);
    await expect(new RegistryCare().round(parts, never)).rejects.toMatchObject({ code: 'registry_unreachable' });
  });
});
