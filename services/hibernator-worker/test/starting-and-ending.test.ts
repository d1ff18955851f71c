import { nodeJobs, swarmJobs } from '@vibe/contracts';
import { startSession } from '../src/start-session';
import { MISSING_LOOKS_APART_MS } from '../src/start-failed';
import { START_LOOK_MS, lookAtSlowStarts } from '../src/start-watch';
import { Agents } from './agents';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());
afterEach(() => {
  agents.registry.clearFaults();
  agents.fake.swarm.startPlan = () => 'listens';
  for (const node of agents.fake.swarm.nodes) node.availability = 'active';
});

const servicesOf = (id: string) => agents.fake.swarm.services.filter(({ spec }) => spec.Name.includes(id));

describe('starting', () => {
  it('makes one service by digest with the secret of its generation, and is running when the port listens', async () => {
    const { record } = await agents.running();
    expect(record).toMatchObject({ gen: 1, rev: 2, task_name: expect.stringMatching(`^session-${record.id}\\.1\\.`) as string });
    const [service] = servicesOf(record.id);
    expect(service?.id).toBe(record.service_id);
    expect(service?.spec.TaskTemplate.ContainerSpec.Image).toMatch(/vibe-terminal@sha256:/);
    expect(agents.fake.swarm.secrets.filter(({ name }) => name === `ttyd-${record.id}-g1`)).toHaveLength(1);
    expect(JSON.stringify(service?.spec.TaskTemplate.ContainerSpec.Env)).not.toContain('key-of-the-test');
  });

  it('makes one service when its job runs twice at once, and none when it is late', async () => {
    const { id, rev } = await agents.claimCreate();
    agents.line.waiting.length = 0;
    const { parts } = agents.agent('manager');
    await Promise.all([startSession(parts, { session_id: id, rev }, contextOf()), startSession(parts, { session_id: id, rev }, contextOf())]);
    await agents.until(id, 'running');
    await startSession(parts, { session_id: id, rev }, contextOf());
    expect(servicesOf(id)).toHaveLength(1);
  });

  it('is failed, with the reason, when the container ends before its terminal listens', async () => {
    agents.fake.swarm.startPlan = () => ({ exitCode: 1 });
    const { id } = await agents.claimCreate();
    await agents.drain();
    expect(await agents.until(id, 'failed')).toMatchObject({ reason: expect.stringContaining('exit code 1') as string });
    await agents.drainUntil(() => servicesOf(id).length === 0);
    expect(servicesOf(id)).toEqual([]);
  });
});

describe('waking', () => {
  it('brings back what was there, on another node too, one generation on', async () => {
    const asleep = await agents.asleep();
    const before = agents.fake.swarm.nodes.find(({ id }) => id === asleep.node_id)!;
    before.availability = 'drain';
    await agents.claimWake(asleep.id);
    await agents.drain();
    const woken = await agents.until(asleep.id, 'running');
    expect(woken).toMatchObject({ gen: 2 });
    expect(woken.node_id).not.toBe(asleep.node_id);
    expect(woken.nodes.sort()).toEqual([asleep.node_id, woken.node_id].sort());
    expect(agents.containerOf(asleep.id).files.get('/home/vibe/workspace/typed')).toBe('kept\n');
  });

  it('gives up a node it wished for that has no room, and wakes elsewhere at the next generation', async () => {
    const asleep = await agents.asleep();
    agents.fake.swarm.nodes.find(({ id }) => id === asleep.node_id)!.availability = 'pause';
    await agents.claimWake(asleep.id, asleep.node_id);
    await agents.drain();
    await agents.fake.swarm.when('its task waits', () => agents.fake.swarm.tasks.some(({ state, error }) => state === 'pending' && error !== null));
    await agents.skipClock(START_LOOK_MS);
    await lookAtSlowStarts(agents.agent('manager').parts);
    await agents.drain();
    expect(await agents.until(asleep.id, 'running')).toMatchObject({ gen: 3 });
    expect(servicesOf(asleep.id)).toHaveLength(1);
  });

  it('goes back to sleep with its snapshot when the container dies before its terminal listens (F11b)', async () => {
    const asleep = await agents.asleep();
    agents.fake.swarm.startPlan = () => ({ exitCode: 1 });
    await agents.claimWake(asleep.id);
    await agents.drain();
    const again = await agents.until(asleep.id, 'hibernated');
    expect(again).toMatchObject({ failures: 1, snapshot_digest: asleep.snapshot_digest });
    expect(await agents.tagsOf(asleep.id)).toHaveLength(1);
  });

  it('stays asleep and safe while the registry does not answer (F11)', async () => {
    const asleep = await agents.asleep();
    agents.registry.fault(/manifests/, { status: 503 });
    await agents.claimWake(asleep.id);
    await agents.drain();
    expect(await agents.until(asleep.id, 'hibernated')).toMatchObject({ failures: 1, snapshot_digest: asleep.snapshot_digest });
    expect((await agents.require(asleep.id)).missing_since).toBeUndefined();
  });

  it('is lost only when the registry itself says twice, far enough apart, that the snapshot is not there (F12)', async () => {
    const asleep = await agents.asleep();
    agents.registry.fault(/GET .*manifests/, 'unknown');
    for (let look = 0; look < 2; look++) {
      await agents.claimWake(asleep.id);
      await agents.drain();
      expect(await agents.until(asleep.id, 'hibernated')).toMatchObject({ snapshot_digest: asleep.snapshot_digest });
    }
    await agents.skipClock(MISSING_LOOKS_APART_MS);
    await agents.claimWake(asleep.id);
    await agents.drain();
    expect(await agents.until(asleep.id, 'lost')).toMatchObject({ reason: expect.stringContaining('gone from the registry') as string });
  });

  it('is neither noted as missing nor lost by a registry that does not have the base image either: that is another one, or empty (F12)', async () => {
    const asleep = await agents.asleep();
    agents.registry.fault(/manifests/, 'unknown');
    for (let look = 0; look < 2; look++) {
      await agents.claimWake(asleep.id);
      await agents.drain();
      const again = await agents.until(asleep.id, 'hibernated', ({ failures }) => failures === look + 1);
      expect(again).toMatchObject({ snapshot_digest: asleep.snapshot_digest, reason: expect.stringContaining('Your session is safe there') as string });
      expect(again.missing_since).toBeUndefined();
      await agents.skipClock(MISSING_LOOKS_APART_MS);
    }
    agents.registry.clearFaults();
    await agents.wake(asleep.id);
  });

  it('uses the snapshot by its digest alone: what its tag names by then does not matter', async () => {
    const asleep = await agents.asleep();
    const other = await agents.asleep();
    const repository = `vibe-session-${asleep.id}`;
    const [tag = ''] = await agents.tagsOf(asleep.id);
    // The tag comes to name another image.
    const wrong = agents.registry.store.manifest(`vibe-session-${other.id}`, other.snapshot_digest!)!;
    agents.registry.store.repository(repository)!.tags.set(tag, wrong.digest);
    await agents.wake(asleep.id);
    const [service] = servicesOf(asleep.id);
    expect(service?.spec.TaskTemplate.ContainerSpec.Image).toBe(`registry:5000/${repository}@${asleep.snapshot_digest}`);
    expect(agents.containerOf(asleep.id).files.get('/home/vibe/whose')).toBe(asleep.id);
  });

  it('forgets that a snapshot was missing once the registry has shown it again: only looks in a row count', async () => {
    const asleep = await agents.asleep();
    const wakeInVain = async () => {
      await agents.claimWake(asleep.id);
      await agents.drain();
      await agents.until(asleep.id, 'hibernated');
      await agents.skipClock(MISSING_LOOKS_APART_MS);
    };
    agents.registry.fault(/GET .*manifests/, 'unknown');
    await wakeInVain();
    agents.registry.clearFaults();
    agents.fake.swarm.startPlan = () => ({ exitCode: 1 });
    await wakeInVain();
    agents.registry.fault(/GET .*manifests/, 'unknown');
    await wakeInVain();
  });

  it('replaces the service of an earlier generation that still has the name, and leaves a later one alone', async () => {
    const asleep = await agents.asleep();
    agents.line.waiting.length = 0;
    const { parts } = agents.agent('manager');
    await agents.claimWake(asleep.id);
    await agents.drain();
    const woken = await agents.until(asleep.id, 'running');
    // The retirement of generation 2 never ran.
    await agents.claimSleep(woken);
    const retire = agents.line.waiting;
    await agents.line.drain((job, context) => (job.name === swarmJobs.retire.name ? Promise.resolve() : agents.take(job, context)));
    expect(retire).toEqual([]);
    await agents.until(asleep.id, 'hibernated');
    const claimed = await agents.claimWake(asleep.id);
    await agents.drain();
    expect(await agents.until(asleep.id, 'running')).toMatchObject({ gen: 3 });
    expect(servicesOf(asleep.id)).toHaveLength(1);
    await startSession(parts, { session_id: asleep.id, rev: claimed.rev }, contextOf());
    expect(servicesOf(asleep.id)).toHaveLength(1);
  });
});

describe('ending', () => {
  it('is lost with the reason when its container is killed, and is never replaced (F18)', async () => {
    const { record, container } = await agents.running();
    container.end(137, { isOomKilled: true });
    expect(await agents.until(record.id, 'lost')).toMatchObject({ reason: expect.stringContaining('more memory') as string });
    await agents.drainUntil(() => servicesOf(record.id).length === 0);
    expect(servicesOf(record.id)).toEqual([]);
    expect(agents.fake.swarm.containersOf(record.id)).toEqual([]);
  });

  it('finds by a look what an event did not say (F22)', async () => {
    const { record, container } = await agents.running();
    const { watch } = agents.agentOn(record.node_id);
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    node.isEventful = false;
    container.end(1);
    node.isEventful = true;
    await watch.resync();
    expect(await agents.until(record.id, 'lost')).toMatchObject({ reason: expect.stringContaining('exit code 1') as string });
  });

  it('removes a container made by hand when it is asked to, and never one that its record calls its own (F23)', async () => {
    const { record, container } = await agents.running();
    const node = agents.fake.swarm.nodes.find(({ id }) => id === record.node_id)!;
    const stray = node.run({ name: 'by-hand', image: container.image, reference: container.reference, labels: container.labels });
    const drop = (container_id: string) => agents.line.add(`node-${record.node_id}`, nodeJobs.dropContainer, { session_id: record.id, container_id });
    await drop(stray.id);
    await drop(container.id);
    await agents.drain();
    expect(agents.fake.swarm.containersOf(record.id).map(({ container: left }) => left.id)).toEqual([container.id]);
    expect(await agents.require(record.id)).toMatchObject({ state: 'running', container_id: container.id });
  });

  it('erases everything everywhere and removes the record last', async () => {
    const asleep = await agents.asleep();
    agents.fake.swarm.nodes.find(({ id }) => id === asleep.node_id)!.availability = 'drain';
    await agents.claimWake(asleep.id);
    await agents.drain();
    const { rev } = await agents.until(asleep.id, 'running');
    const moved = await agents.store.move({ id: asleep.id, rev, to: 'deleting', actor: 'test' });
    if (moved.outcome !== 'moved') throw new Error('not deleting');
    await agents.line.add('swarm', swarmJobs.erase, { session_id: asleep.id, rev: moved.record.rev });
    await agents.drain();
    expect(await agents.store.get(asleep.id)).toBeNull();
    expect(await agents.tagsOf(asleep.id)).toEqual([]);
    expect(servicesOf(asleep.id)).toEqual([]);
    expect(agents.fake.swarm.secrets.some(({ name }) => name.includes(asleep.id))).toBe(false);
    for (const node of agents.fake.swarm.nodes) expect(node.images.all().filter(({ config }) => config.Labels['vibe.session'] === asleep.id)).toEqual([]);
  });

  it('is erased although a node that held it has left the Swarm', async () => {
    const asleep = await agents.asleep();
    const moved = await agents.store.move({ id: asleep.id, rev: asleep.rev, to: 'deleting', actor: 'test', addNode: 'left-the-swarm' });
    if (moved.outcome !== 'moved') throw new Error('not deleting');
    await agents.line.add('swarm', swarmJobs.erase, { session_id: asleep.id, rev: moved.record.rev });
    await agents.drain();
    expect(await agents.store.get(asleep.id)).toBeNull();
  });
});
