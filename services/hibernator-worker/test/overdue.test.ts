import { startSession } from '../src/start-session';
import { eraseSession } from '../src/end-session';
import { Agents } from './agents';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

/** As often as the reaper adds the job of a claim again. */
const ADDED_EVERY_MS = 10_000;

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

/** Does the job again and again until its session is overdue; returns how long it had been in its state then, in ms of Redis' clock, or null after an hour. */
async function overdueAfter(id: string, job: () => Promise<void>): Promise<number | null> {
  for (let ms = 0; ms <= 3_600_000; ms += ADDED_EVERY_MS) {
    if ((await agents.store.overdue(100)).includes(id)) return (await agents.store.now()) - (await agents.require(id)).state_since;
    await job();
    await agents.skipClock(ADDED_EVERY_MS);
  }
  return null;
}

/** The first look after so many ms. */
function expectJustAfter(tookMs: number | null, limitMs: number): void {
  expect(tookMs).toBeGreaterThanOrEqual(limitMs);
  expect(tookMs).toBeLessThan(limitMs + 3 * ADDED_EVERY_MS);
}

describe('work that never comes to its end becomes overdue, although its job is added again every 10 s', () => {
  it('a start that finds no node', async () => {
    for (const node of agents.fake.swarm.nodes) node.availability = 'pause';
    const { id, rev } = await agents.claimCreate();
    const { parts } = agents.agent('manager');
    expectJustAfter(await overdueAfter(id, () => startSession(parts, { session_id: id, rev }, contextOf())), 60_000);
    for (const node of agents.fake.swarm.nodes) node.availability = 'active';
  });

  it('an erasure whose node does not answer', async () => {
    const { id, rev } = await agents.asleep();
    const moved = await agents.store.move({ id, rev, to: 'deleting', actor: 'test' });
    expect(moved.outcome).toBe('moved');
    const { parts } = agents.agent('manager');
    expectJustAfter(await overdueAfter(id, () => eraseSession(parts, { session_id: id, rev: rev + 1 })), 600_000);
  });
});
