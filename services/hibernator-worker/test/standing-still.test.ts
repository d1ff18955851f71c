import { nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import { Agents } from './agents';
import { contextOf } from './job-line';

jest.setTimeout(120_000);

/** Longer than ttyd stands still after a save. */
const TOO_LATE_MS = 1_700;

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const engineOf = (nodeId: string | undefined) => agents.fake.engine(agents.fake.swarm.nodes.find(({ id }) => id === nodeId)!.name);

/** A session that is asked to sleep, and its job, not begun. */
async function claimed() {
  const { record, container } = await agents.running();
  container.type('before');
  const claim = await agents.claimSleep(record);
  const job = agents.line.waiting.find(({ payload }) => (payload as { session_id: string }).session_id === record.id)!;
  agents.line.waiting.splice(agents.line.waiting.indexOf(job), 1);
  return { id: record.id, nodeId: record.node_id, rev: claim.rev, container, take: () => agents.take(job, contextOf()) };
}

/** It goes on as if nothing had been: thawed, with its data, and without a snapshot. */
async function expectToGoOn(id: string, container: { status: string; toldAtTheEnd: string[] }, reason: string): Promise<void> {
  expect(await agents.require(id)).toMatchObject({ state: 'running', gen: 1, failures: 1, reason: `It could not be put to sleep: ${reason}.` });
  expect(container.status).toBe('running');
  expect(await agents.tagsOf(id)).toEqual([]);
}

describe('ttyd stands still when the freeze comes, or nobody sleeps (I2, F6c)', () => {
  it('puts a session to sleep whose launcher needs longer than its save may take, but answers', async () => {
    const { id, container, take } = await claimed();
    container.saveTakesMs = 3_000;
    await take();
    expect(await agents.until(id, 'hibernated')).toMatchObject({ failures: 0 });
    await agents.drain();
    expect(container.toldAtTheEnd).toEqual([]);
  });

  it('goes on when the launcher does not answer', async () => {
    const { id, container, take } = await claimed();
    container.saveTakesMs = null;
    await take();
    await expectToGoOn(id, container, 'its terminal did not answer when it was asked to stand still');
  });

  it('goes on when the launcher cannot be asked', async () => {
    const { id, nodeId, container, take } = await claimed();
    const held = engineOf(nodeId).http.hold(/POST .*\/kill/);
    const ended = take();
    await held.reached;
    held.fail(500);
    await ended;
    await expectToGoOn(id, container, 'its terminal did not answer when it was asked to stand still');
  });

  it('goes on when the freeze comes too late', async () => {
    const { id, nodeId, container, take } = await claimed();
    const held = engineOf(nodeId).http.hold(/POST .*\/pause/);
    const ended = take();
    await held.reached;
    await delay(TOO_LATE_MS);
    held.release();
    await ended;
    await expectToGoOn(id, container, 'its machine was too busy to freeze it in time');
  });

  it('goes on when an attempt died before it knew whether its freeze was in time: the next one thaws nothing to freeze it again', async () => {
    const { id, rev, container, take } = await claimed();
    await agents.store.progress({ id, rev, set: { step: 'freezing', frozen_container: container.id } });
    container.pause();
    await take();
    await expectToGoOn(id, container, 'it was interrupted while it was being frozen');
  });

  it('goes on with what an attempt that knew left frozen, and does not thaw it before it sleeps', async () => {
    const { id, nodeId, rev, container, take } = await claimed();
    const held = engineOf(nodeId).http.hold(/POST .*\/push/);
    const hung = take();
    await held.reached;
    container.type('sent while frozen');
    await agents.line.add(nodeQueueOf(nodeId!), nodeJobs.hibernate, { session_id: id, rev });
    await agents.drain();
    expect(await agents.until(id, 'hibernated')).toMatchObject({ failures: 0 });
    held.release();
    await hung;
    expect(container.toldAtTheEnd).toEqual([]);
    await agents.wake(id);
    expect(agents.containerOf(id).files.get('/home/vibe/workspace/typed')).toBe('before\n');
  });
});
