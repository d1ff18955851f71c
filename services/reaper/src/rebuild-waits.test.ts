import { newCollectionRun, newSessionId } from '@vibe/contracts';
import { CodedError } from '@vibe/platform';
import { useRedis } from '@vibe/testkit';
import { container, createParts, digestOf, labelsOf, never, nodeReport, swarmView } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';

const HOUR = 3_600_000;

let under: ReturnType<typeof createParts>;
let watch: EpochWatch;
let nowMs = 0;

useRedis((redis) => {
  under = createParts(redis);
  watch = new EpochWatch(under.parts, () => nowMs);
});

const id = newSessionId();
const get = () => under.parts.store.get(id);

/** What the one node reports; each container's service is there. */
async function seen(more: Parameters<typeof nodeReport>[1] = {}): Promise<void> {
  const services = (more.containers ?? []).map((container) => ({ ...container, service_id: container.service_id ?? '', image: 'i' }));
  await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }, { services }));
  await under.parts.reports.put(nodeReport('n1', more));
}

describe('a rebuild', () => {
  it('reads no registry that is being collected, and has an agent go on with that collection: no tick does without an epoch (F10, F20)', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id));
    await seen();
    const run = newCollectionRun();
    await under.parts.collection.begin({ run, step: 'collecting', limitMs: HOUR });
    under.shelf.isReadOnly = true;
    expect(await watch.look(never)).toBe(false);
    expect(under.added).toEqual([{ queueName: 'swarm', name: 'collect', payload: { run } }]);
    expect(await under.parts.epoch.isOpen()).toBe(false);
    under.shelf.isReadOnly = false;
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated' });
  });

  it('does not believe a catalogue that was read while the registry became read-only: what a short one leaves out would be erased (F10, F20)', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id));
    await seen();
    const catalogue = jest.spyOn(under.shelf, 'catalogue').mockImplementationOnce(async () => {
      under.shelf.isReadOnly = true;
      return ['vibe-terminal'];
    });
    expect(await watch.look(never)).toBe(false);
    expect(catalogue).toHaveBeenCalledTimes(1);
    under.shelf.isReadOnly = false;
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('a') });
  });

  it.each([
    ['whose disk is full', 'registry_unreachable', 500],
    ['whose login may only pull', 'registry_error', 403],
  ])('reads a registry %s: it takes no pushes, and is not being collected', async (_which, code, status) => {
    under.shelf.put(digestOf('a'), labelsOf(id));
    await seen();
    under.shelf.takesPushes = () => Promise.reject(new CodedError(code, 'no', { details: { status } }));
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated' });
  });

  it('waits for a registry that nobody is behind', async () => {
    await seen();
    under.shelf.takesPushes = () => Promise.reject(new CodedError('registry_unreachable', 'no', { details: { status: 502 } }));
    expect(await watch.look(never)).toBe(false);
  });

  it('waits for a terminal that is just starting: without a record it would be an orphan in the moment it opens (F20)', async () => {
    await seen({ containers: [container(id, { is_listening: false })] });
    expect(await watch.look(never)).toBe(false);
    nowMs += 119_000;
    expect(await watch.look(never)).toBe(false);
    await seen({ containers: [container(id)] });
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'running' });
  });

  it('waits no longer than 120 s for it, and adopts what is there', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2 }));
    await seen({ containers: [container(id, { gen: 3, is_listening: false })] });
    expect(await watch.look(never)).toBe(false);
    nowMs += 120_000;
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 3, snapshot_digest: digestOf('a') });
  });

  it('does not wait for a node that is drained: neither its agent nor its sessions are there any more (F20)', async () => {
    const { nodes, ...view } = swarmView({ n1: 'ready', n2: 'ready' });
    const tell = (availability: string, state = 'ready') => under.parts.reports.putSwarmView({ ...view, nodes: nodes.map((node) => (node.node_id === 'n2' ? { ...node, availability, state } : node)) });
    await under.parts.reports.put(nodeReport('n1'));
    await tell('pause');
    expect(await watch.look(never)).toBe(false);
    // A manager that has just started has heard of nobody: what it says of a node may be old.
    await tell('drain', 'unknown');
    expect(await watch.look(never)).toBe(false);
    await tell('drain');
    expect(await watch.look(never)).toBe(true);
  });
});
