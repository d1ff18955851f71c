import { newSessionId, nodeJobs, snapshotTagOf } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { keys } from '@vibe/session-store';
import { container, digestOf, labelsOf, never, nodeReport, sessionIn, skipClock, swarmView, useReaper } from '../test/reaper-under-test';
import { reconcile } from './reconcile';
import { DROPS_MAX, RegistryCare } from './registry-care';

const under = useReaper();

describe('a reconcile round', () => {
  it('decides nothing while no manager tells of the Swarm', async () => {
    await under.parts.reports.put(nodeReport('n1', { has_base_image: false }));
    expect(await reconcile(under.parts, never)).toEqual({ steps: 0 });
    expect(under.added).toEqual([]);
  });

  it('asks for the retirement of a service without a record on the second sighting, a minute after the first', async () => {
    const id = newSessionId();
    const services = [{ service_id: 's', session_id: id, user_id: 'ann', name: 'one', created_at: 0, gen: 1, image: 'i' }];
    await under.parts.reports.putSwarmView(swarmView({}, { services }));
    await reconcile(under.parts, never);
    await skipClock(under.redis, 59_000);
    await reconcile(under.parts, never);
    expect(under.added).toEqual([]);
    await skipClock(under.redis, 1_000);
    await reconcile(under.parts, never);
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'retire', payload: { session_id: id, rev: 1, gen: 1, service_id: 's' } }]);
  });

  it('asks for the removal of a container without a service on the second sighting (F23)', async () => {
    const id = newSessionId();
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
    await under.parts.reports.put(nodeReport('n1', { containers: [container(id, { container_id: 'abc' })] }));
    await reconcile(under.parts, never);
    await skipClock(under.redis, 58_000);
    await reconcile(under.parts, never);
    expect(under.added).toEqual([]);
    await skipClock(under.redis, 2_000);
    await reconcile(under.parts, never);
    expect(under.added).toEqual([{ queueName: 'node-n1', name: 'drop-container', payload: { session_id: id, container_id: 'abc' } }]);
  });

  it('takes away the queue of a node that has left the Swarm, on the second sighting, and its name with it', async () => {
    const { parts, added } = under;
    for (const node of ['n1', 'n2', 'n3', 'n4']) await parts.reports.put(nodeReport(node));
    await under.redis.del(keys.node('n2'), keys.node('n3'));
    // n2 is down, n3 has left, n4 is not listed and its agent still tells.
    await parts.reports.putSwarmView(swarmView({ n1: 'ready', n2: 'down' }));
    for (const node of ['n2', 'n3', 'n4']) await parts.queues.add(`node-${node}`, nodeJobs.prepull, { image: 'any' });
    await reconcile(parts, never);
    await skipClock(under.redis, 60_000);
    await under.redis.del(keys.swarmView);
    await reconcile(parts, never);
    expect(added.map(({ queueName }) => queueName)).toEqual(['node-n2', 'node-n3', 'node-n4']);
    await parts.reports.putSwarmView(swarmView({ n1: 'ready', n2: 'down' }));
    await reconcile(parts, never);
    expect(added.map(({ queueName }) => queueName)).toEqual(['node-n2', 'node-n4']);
    expect((await parts.reports.everSeen()).sort()).toEqual(['n1', 'n2', 'n4']);
  });

  it('raises an alarm for a node that is ready and of which no agent tells, on the second sighting', async () => {
    const raise = jest.spyOn(under.parts.metrics, 'raise');
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready', n2: 'ready' }));
    await under.parts.reports.put(nodeReport('n1'));
    await reconcile(under.parts, never);
    expect(raise).not.toHaveBeenCalled();
    await skipClock(under.redis, 60_000);
    await reconcile(under.parts, never);
    expect(raise.mock.calls).toEqual([['agent_missing']]);
    expect(under.added).toEqual([]);
  });

  it('moves a session whose container ended to lost, with the reason', async () => {
    const { id } = await sessionIn(under.parts.store, 'running');
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }));
    await under.parts.reports.put(nodeReport('n1', { containers: [container(id, { container_id: 'c', state: 'exited' })] }));
    await reconcile(under.parts, never);
    expect(await under.parts.store.get(id)).toMatchObject({ state: 'lost', reason: 'The session is lost: its container ended.' });
  });

  it('loses a session on a node that is down only by a view that was seen after it came to run there (F14, I1)', async () => {
    const { store, reports } = under.parts;
    const seenAt = await store.now();
    await skipClock(under.redis, 1);
    const { id } = await sessionIn(store, 'running');
    const ofAnOlderAgent = JSON.stringify({ ...swarmView({ n1: 'down' }), seen_at: undefined });
    await under.redis.set(keys.swarmView, ofAnOlderAgent);
    await reconcile(under.parts, never);
    await reports.putSwarmView(swarmView({ n1: 'down' }, { seen_at: seenAt }));
    await reconcile(under.parts, never);
    expect(await store.get(id)).toMatchObject({ state: 'running' });
    await skipClock(under.redis, 1);
    await reports.putSwarmView(swarmView({ n1: 'down' }, { seen_at: await store.now() }));
    await reconcile(under.parts, never);
    expect(await store.get(id)).toMatchObject({ state: 'lost', reason: 'The session is lost: its node n1 went down.' });
  });
});

describe('registry care', () => {
  const care = () => new RegistryCare().round(under.parts, never);

  it('deletes what is due, and never what a record calls its snapshot', async () => {
    const { id, rev } = await sessionIn(under.parts.store, 'hibernated', { snapshot_digest: digestOf('a') });
    const { shelf, parts } = under;
    const own = shelf.put(digestOf('a'), labelsOf(id, { rev: rev - 1 }));
    const unproven = shelf.put(digestOf('b'), labelsOf(id, { rev: 9 }));
    shelf.put(digestOf('c'), labelsOf(id, { rev: 8 }));
    for (const reference of [own, unproven, digestOf('c'), 'g1-r2-gone2345']) await parts.care.expectTag(id, reference, 0);
    await parts.care.expectTag(id, 'g1-r7-notdue22', 60_000);
    expect(await care()).toMatchObject({ dropped: 2, drop_failed: 0 });
    expect([...shelf.images.keys()]).toEqual([digestOf('a')]);
    expect(await parts.care.due(10)).toEqual([]);
  });

  it('waits for a hibernation that has not come to its commit point', async () => {
    const { id, rev } = await sessionIn(under.parts.store, 'hibernating');
    const { shelf, parts } = under;
    const tag = shelf.put(digestOf('b'), labelsOf(id, { rev }), snapshotTagOf(1, rev, 'bbbbbbbb'));
    await parts.care.expectTag(id, tag, 0);
    await care();
    expect(shelf.images.size).toBe(1);
    await parts.store.move({ id, rev, to: 'running', actor: 'test' });
    await care();
    expect(shelf.images.size).toBe(0);
  });

  it.each(['wait for a hibernation', 'cannot be read'])('comes to what is due behind more than it looks at in a round, when all of those %s', async (which) => {
    const { shelf, parts } = under;
    const isRead = which !== 'cannot be read';
    const { id, rev } = await sessionIn(parts.store, isRead ? 'hibernating' : 'running');
    for (let n = 0; n <= DROPS_MAX; n += 1) await parts.care.expectTag(id, snapshotTagOf(1, rev, String(n).padStart(8, 'a')), 0);
    const { resolve } = shelf;
    shelf.resolve = async (repository, reference) => {
      if (!isRead && repository.includes(id)) throw new CodedError('registry_unreachable', 'the registry answers 500', { details: { status: 500 }, retryable: true });
      return resolve(repository, reference);
    };
    const other = await sessionIn(parts.store, 'running');
    await skipClock(under.redis, 1_000);
    await parts.care.expectTag(other.id, shelf.put(digestOf('b'), labelsOf(other.id, { rev: 9 })), 0);
    await skipClock(under.redis, 1_000);
    const round = inRounds();
    expect(await round()).toMatchObject({ dropped: 0 });
    await skipClock(under.redis, 1_000);
    expect(await round()).toMatchObject({ dropped: 1 });
    expect(shelf.images.size).toBe(0);
    expect(await parts.care.all()).toHaveLength(DROPS_MAX + 1);
  });

  it('keeps what is due while the registry is away', async () => {
    const { id } = await sessionIn(under.parts.store, 'running');
    await under.parts.care.expectTag(id, 'g1-r2-aaaaaaaa', 0);
    under.shelf.isDown = true;
    await expect(care()).rejects.toThrow('does not answer');
    expect(await under.parts.care.due(10)).toHaveLength(1);
  });

  it('deletes a repository without a record on the second sighting, and no other (F23)', async () => {
    const { id } = await sessionIn(under.parts.store, 'hibernated');
    under.shelf.put(digestOf('d'), labelsOf(id));
    under.shelf.put(digestOf('b'), labelsOf(newSessionId()));
    const round = inRounds();
    expect(await round()).toMatchObject({ steps: 0, unripe: 1 });
    await skipClock(under.redis, 60_000);
    expect(await round()).toMatchObject({ steps: 1, unripe: 0, failed: 0 });
    expect(under.shelf.sessions()).toEqual([id]);
  });

  it('leaves alone a repository without a record whose tags name nothing: such a tag cannot be deleted', async () => {
    const id = newSessionId();
    under.shelf.put(digestOf('b'), labelsOf(id));
    under.shelf.resolve = async () => {
      throw new CodedError('registry_not_found', 'the registry does not have it');
    };
    expect(await care()).toMatchObject({ steps: 0, unripe: 0 });
  });

  it('lets a tag go that its session knows nothing of, on the second sighting, and keeps what is under way (F23)', async () => {
    const { id } = await sessionIn(under.parts.store, 'hibernated');
    const { shelf, parts } = under;
    shelf.put(digestOf('d'), labelsOf(id));
    shelf.put(digestOf('b'), labelsOf(id, { rev: 9 }));
    await parts.care.expectTag(id, shelf.put(digestOf('c'), labelsOf(id, { rev: 8 })), 3_600_000);
    const round = inRounds();
    for (let sighting = 0; sighting < 3; sighting += 1) {
      await round();
      await skipClock(under.redis, 60_000);
    }
    expect([...shelf.images.keys()].sort()).toEqual([digestOf('c'), digestOf('d')]);
  });

  it('raises an alarm for a session that sleeps and whose snapshot is not in the registry, on the second sighting, and leaves it asleep (I5)', async () => {
    const [gone, untagged] = [await sessionIn(under.parts.store, 'hibernated'), await sessionIn(under.parts.store, 'hibernated', { snapshot_digest: digestOf('e') })];
    // A snapshot is used by its digest: its tag may be gone.
    under.shelf.put(digestOf('e'), labelsOf(untagged.id));
    under.shelf.listTags = async () => [];
    const raised: string[] = [];
    const metrics = { ...under.parts.metrics, raise: (alarm: string) => void raised.push(alarm) };
    const round = inRounds({ ...under.parts, metrics });
    await round();
    expect(raised).toEqual([]);
    await skipClock(under.redis, 60_000);
    await round();
    expect(raised).toEqual(['snapshot_missing']);
    expect(await under.parts.store.get(gone.id)).toEqual(gone);
  });

  it.each(['hibernated', 'lost'] as const)('takes no tag from a session that is %s and whose snapshot is missing: an older one, back from a backup, may be all that is left (I2)', async (state) => {
    const { id } = await sessionIn(under.parts.store, state, { snapshot_digest: digestOf('f') });
    under.shelf.put(digestOf('b'), labelsOf(id));
    const round = inRounds();
    await round();
    await skipClock(under.redis, 60_000);
    await round();
    await skipClock(under.redis, 60_000);
    await round();
    expect([...under.shelf.images.keys()]).toEqual([digestOf('b')]);
  });

  it('does nothing to a registry that does not have the base image, and tells a person each round until it has (F12, I2)', async () => {
    const { shelf, parts } = under;
    const asleep = await sessionIn(parts.store, 'hibernated', { snapshot_digest: digestOf('f') });
    shelf.put(digestOf('b'), labelsOf(asleep.id));
    shelf.put(digestOf('c'), labelsOf(newSessionId()));
    const replaced = shelf.put(digestOf('d'), labelsOf(asleep.id, { rev: 9 }));
    for (const reference of [replaced, 'g1-r2-gone2345']) await parts.care.expectTag(asleep.id, reference, 0);
    shelf.hasBaseImage = false;
    const raised: string[] = [];
    const metrics = { ...parts.metrics, raise: (alarm: string) => void raised.push(alarm) };
    const round = inRounds({ ...parts, metrics });
    for (let look = 0; look < 2; look += 1) {
      await round();
      await skipClock(under.redis, 60_000);
    }
    expect(raised).toEqual(['base_image_missing', 'base_image_missing']);
    expect([...shelf.images.keys()]).toEqual([digestOf('b'), digestOf('c'), digestOf('d')]);
    expect(await parts.care.due(10)).toHaveLength(2);
    shelf.hasBaseImage = true;
    expect(await round()).toMatchObject({ dropped: 1, unripe: 2 });
  });

  it('looks at the whole registry every tenth round only, while nothing waits', async () => {
    let looks = 0;
    const catalogue = under.shelf.catalogue;
    under.shelf.catalogue = () => ((looks += 1), catalogue());
    const round = inRounds();
    for (let rounds = 0; rounds < 11; rounds += 1) await round();
    expect(looks).toBe(2);
  });

  /** Rounds of one reaper, one after the other. */
  function inRounds(parts = under.parts) {
    const one = new RegistryCare();
    return () => one.round(parts, never);
  }
});
