import { type SessionRecord, nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { keys } from '@vibe/session-store';
import { Agents } from './agents';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const nodeOf = (nodeId: string | undefined) => agents.fake.swarm.nodes.find((node) => node.id === nodeId)!;

/** Runs the session's hibernation until its push is held at the Engine; `go` lets it end. */
async function stopAtPush(nodeId: string | undefined) {
  const held = agents.fake.engine(nodeOf(nodeId).name).http.hold(/POST .*\/push/);
  const ended = agents.take(agents.line.waiting.shift()!, contextOf());
  await held.reached;
  return async () => {
    held.release();
    await ended.catch(() => undefined);
  };
}

/** Somebody removes the session's service by hand. */
async function remove({ id, node_id, service_id }: SessionRecord, { isEventful = true } = {}): Promise<void> {
  const node = nodeOf(node_id);
  node.isEventful = isEventful;
  await agents.agent('manager').parts.engine.removeService(service_id!);
  await agents.fake.swarm.when('the container is gone', () => ![...node.containers.values()].some(({ name }) => name.includes(id)));
  node.isEventful = true;
}

describe('a container that dies at the wrong time', () => {
  it('is lost only for an agent that has watched Redis for a while: one that has just started cannot tell that it went back (F19, I2)', async () => {
    const { record } = await agents.running();
    agents.areRested = false;
    try {
      await remove(record);
      const { watch } = agents.agentOn(record.node_id);
      await watch.resync();
      expect(await agents.require(record.id)).toMatchObject({ state: 'running', rev: record.rev });
      agents.areRested = true;
      await watch.resync();
      expect(await agents.until(record.id, 'lost')).toMatchObject({ reason: 'The session is lost: its container was removed.' });
    } finally {
      agents.areRested = true;
    }
  });

  it('is saved as it ended when it ends frozen while the agent lives on: the claim stays until its layer is in the registry (F2)', async () => {
    const { record, container } = await agents.running();
    container.type('typed before the Engine died');
    const claimed = await agents.claimSleep(record);
    const go = await stopAtPush(record.node_id);
    container.end();
    await go();
    expect(await agents.require(record.id)).toMatchObject({ state: 'hibernating', rev: claimed.rev });
    await agents.line.add(nodeQueueOf(record.node_id!), nodeJobs.hibernate, { session_id: record.id, rev: claimed.rev });
    await agents.drain();
    await agents.until(record.id, 'hibernated');
    await agents.wake(record.id);
    expect(agents.containerOf(record.id).files.get('/home/vibe/workspace/typed')).toBe('typed before the Engine died\n');
  });

  it('is saved when it ends frozen and its user comes back before anybody has saved it: no state without its layer (F2, F16)', async () => {
    const { record, container } = await agents.running();
    container.type('typed before the Engine died');
    const claimed = await agents.claimSleep(record);
    const go = await stopAtPush(record.node_id);
    container.end();
    expect((await agents.store.move({ id: record.id, rev: claimed.rev, to: 'running', actor: 'user:ann', set: { hibernate_reason: null } })).outcome).toBe('moved');
    await go();
    expect(await agents.until(record.id, 'hibernating')).toMatchObject({ hibernate_reason: 'ended', reason: expect.stringContaining('being saved') as string });
    await agents.drain();
    expect(await agents.until(record.id, 'hibernated')).not.toHaveProperty('frozen_container');
    await agents.wake(record.id);
    expect(agents.containerOf(record.id).files.get('/home/vibe/workspace/typed')).toBe('typed before the Engine died\n');
  });

  it('is found by the next look when nobody heard of the return', async () => {
    const { record, container } = await agents.running();
    const claimed = await agents.claimSleep(record);
    const go = await stopAtPush(record.node_id);
    const { watch } = agents.agentOn(record.node_id);
    const thaw = jest.spyOn(watch, 'thaw').mockResolvedValue();
    container.end();
    await agents.store.move({ id: record.id, rev: claimed.rev, to: 'running', actor: 'user:ann' });
    await go();
    await watch.resync();
    await agents.until(record.id, 'hibernating');
    thaw.mockRestore();
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it.each([
    ['an event tells of', true],
    ['the next look finds', false],
  ])('makes its sleep one that cannot be cancelled when it ends in line, which %s: its layer is saved (F2)', async (_how, isEventful) => {
    const { record, container } = await agents.running();
    container.type('typed before the Engine died');
    const claimed = await agents.claimSleep(record);
    nodeOf(record.node_id).isEventful = isEventful;
    container.end();
    nodeOf(record.node_id).isEventful = true;
    if (!isEventful) await agents.agentOn(record.node_id).watch.resync();
    const kept = await agents.until(record.id, 'hibernating', ({ hibernate_reason }) => hibernate_reason === 'ended');
    expect(kept).toMatchObject({ rev: claimed.rev, frozen_container: container.id, reason: expect.stringContaining('being saved') as string });
    await agents.drain();
    await agents.until(record.id, 'hibernated');
    await agents.wake(record.id);
    expect(agents.containerOf(record.id).files.get('/home/vibe/workspace/typed')).toBe('typed before the Engine died\n');
  });

  it('is saved when its user comes back in the moment in which its agent sees that it ended in line (F2)', async () => {
    const { record, container } = await agents.running();
    const claimed = await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    const { parts, watch } = agents.agentOn(record.node_id);
    nodeOf(record.node_id).isEventful = false;
    container.end();
    nodeOf(record.node_id).isEventful = true;
    const progress = parts.store.progress.bind(parts.store);
    const telling = jest.spyOn(parts.store, 'progress').mockImplementationOnce(async (options) => {
      await agents.store.move({ id: record.id, rev: claimed.rev, to: 'running', actor: 'user:ann', set: { hibernate_reason: null } });
      return progress(options);
    });
    await watch.died(container.id);
    telling.mockRestore();
    expect(await agents.require(record.id)).toMatchObject({ state: 'hibernating', hibernate_reason: 'ended' });
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it.each(['running', 'hibernating'] as const)('is lost when its removal was begun and failed while its session was %s: no Engine commits it any more', async (state) => {
    const { record, container } = await agents.running();
    if (state === 'hibernating') await agents.claimSleep(record);
    container.status = 'dead';
    await agents.agentOn(record.node_id).watch.resync();
    await agents.drain();
    await agents.until(record.id, 'lost');
  });

  it('is lost when it ends after it was thawed: the note of the freeze went with the thaw (F18)', async () => {
    const { record, container } = await agents.running();
    const claimed = await agents.claimSleep(record);
    const go = await stopAtPush(record.node_id);
    expect(await agents.require(record.id)).toMatchObject({ frozen_container: record.container_id });
    await agents.store.move({ id: record.id, rev: claimed.rev, to: 'running', actor: 'user:ann' });
    await agents.fake.swarm.when('it is thawed', () => container.status === 'running');
    await go();
    // A thaw whose last word was lost is found by the next look.
    await agents.agentOn(record.node_id).watch.resync();
    await agents.until(record.id, 'running', ({ frozen_container }) => frozen_container === undefined);
    container.end();
    await agents.until(record.id, 'lost');
  });

  it('keeps its claim while its Engine cannot be asked: an Engine that dies ends all it runs', async () => {
    const { record, container } = await agents.running();
    const { parts } = agents.agentOn(record.node_id);
    const claimed = await agents.claimSleep(record);
    const go = await stopAtPush(record.node_id);
    nodeOf(record.node_id).pushFault = 'cuts';
    const inspect = jest.spyOn(parts.engine, 'inspectContainer').mockRejectedValue(new Error('the Engine is away'));
    await go();
    inspect.mockRestore();
    nodeOf(record.node_id).pushFault = null;
    expect(await agents.require(record.id)).toMatchObject({ state: 'hibernating', rev: claimed.rev });
    expect(container.status).toBe('paused');
    await agents.line.add(nodeQueueOf(record.node_id!), nodeJobs.hibernate, { session_id: record.id, rev: claimed.rev });
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it('never stays running by its record alone when it was removed while it was put to sleep', async () => {
    const { record } = await agents.running();
    await agents.claimSleep(record);
    const go = await stopAtPush(record.node_id);
    await remove(record);
    await go();
    const { watch } = agents.agentOn(record.node_id);
    await watch.thaw(record.id);
    await watch.resync();
    await agents.until(record.id, 'lost');
  });

  it('is missed although it was gone before a rebuild said that it runs', async () => {
    const { record } = await agents.running();
    await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    await remove(record);
    // The rebuild believes a report of a moment before.
    const { parts, watch } = agents.agentOn(record.node_id);
    await parts.epoch.close();
    const { id, rev, user_id, created_at, nodes, gen, name, base_image, node_id, container_id } = await agents.require(record.id);
    const fields = { gen, name, base_image, node_id: node_id!, container_id: container_id! };
    await parts.epoch.adopt({ id, fromRev: rev, userId: user_id, state: 'running', createdAt: created_at, lastActivityAgeMs: 0, nodes, fields }, 'reaper');
    await parts.epoch.open();
    await watch.thaw(id);
    await watch.resync();
    await agents.until(id, 'lost');
  });

  it('is found by the next look when Redis could not be told of it', async () => {
    const { record } = await agents.running();
    const { parts, watch } = agents.agentOn(record.node_id);
    await remove(record, { isEventful: false });
    const get = jest.spyOn(parts.store, 'get').mockRejectedValueOnce(new Error('Redis is away'));
    await expect(watch.died(record.container_id!)).rejects.toThrow('Redis is away');
    get.mockRestore();
    await watch.resync();
    await agents.until(record.id, 'lost');
  });

  it('is not called lost by a Redis that was rewound: the container it names may have been retired since (F19)', async () => {
    const { record } = await agents.running();
    const { parts } = agents.agentOn(record.node_id);
    await agents.claimSleep(record);
    await remove(record);
    expect(await parts.epoch.look()).toBe('open');
    await agents.redis.set(keys.moves, 1);
    await expect(agents.drain()).rejects.toMatchObject({ code: 'rebuilding' });
    expect(await agents.require(record.id)).toMatchObject({ state: 'hibernating' });
    expect(await parts.epoch.look()).toBe('absent');
    await parts.epoch.open();
  });

  it('is noticed although the record of another session cannot be read', async () => {
    const { record } = await agents.running();
    const other = await agents.running('eve');
    await agents.redis.hset(keys.session(other.record.id), 'rev', 'no number');
    const { watch } = agents.agentOn(record.node_id);
    await watch.recall();
    await remove(record, { isEventful: false });
    await watch.resync();
    expect(await agents.until(record.id, 'lost')).toMatchObject({ reason: expect.stringContaining('removed') as string });
  });
});
