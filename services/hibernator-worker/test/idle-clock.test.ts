import { Agents } from './agents';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

const HOUR_MS = 3_600_000;

/** A session that nobody has used for hours, and an agent that has never looked at it. */
async function unused() {
  const { record, container } = await agents.running();
  await agents.skipClock(3 * HOUR_MS);
  const { idleClock } = agents.agentOn(record.node_id).parts;
  const look = async () => {
    await idleClock.lookAtAll([{ sessionId: record.id, gen: record.gen, containerId: container.id }]);
    return agents.require(record.id);
  };
  return { record, container, look };
}

describe('the first look of an agent at a session', () => {
  it('does not count as one: CPU that a build uses shows at the second', async () => {
    const { record, container, look } = await unused();
    container.type('long ago', undefined, new Date(Date.now() - 6 * HOUR_MS));
    const first = await look();
    expect([first.looked_at, first.last_activity]).toEqual([undefined, record.last_activity]);
    container.cpuNs += 1e15;
    const second = await look();
    expect(second).toMatchObject({ activity_reason: 'cpu', looked_at: second.last_activity });
  });

  it('tells of a key, as old as it is, and does not count as one', async () => {
    const { record, container, look } = await unused();
    container.type('an hour ago', undefined, new Date(Date.now() - HOUR_MS));
    const first = await look();
    expect(first).toMatchObject({ activity_reason: 'input' });
    expect(first.last_activity).toBeGreaterThan(record.last_activity);
    expect(first).not.toHaveProperty('looked_at');
  });
});
