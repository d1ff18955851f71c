import { keys } from '@vibe/session-store';
import type { Agents } from './agents';
import { CollectionStage } from './collecting-stage';
import { contextOf } from './job-line';

jest.setTimeout(300_000);

let stage: CollectionStage;
let agents: Agents;
beforeAll(async () => {
  stage = await CollectionStage.start();
  agents = stage.agents;
});
afterAll(() => agents.stop());
beforeEach(() => stage.clear());

describe('a collection of the registry', () => {
  it.each(['draining', 'closing', 'collecting'] as const)('gives way to a rebuild when it is %s: that reads no registry which is being collected', async (step) => {
    const { epoch } = agents.agent('manager').parts;
    const { record } = await agents.running();
    if (step === 'draining') await agents.claimSleep(record);
    const [sleep] = agents.line.waiting.splice(0);
    stage.collectorPlan = 'hangs';
    stage.isLagging = step === 'closing';
    await stage.ask();
    await stage.collectUntil(async () => (await stage.collection.current())?.step === step && (step !== 'collecting' || stage.seenByCollectors.length > 0));
    await epoch.close();
    stage.isLagging = false;
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'given_up', reason: 'the records are being put together' });
    await epoch.open();
    if (sleep) agents.line.waiting.push(sleep);
    await agents.drain();
  });

  it('does not wait for a session that ended and could not be saved: it may be a full registry that keeps it from it', async () => {
    const { record } = await agents.running();
    const { rev } = await agents.claimSleep(record);
    const [sleep] = agents.line.waiting.splice(0);
    const retry_after = (await agents.store.now()) + 120_000;
    await agents.store.progress({ id: record.id, rev, set: { hibernate_reason: 'ended', retry_after } });
    await stage.ask();
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'collected' });
    await agents.skipClock(120_000);
    agents.line.waiting.push(sleep!);
    await agents.drain();
    await agents.until(record.id, 'hibernated');
  });

  it('pushes nothing of a session that ended, was put off and whose time has come meanwhile', async () => {
    const { record } = await agents.running();
    const { rev } = await agents.claimSleep(record);
    const [sleep] = agents.line.waiting.splice(0);
    await agents.store.progress({ id: record.id, rev, set: { hibernate_reason: 'ended', retry_after: (await agents.store.now()) + 1_000 } });
    stage.collectorPlan = 'hangs';
    await stage.ask();
    await stage.collectUntil(() => stage.seenByCollectors.length > 0);
    // The registry was deployed anew, and takes pushes.
    agents.registry.store.isReadOnly = false;
    await agents.skipClock(2_000);
    await agents.take(sleep!, contextOf());
    expect(await agents.tagsOf(record.id)).toEqual([]);
    const waits = await agents.require(record.id);
    expect(waits).toMatchObject({ state: 'hibernating', rev });
    expect(waits.retry_after).toBeGreaterThan(await agents.store.now());
    await agents.drain();
    await stage.expectResumed();
    await agents.skipClock(120_000);
    await agents.take(sleep!, contextOf());
    await agents.until(record.id, 'hibernated');
    await agents.drain();
  });

  it('does not wait for a session whose record cannot be read: it pushes nothing', async () => {
    const { record } = await agents.running();
    await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    await agents.redis.hset(keys.session(record.id), 'rev', 'no number');
    await stage.ask();
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'collected' });
    await agents.redis.del(keys.session(record.id));
  });
});
