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

/** Does the job again and again until its session is overdue; returns after how many ms, or null after an hour. */
async function overdueAfter(id: string, job: () => Promise<void>): Promise<number | null> {
  for (let ms = 0; ms <= 3_600_000; ms += ADDED_EVERY_MS) {
    if ((await agents.store.overdue(100)).includes(id)) return ms;
    await job();
    await agents.skipClock(ADDED_EVERY_MS);
  }
  return null;
}

describe('work that never comes to its end becomes overdue, although its job is added again every 10 s', () => {
  it('a start that finds no node', async () => {
    for (const node of agents.fake.swarm.nodes) node.availability = 'pause';
    const { id, rev } = await agents.claimCreate();
    const { parts } = agents.agent('manager');
    expect(await overdueAfter(id, () => startSession(parts, { session_id: id, rev }, contextOf()))).toBe(60_000);
    for (const node of agents.fake.swarm.nodes) node.availability = 'active';
  });

  it('an erasure whose node does not answer', async () => {
    const { id, rev } = await agents.asleep();
    const moved = await agents.store.move({ id, rev, to: 'deleting', actor: 'test' });
    expect(moved.outcome).toBe('moved');
    const { parts } = agents.agent('manager');
    expect(await overdueAfter(id, () => eraseSession(parts, { session_id: id, rev: rev + 1 }))).toBe(600_000);
  });
});
