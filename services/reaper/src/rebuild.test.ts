import { newSessionId } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { useRedis } from '@vibe/testkit';
import type { Redis } from 'ioredis';
import { container, createParts, digestOf, labelsOf, never, nodeReport, swarmView } from '../test/reaper-under-test';
import { EpochWatch } from './epoch-watch';

const HOUR = 3_600_000;

let redis: Redis;
let under: ReturnType<typeof createParts>;
let watch: EpochWatch;

useRedis((given) => {
  redis = given;
  under = createParts(redis);
  watch = new EpochWatch(under.parts);
});

const id = newSessionId();
const get = () => under.parts.store.get(id);
const serviceOf = (gen: number) => ({ service_id: `s-${gen}`, session_id: id, user_id: 'ann', name: 'one', created_at: 1, gen, image: 'i' });

describe('a rebuild', () => {
  it('of a first start opens the epoch when every ready node has reported, with nothing to adopt', async () => {
    expect(await watch.look(never)).toBe(false);
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready', n2: 'ready', n3: 'down' }));
    await under.parts.reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(false);
    await under.parts.reports.put(nodeReport('n2'));
    expect(await watch.look(never)).toBe(true);
    expect(await under.parts.epoch.isOpen()).toBe(true);
    expect(await under.parts.store.counts()).toMatchObject({ running: 0 });
  });

  it('waits for nodes that a manager which has just started calls unknown: their sessions would be orphans', async () => {
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready', n2: 'unknown' }));
    await under.parts.reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(false);
    await under.parts.reports.put(nodeReport('n2', { containers: [container(id)] }));
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'running', node_id: 'n2' });
  });

  it('waits for the registry: nothing is adopted before the whole catalogue was read', async () => {
    await seen({});
    under.shelf.isDown = true;
    expect(await watch.look(never)).toBe(false);
    expect(await under.parts.epoch.isOpen()).toBe(false);
    under.shelf.isDown = false;
    expect(await watch.look(never)).toBe(true);
  });

  /** What the one node reports; each container's service is there unless it is named as removed. */
  async function seen(more: Parameters<typeof nodeReport>[1], removed: string[] = []): Promise<void> {
    const services = (more?.containers ?? []).filter(({ session_id }) => !removed.includes(session_id)).map((c) => ({ ...c, service_id: c.service_id ?? '', image: 'i' }));
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }, { services }));
    await under.parts.reports.put(nodeReport('n1', more));
  }

  it('adopts a running container with all that leads to its terminal', async () => {
    await seen({ containers: [container(id, { gen: 3, created_at: 5 })] });
    await watch.look(never);
    const record = await get();
    expect(record).toMatchObject({ state: 'running', user_id: 'ann', name: 'one', gen: 3, created_at: 5, node_id: 'n1', nodes: ['n1'], container_id: `c-${id}`, service_id: `s-${id}`, task_name: 't', base_image: 'registry:5000/vibe-terminal:1' });
    expect(await under.parts.store.idleSince(60_000, 10)).toEqual([]);
  });

  it('adopts a frozen container as running: its agent thaws it', async () => {
    await seen({ containers: [container(id, { state: 'paused' })] });
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'running' });
  });

  it('adopts a frozen container also where its terminal does not listen: only what has been a terminal is ever frozen (F20, I2)', async () => {
    const [unsaved, removed] = [newSessionId(), newSessionId()];
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2 }));
    const frozen = [container(id, { gen: 3 }), container(unsaved), container(removed)].map((one) => ({ ...one, state: 'paused' as const, is_listening: false }));
    await seen({ containers: frozen }, [removed]);
    await watch.look(never);
    for (const session of [id, unsaved]) expect(await under.parts.store.get(session)).toMatchObject({ state: 'running', container_id: `c-${session}`, frozen_container: `c-${session}` });
    expect(await under.parts.store.get(removed)).toBeNull();
  });

  it('counts the generations of services and secrets as used up: none is started twice (I6)', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 1 }));
    await under.parts.reports.putSwarmView(swarmView({ n1: 'ready' }, { services: [serviceOf(2)], secrets: [{ secret_id: 'k', session_id: id, gen: 3 }] }));
    await under.parts.reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 3 });
    expect((await get())?.may_lack).toBeUndefined();
  });

  it.each([
    [1, 'down', 'active'],
    [2, 'down', 'active'],
    [2, 'ready', 'drain'],
  ])('says so when generation %i may have run on, past its snapshot, on a node that is %s (%s)', async (gen, state, availability) => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 1 }));
    const view = swarmView({ n1: 'ready', n2: state }, { services: [serviceOf(gen)] });
    await under.parts.reports.putSwarmView({ ...view, nodes: view.nodes.map((node) => (node.node_id === 'n2' ? { ...node, availability } : node)) });
    await under.parts.reports.put(nodeReport('n1'));
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated', gen, snapshot_digest: digestOf('a'), may_lack: expect.stringContaining('may be missing') as string });
  });

  it('goes on saying so when the session wakes, and when Redis goes back once more, until its next snapshot', async () => {
    const { store, epoch, reports } = under.parts;
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 1 }));
    await reports.putSwarmView(swarmView({ n1: 'ready', n2: 'down' }, { services: [serviceOf(1)] }));
    await reports.put(nodeReport('n1'));
    await watch.look(never);
    for (const to of ['waking', 'running'] as const) await store.move({ id, rev: (await get())?.rev ?? 0, to, actor: 'test', set: { gen: 2 } });
    expect((await get())?.may_lack).toContain('may be missing');

    await epoch.close();
    await watch.look(never);
    await seen({ containers: [container(id, { gen: 2 })] });
    expect(await watch.look(never)).toBe(true);
    expect((await get())?.may_lack).toContain('may be missing');

    await epoch.close();
    await watch.look(never);
    under.shelf.put(digestOf('b'), labelsOf(id, { gen: 2, rev: 9_000_000_000 }));
    await seen({});
    expect(await watch.look(never)).toBe(true);
    expect(await get()).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('b') });
    expect((await get())?.may_lack).toBeUndefined();
  });

  it('adopts a snapshot as asleep, as old as its labels say', async () => {
    const nowMs = await under.parts.store.now();
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2, rev: 9, last_activity: nowMs - 3 * HOUR, taken: nowMs - HOUR }));
    await seen({ images: [{ image_id: 'i', session_id: id, gen: 2, digest: digestOf('a'), refs: [], age_ms: 1 }] });
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 2, snapshot_digest: digestOf('a'), snapshot_bytes: 7, snapshot_rev: 9, node_id: 'n1', nodes: ['n1'] });
    const record = await get();
    expect(record?.last_activity).toBeLessThan(nowMs - 2 * HOUR);
    const leftMs = ((await under.parts.store.deadlineOf(id)) ?? 0) - nowMs;
    expect(leftMs / HOUR).toBeCloseTo(7 * 24 - 1, 1);
  });

  it('prefers a container to a snapshot of its generation, and the higher generation of either', async () => {
    const [same, older, newer] = [newSessionId(), newSessionId(), newSessionId()];
    for (const [session, letter] of [[same, 'a'], [older, 'b'], [newer, 'c']] as const) under.shelf.put(digestOf(letter), labelsOf(session, { gen: 2 }));
    await seen({ containers: [container(same, { gen: 2 }), container(older, { gen: 1 }), container(newer, { gen: 3 })] });
    await watch.look(never);
    const states = await Promise.all([same, older, newer].map(async (session) => under.parts.store.get(session)));
    expect(states.map((record) => [record?.state, record?.gen])).toEqual([['running', 2], ['hibernated', 2], ['running', 3]]);
    expect(states[2]).toMatchObject({ snapshot_digest: digestOf('c') });
  });

  it('prefers the snapshot when the service of a container of its generation was removed: it is past the commit point', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2 }));
    await seen({ containers: [container(id, { gen: 2, state: 'paused' })] }, [id]);
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 2, snapshot_digest: digestOf('a') });
  });

  it('prefers the snapshot to a second container of its generation, which a job of a rewound Redis started from an older one (F19, I2)', async () => {
    const other = newSessionId();
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2, container_id: 'the-first' }));
    under.shelf.put(digestOf('b'), labelsOf(other, { gen: 2, container_id: `c-${other}` }));
    await seen({ containers: [container(id, { gen: 2 }), container(other, { gen: 2 })] });
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 2, snapshot_digest: digestOf('a') });
    expect(await under.parts.store.get(other)).toMatchObject({ state: 'running', gen: 2 });
  });

  it('takes no container for a terminal that does not listen, or that ended and is being removed, but uses its generation up', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2 }));
    const other = newSessionId();
    await seen({ containers: [container(id, { gen: 3, is_listening: false }), container(other, { state: 'exited' })] }, [id, other]);
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 3, snapshot_digest: digestOf('a') });
    expect(await under.parts.store.get(other)).toBeNull();
  });

  it('has a container that ended put to sleep by its agent: nobody can know any more that it was not frozen (F2, F20)', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 2 }));
    await seen({ containers: [container(id, { gen: 3, state: 'exited', is_listening: false })] });
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'running', gen: 3, container_id: `c-${id}`, frozen_container: `c-${id}`, snapshot_digest: digestOf('a') });
  });

  it('of several snapshots of one generation takes the latest that passes the proof, and lets the others go later', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { rev: 3 }));
    under.shelf.put(digestOf('b'), labelsOf(id, { rev: 5 }));
    under.shelf.put(digestOf('c'), labelsOf(id, { rev: 7 }));
    under.shelf.broken.add(digestOf('c'));
    await seen({});
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'hibernated', snapshot_digest: digestOf('b') });
    expect(under.shelf.readBack).toEqual([digestOf('c'), digestOf('b')]);
    expect((await redis.zrange(keys.droppable, 0, -1)).sort()).toEqual([`${id} g1-r3-aaaaaaaa`, `${id} g1-r7-aaaaaaaa`]);
  });

  it('falls back to an older generation when the latest is not whole, and never gives its number again', async () => {
    under.shelf.put(digestOf('a'), labelsOf(id, { gen: 1 }));
    under.shelf.put(digestOf('b'), labelsOf(id, { gen: 2 }));
    under.shelf.broken.add(digestOf('b'));
    await seen({});
    await watch.look(never);
    expect(await get()).toMatchObject({ state: 'hibernated', gen: 2, snapshot_digest: digestOf('a') });
  });

  it("does not take a snapshot whose labels name another session, nor a node's image", async () => {
    under.shelf.images.set(digestOf('a'), { repository: `vibe-session-${id}`, tag: 'g1-r3-aaaaaaaa', labels: labelsOf(newSessionId()), bytes: 1 });
    await seen({ images: [{ image_id: 'i', session_id: newSessionId(), gen: 1, digest: digestOf('b'), refs: [], age_ms: 1 }] });
    await watch.look(never);
    expect(await under.parts.store.allIds()).toEqual([]);
  });
});
