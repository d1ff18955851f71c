import { nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import { readAudit } from '@vibe/session-store';
import { Freezer } from '../src/freezer';
import { hibernateSession } from '../src/hibernate-session';
import { Agents, settingsOfTest } from './agents';
import { contextOf, waitingOf } from './job-line';

jest.setTimeout(300_000);

const IDLE_MS = settingsOfTest.IDLE_TIMEOUT_MINUTES * 60_000;

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());
afterEach(() => {
  agents.registry.clearFaults();
  for (const name of ['worker1', 'worker2']) agents.fake.engine(name).node.pushFault = null;
});

const nodeOf = (nodeId: string | undefined) => agents.fake.swarm.nodes.find((node) => node.id === nodeId)!;
const engineOf = (nodeId: string | undefined) => agents.fake.engine(nodeOf(nodeId).name);

/** Runs the node's job and waits until one call to its Engine is held; `go` lets it end. */
async function stopAt(id: string, nodeId: string | undefined, call: RegExp) {
  const held = engineOf(nodeId).http.hold(call);
  const [job] = agents.line.waiting.splice(agents.line.waiting.findIndex(({ payload }) => (payload as { session_id: string }).session_id === id), 1);
  const ended = agents.take(job!, contextOf());
  await held.reached;
  return { held, ended };
}

describe('putting a session to sleep', () => {
  it('ends with a proven snapshot that carries session, user, generation and time as labels, and with no container, service or secret', async () => {
    const { record, container } = await agents.running();
    container.type('typed before the sleep');
    await agents.store.progress({ id: record.id, rev: record.rev, set: { may_lack: 'of an older snapshot' } });
    await agents.claimSleep(record);
    await agents.drain();
    const asleep = await agents.until(record.id, 'hibernated');
    expect(asleep).toMatchObject({ gen: 1, snapshot_rev: 3, failures: 0 });
    expect(asleep).not.toHaveProperty('container_id');
    expect(asleep).not.toHaveProperty('may_lack');
    expect(await agents.tagsOf(record.id)).toEqual([expect.stringMatching(/^g1-r3-/)]);
    const seen = await agents.agent('manager').parts.registry.inspectSnapshot(`vibe-session-${record.id}`, asleep.snapshot_digest!);
    expect(seen.labels).toMatchObject({ session_id: record.id, user_id: 'ann', gen: 1, rev: 3, container_id: container.id });
    // Its time is Redis' own.
    expect(Math.abs((seen.labels?.taken ?? 0) - asleep.state_since)).toBeLessThan(60_000);
    await agents.fake.swarm.when('the container is gone', () => agents.fake.swarm.containersOf(record.id).length === 0);
    expect(agents.fake.swarm.services.some(({ spec }) => spec.Name.includes(record.id))).toBe(false);
    expect(agents.fake.swarm.secrets.some(({ name }) => name.includes(record.id))).toBe(false);
  });

  it('lets the launcher save the shell before the freeze, and only then', async () => {
    const asleep = await agents.asleep();
    const woken = await agents.claimWake(asleep.id);
    await agents.drain();
    await agents.until(woken.id, 'running');
    expect(agents.containerOf(asleep.id).files.get('/home/vibe/.vibe/saved')).toBe('saved');
  });

  it.each([
    ['committing', /POST .*\/commit/],
    ['pushing', /POST .*\/push/],
  ])('is cancelled by a return while %s: thawed, the same container, nothing lost, the tag left to registry care', async (_step, call) => {
    const { record, container } = await agents.running();
    container.type('one');
    const claimed = await agents.claimSleep(record);
    const { held, ended } = await stopAt(record.id, record.node_id, call);
    expect(container.status).toBe('paused');
    const back = await agents.store.move({ id: record.id, rev: claimed.rev, to: 'running', actor: 'test' });
    expect(back.outcome).toBe('moved');
    await agents.fake.swarm.when('it is thawed', () => container.status === 'running');
    held.release();
    await ended;
    container.type('two');
    expect(container.files.get('/home/vibe/workspace/typed')).toBe('one\ntwo\n');
    expect(await agents.require(record.id)).toMatchObject({ state: 'running', gen: 1, rev: claimed.rev + 1 });
    expect(agents.containerOf(record.id)).toBe(container);
  });

  it('moves nothing and thaws nothing when a hung handler ends after cancel, typing and a new sleep at the same generation (F3)', async () => {
    const { record, container } = await agents.running();
    const first = await agents.claimSleep(record);
    const { held, ended } = await stopAt(record.id, record.node_id, /POST .*\/push/);
    await agents.store.move({ id: record.id, rev: first.rev, to: 'running', actor: 'test' });
    await agents.fake.swarm.when('it is thawed', () => container.status === 'running');
    container.type('typed in between');
    await agents.claimSleep(record);
    await agents.drain();
    const asleep = await agents.until(record.id, 'hibernated');
    held.release();
    await ended;
    expect(await agents.require(record.id)).toEqual(asleep);
    await agents.wake(record.id);
    expect(agents.containerOf(record.id).files.get('/home/vibe/workspace/typed')).toBe('typed in between\n');
  });

  it.each(['lies', 'fails', 'cuts'] as const)('goes on running, with a reason and a later try, when the push %s (F8, F9)', async (fault) => {
    const { record, container } = await agents.running();
    nodeOf(record.node_id).pushFault = fault;
    await agents.claimSleep(record);
    await agents.drain();
    const back = await agents.until(record.id, 'running');
    expect(back).toMatchObject({ failures: 1, reason: expect.stringContaining('could not be put to sleep') as string });
    expect(back.retry_after).toBeGreaterThan(back.state_since);
    expect(container.status).toBe('running');
    expect(waitingOf(agents.line, swarmJobs.retire)).toEqual([]);
  });

  it.each([
    ['corrupt', /GET .*\/blobs\//],
    ['cut', /GET .*\/blobs\//],
    ['unknown', /GET .*\/manifests\/sha256/],
  ] as const)('believes no push whose read-back is %s', async (fault, calls) => {
    const { record, container } = await agents.running();
    agents.registry.fault(calls, fault);
    await agents.claimSleep(record);
    await agents.drain();
    expect(await agents.until(record.id, 'running')).toMatchObject({ failures: 1 });
    expect(container.status).toBe('running');
  });

  it('does not pass the commit point when anything ran between freeze and proof: the CPU counter is the witness', async () => {
    const { record, container } = await agents.running();
    await agents.claimSleep(record);
    const { held, ended } = await stopAt(record.id, record.node_id, /POST .*\/push/);
    // Somebody with a Docker socket of their own.
    container.unpause();
    container.pause();
    held.release();
    await ended;
    expect(await agents.require(record.id)).toMatchObject({ state: 'running', failures: 1 });
    expect(container.status).toBe('running');
  });

  it('saves a container that ended while it was frozen, as it was, at the next attempt (F2, F16)', async () => {
    const { record, container } = await agents.running();
    container.type('typed before the Engine died');
    const claimed = await agents.claimSleep(record);
    const { held, ended } = await stopAt(record.id, record.node_id, /POST .*\/push/);
    // The agent dies with the Engine; the claim stays, and the reaper adds its job again.
    container.end();
    agents.agentOn(record.node_id).parts.underWay.noticed({ session_id: record.id, rev: claimed.rev + 1 });
    held.release();
    await ended;
    expect(await agents.require(record.id)).toMatchObject({ state: 'hibernating', rev: claimed.rev });
    await agents.line.add(nodeQueueOf(record.node_id!), nodeJobs.hibernate, { session_id: record.id, rev: claimed.rev });
    await agents.drain();
    await agents.until(record.id, 'hibernated');
    await agents.wake(record.id);
    expect(agents.containerOf(record.id).files.get('/home/vibe/workspace/typed')).toBe('typed before the Engine died\n');
  });

  it('commits again what had ended before the job came', async () => {
    const { record, container } = await agents.running();
    container.type('typed before it ended');
    nodeOf(record.node_id).isEventful = false;
    await agents.claimSleep(record);
    container.pause();
    container.end();
    nodeOf(record.node_id).isEventful = true;
    await agents.drain();
    await agents.until(record.id, 'hibernated');
    await agents.wake(record.id);
    expect(agents.containerOf(record.id).files.get('/home/vibe/workspace/typed')).toBe('typed before it ended\n');
  });

  it('asks again when the kernel could not freeze the container at once', async () => {
    const { record } = await agents.running();
    await agents.claimSleep(record);
    const { held, ended } = await stopAt(record.id, record.node_id, /POST .*\/pause/);
    held.fail(500);
    await ended;
    expect(await agents.until(record.id, 'hibernated')).toMatchObject({ failures: 0 });
    await agents.drain();
  });

  it('takes nobody to sleep who typed between the claim and the freeze (F24)', async () => {
    const { record, container } = await agents.running();
    await agents.claimSleep(record, 'idle');
    container.type('just now');
    await agents.drain();
    expect(await agents.until(record.id, 'running')).toMatchObject({ gen: 1, activity_reason: expect.stringMatching(/input|opened/) as string });
    expect(container.status).toBe('running');
  });

  /** A running session that nobody has used for the idle time, and that the idle clock has on its list. */
  async function idle() {
    const { record, container } = await agents.running();
    const { idleClock } = agents.agentOn(record.node_id).parts;
    const lookAgain = () => idleClock.lookAtAll([{ sessionId: record.id, gen: record.gen, containerId: container.id }]);
    await lookAgain();
    await agents.skipClock(IDLE_MS);
    return { record, container, lookAgain };
  }

  it('takes nobody to sleep whose key, typed before the claim, the idle clock told of after it (F24)', async () => {
    const { record, container, lookAgain } = await idle();
    container.type('a key');
    await agents.claimSleep(record, 'idle');
    await lookAgain();
    await agents.drain();
    expect(await agents.require(record.id)).toMatchObject({ state: 'running', reason: expect.stringContaining('it was used') as string });
  });

  it('is not kept awake by an idle clock that still has its frozen container on the list (F24)', async () => {
    const { record, container, lookAgain } = await idle();
    const { id, rev } = await agents.claimSleep(record, 'idle');
    // An attempt that froze it in time was interrupted.
    await agents.store.progress({ id, rev, set: { step: 'committing', frozen_container: container.id } });
    container.pause();
    await lookAgain();
    await agents.drain();
    expect(await agents.until(record.id, 'hibernated')).toMatchObject({ hibernate_reason: 'idle' });
  });

  it.each([5, -5])('knows when a key was typed on a node whose clock is %i minutes off: ages count, not times (F24)', async (minutes) => {
    const { record, container } = await agents.running();
    const { parts } = agents.agentOn(record.node_id);
    await agents.skipClock(600_000);
    const right = Date.now.bind(Date);
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => right() + minutes * 60_000);
    container.type('a minute ago', undefined, new Date(Date.now() - 60_000));
    await parts.idleClock.lookAtAll([{ sessionId: record.id, gen: 1, containerId: container.id }]);
    clock.mockRestore();
    const ageMs = (await agents.store.now()) - (await agents.require(record.id)).last_activity;
    expect(ageMs).toBeGreaterThanOrEqual(60_000);
    expect(ageMs).toBeLessThan(90_000);
    await agents.claimSleep(record);
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it('counts a key at the next look when Redis could not be told of it', async () => {
    const { record, container } = await agents.running();
    const { parts } = agents.agentOn(record.node_id);
    const look = () => parts.idleClock.lookAtAll([{ sessionId: record.id, gen: 1, containerId: container.id }]);
    await agents.skipClock(60_000);
    await look();
    const before = (await agents.require(record.id)).last_activity;
    await agents.skipClock(60_000);
    container.type('typed while Redis is away', undefined, new Date(Date.now() + 20_000));
    const away = jest.spyOn(parts.store, 'touch').mockRejectedValue(new Error('Redis is away'));
    await look().catch(() => undefined);
    away.mockRestore();
    await look();
    expect((await agents.require(record.id)).last_activity).toBeGreaterThan(before);
    // The nodes of the test are small.
    await agents.claimSleep(record);
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it('does nothing for a job that is late, and writes one audit entry a move', async () => {
    const { record } = await agents.running();
    const claimed = await agents.claimSleep(record);
    await agents.drain();
    await agents.until(record.id, 'hibernated');
    await hibernateSession(agents.agentOn(record.node_id).parts, { session_id: record.id, rev: claimed.rev }, contextOf());
    const moves = (await readAudit(agents.redis, 1_000)).filter((entry) => entry.session === record.id);
    expect(moves.map(({ to }) => to).reverse()).toEqual(['creating', 'running', 'hibernating', 'hibernated']);
    expect(waitingOf(agents.line, nodeJobs.hibernate)).toEqual([]);
  });

  it('leaves a frozen container alone while Redis cannot be read, and thaws it when the record says running (F6b)', async () => {
    const { record, container } = await agents.running();
    await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    const { parts, watch } = agents.agentOn(record.node_id);
    await parts.freezer.freeze(await agents.require(record.id), container.id);
    const blind = { get: () => Promise.reject(new Error('Redis is away')) } as unknown as typeof parts.store;
    const freezer = new Freezer({ engine: parts.engine, logger: parts.logger, store: blind });
    await expect(freezer.thawIfRunning(record.id, 1, container.id)).rejects.toThrow('Redis is away');
    expect(container.status).toBe('paused');
    const now = await agents.require(record.id);
    await agents.store.move({ id: record.id, rev: now.rev, to: 'running', actor: 'test' });
    await watch.resync();
    await agents.fake.swarm.when('it is thawed', () => container.status === 'running');
  });
});
