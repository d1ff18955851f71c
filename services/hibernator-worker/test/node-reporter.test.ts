import { createNodeReporter } from '../src/node-reporter';
import { Agents } from './agents';

jest.setTimeout(300_000);

let agents: Agents;
beforeAll(async () => void (agents = await Agents.start()));
afterAll(() => agents.stop());

describe('what a manager tells of the Swarm', () => {
  it('is as old as its first look, however long its agent hung before it told (F14)', async () => {
    const { parts } = agents.agent('manager');
    const { engine, reports, store } = parts;
    const listNodes = engine.listNodes.bind(engine);
    jest.spyOn(engine, 'listNodes').mockImplementation(async (options) => {
      const nodes = await listNodes(options);
      await agents.skipClock(60_000);
      return nodes;
    });
    const before = await store.now();
    await createNodeReporter(parts)();
    const view = await reports.swarmView();
    expect(view?.nodes).toHaveLength(3);
    expect(view?.seen_at).toBeGreaterThanOrEqual(before);
    expect(view?.seen_at).toBeLessThan(before + 60_000);
  });
});
