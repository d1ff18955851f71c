import { type SessionRecord, nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { DiskPromises } from '../src/disk-space';
import { hibernateSession } from '../src/hibernate-session';
import { Agents } from './agents';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

/** The nodes of the test are small: what goes on running is put to sleep after all. */
async function makeRoom(record: SessionRecord): Promise<void> {
  if (record.state === 'running') await agents.claimSleep(record);
  await agents.drain();
  await agents.until(record.id, 'hibernated');
}

describe('a session that cannot be put to sleep is refused before the freeze, with an alarm; it goes on and is told why (F27)', () => {
  const MARGIN = 512 * 1024 * 1024;
  const HOLE = 4 << 20;

  /** One attempt of a session that holds a sparse file, on a node that is as told. */
  async function attempt(of: { freeBytes?: number; layerCount?: number }) {
    const { record, container } = await agents.running();
    container.write('/home/vibe/hole', '\0'.repeat(HOLE));
    const before = container.cpuNs;
    const claimed = await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    agents.raised.length = 0;
    const { parts } = agents.agentOn(record.node_id);
    const { freeBytes = 1e12, layerCount } = of;
    const inspectImage: typeof parts.engine.inspectImage = async (...args) => {
      const image = await parts.engine.inspectImage(...args);
      return image && layerCount !== undefined ? { ...image, layerCount } : image;
    };
    const engine = Object.assign(Object.create(parts.engine) as typeof parts.engine, { inspectImage });
    await hibernateSession({ ...parts, engine, disk: () => Promise.resolve({ totalBytes: 1e12, freeBytes }) }, { session_id: record.id, rev: claimed.rev }, contextOf());
    const now = await agents.require(record.id);
    // It was never thawed: it was never frozen.
    if (now.state === 'running') expect([container.cpuNs, container.status]).toEqual([before, 'running']);
    const raised = [...agents.raised];
    await makeRoom(now);
    return { state: now.state, reason: now.reason ?? '', raised };
  }

  it('when the apparent size of what it wrote, holes included, leaves less than the margin', async () => {
    // The fake writes a few bytes of its own beside the hole.
    expect(await attempt({ freeBytes: MARGIN + HOLE - 1 })).toEqual({ state: 'running', reason: expect.stringContaining('too little free disk') as string, raised: ['disk_full'] });
    expect(await attempt({ freeBytes: MARGIN + HOLE + 4096 })).toEqual({ state: 'hibernated', reason: '', raised: [] });
  });

  it('when its image has 100 layers: the Engine fails at 125 (F26)', async () => {
    expect(await attempt({ layerCount: 100 })).toEqual({ state: 'running', reason: expect.stringContaining('100 layers deep') as string, raised: ['too_many_layers'] });
    expect(await attempt({ layerCount: 99 })).toEqual({ state: 'hibernated', reason: '', raised: [] });
  });
});

describe('the disk that a snapshot needs (F27)', () => {
  const MIB = 1024 * 1024;
  const MARGIN = 512 * MIB;
  const full = expect.stringContaining('too little free disk') as string;

  /** A session that falls asleep on a node with a disk of its own, whose promises outlive the attempt. */
  async function falling(disk: () => { totalBytes: number; freeBytes: number }, diskPromises = new DiskPromises()) {
    const { record, container } = await agents.running();
    container.write('/home/vibe/big', '\0'.repeat(4 * MIB));
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    const attempt = async () => {
      const claimed = await agents.claimSleep(record);
      agents.line.waiting.length = 0;
      const { parts } = agents.agentOn(record.node_id);
      await hibernateSession({ ...parts, diskPromises, disk: () => Promise.resolve(disk()) }, { session_id: record.id, rev: claimed.rev }, contextOf());
      return agents.require(record.id);
    };
    return { record, container, attempt, diskPromises, http: agents.fake.engine(node.name).http };
  }

  it('is a tenth of the disk when its layer cannot be measured', async () => {
    let freeBytes = MARGIN + 100 * MIB - 1;
    const { container, attempt } = await falling(() => ({ totalBytes: 1_000 * MIB, freeBytes }));
    container.isMeasurable = false;
    expect(await attempt()).toMatchObject({ state: 'running', reason: full });
    freeBytes += 1;
    expect(await attempt()).toMatchObject({ state: 'hibernated' });
  });

  it('is not counted on by two attempts at once; what an attempt was promised is free when it ends, whatever way', async () => {
    // Room for one of them and half of another.
    const disk = () => ({ totalBytes: 1e12, freeBytes: MARGIN + 6 * MIB });
    const one = await falling(disk);
    const other = await falling(disk, one.diskPromises);
    const held = one.http.hold(/POST .*\/commit/);
    const sleeping = one.attempt();
    await held.reached;
    expect(await other.attempt()).toMatchObject({ state: 'running', reason: full });
    held.fail(500);
    expect(await sleeping).toMatchObject({ state: 'running', failures: 1 });
    expect(await other.attempt()).toMatchObject({ state: 'hibernated' });
    // Its second attempt does not count beside its first.
    expect(await one.attempt()).toMatchObject({ state: 'hibernated' });
  });

  it('is free for others as soon as the commit has taken it, however long the push goes on', async () => {
    let freeBytes = MARGIN + 9 * MIB;
    const one = await falling(() => ({ totalBytes: 1e12, freeBytes }));
    const other = await falling(() => ({ totalBytes: 1e12, freeBytes }), one.diskPromises);
    const held = one.http.hold(/POST .*\/push/);
    const sleeping = one.attempt();
    await held.reached;
    freeBytes -= 4 * MIB;
    const saved = other.attempt();
    held.release();
    expect(await saved).toMatchObject({ state: 'hibernated' });
    expect(await sleeping).toMatchObject({ state: 'hibernated' });
  });

  it('is looked at once more when the container stands still: what it wrote meanwhile counts, and it goes on with all of it', async () => {
    const { record, container, attempt, http } = await falling(() => ({ totalBytes: 1e12, freeBytes: MARGIN + 6 * MIB }));
    const held = http.hold(/POST .*\/pause/);
    agents.raised.length = 0;
    const sleeping = attempt();
    await held.reached;
    container.write('/home/vibe/bigger', '\0'.repeat(4 * MIB));
    held.release();
    expect(await sleeping).toMatchObject({ state: 'running', reason: full });
    expect(agents.raised).toEqual(['disk_full']);
    expect(container.status).toBe('running');
    expect(container.files.has('/home/vibe/bigger')).toBe(true);
    expect(await agents.tagsOf(record.id)).toEqual([]);
    await makeRoom(await agents.require(record.id));
  });
});

describe('a session that could not be saved', () => {
  it('raises an alarm when the registry cannot be reached at the push (F8)', async () => {
    const { record } = await agents.running();
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    node.pushFault = 'fails';
    agents.raised.length = 0;
    await agents.claimSleep(record);
    await agents.drain();
    const now = await agents.until(record.id, 'running');
    expect(agents.raised).toEqual(['hibernation_failed']);
    node.pushFault = null;
    await makeRoom(now);
  });

  it('is tried again after 1, 2, 4, 8, 16 and then 30 minutes, for as long as the registry is away (F8)', async () => {
    const { record } = await agents.running();
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    node.pushFault = 'fails';
    const waits: [failures: number, minutes: number][] = [];
    for (let tries = 0; tries < 7; tries += 1) {
      await agents.claimSleep(record);
      await agents.drain();
      const { failures, retry_after = 0, state_since } = await agents.until(record.id, 'running');
      // The move that says so comes some milliseconds after the clock was read for it.
      waits.push([failures, Math.ceil((retry_after - state_since) / 60_000)]);
      await agents.skipClock(retry_after - state_since);
    }
    expect(waits).toEqual([[1, 1], [2, 2], [3, 4], [4, 8], [5, 16], [6, 30], [7, 30]]);
    node.pushFault = null;
    await makeRoom(await agents.require(record.id));
  });

  it('is tried every two minutes, and says so, when its container ended: an older wait does not count (F8)', async () => {
    const { record } = await agents.running();
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    node.pushFault = 'fails';
    await agents.claimSleep(record);
    await agents.drain();
    expect((await agents.until(record.id, 'running')).retry_after).toBeGreaterThan(await agents.store.now());
    const { rev } = await agents.claimSleep(record);
    agents.containerOf(record.id).end();
    await agents.until(record.id, 'hibernating', ({ hibernate_reason }) => hibernate_reason === 'ended');
    const attempt = async () => {
      agents.raised.length = 0;
      agents.line.waiting.length = 0;
      await agents.line.add(nodeQueueOf(node.id), nodeJobs.hibernate, { session_id: record.id, rev });
      const error = await agents.drain().then(() => null, (failure: unknown) => failure);
      return { hasFailed: error !== null, raised: [...agents.raised] };
    };
    const before = await agents.store.now();
    expect(await attempt()).toEqual({ hasFailed: true, raised: ['hibernation_failed'] });
    const failed = await agents.require(record.id);
    expect(failed).toMatchObject({ state: 'hibernating', rev, hibernate_reason: 'ended', reason: expect.stringContaining('could not be saved yet') as string });
    expect(failed.retry_after).toBeGreaterThanOrEqual(before + 120_000);
    node.pushFault = null;
    expect(await attempt()).toEqual({ hasFailed: false, raised: [] });
    expect(await agents.require(record.id)).toEqual(failed);
    await agents.skipClock(120_000);
    expect(await attempt()).toEqual({ hasFailed: false, raised: [] });
    const saved = await agents.until(record.id, 'hibernated');
    expect([saved.retry_after, saved.reason]).toEqual([undefined, undefined]);
  });

  it('is told which file it is when a name is one that layers keep for themselves', async () => {
    const { record, container } = await agents.running();
    container.write('/home/vibe/.wh.note', 'mine');
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    node.pushFault = 'fails';
    await agents.claimSleep(record);
    await agents.drain();
    expect(await agents.until(record.id, 'running')).toMatchObject({ reason: 'It could not be put to sleep: no snapshot can hold the name /home/vibe/.wh.note; rename or delete it.' });
    expect(container.status).toBe('running');

    const { rev } = await agents.claimSleep(record);
    agents.containerOf(record.id).end();
    await agents.until(record.id, 'hibernating', ({ hibernate_reason }) => hibernate_reason === 'ended');
    await agents.drain().catch(() => undefined);
    expect(await agents.require(record.id)).toMatchObject({ rev, reason: expect.stringContaining('no snapshot can hold the name /home/vibe/.wh.note; whoever runs this machine has to rename it there') as string });
    container.written.delete('/home/vibe/.wh.note');
    node.pushFault = null;
    await agents.skipClock(120_000);
    await agents.line.add(nodeQueueOf(node.id), nodeJobs.hibernate, { session_id: record.id, rev });
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it('goes on running beside a registry that does not have the base image: what is proven there is missing when the right one is back', async () => {
    const { record, container } = await agents.running();
    agents.registry.fault(/vibe-terminal\/manifests/, 'unknown');
    await agents.claimSleep(record);
    await agents.drain();
    agents.registry.clearFaults();
    expect(await agents.until(record.id, 'running')).toMatchObject({ container_id: container.id, failures: 1 });
    expect(container.status).toBe('running');
    await makeRoom(await agents.require(record.id));
  });
});
