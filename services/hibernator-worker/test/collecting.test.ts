import { newCollectionRun, nodeJobs, swarmJobs } from '@vibe/contracts';
import { armFailpoints } from '@vibe/platform';
import { DRAIN_LIMIT_MS, READ_ONLY_LIMIT_MS, collectGarbage, putRightForgottenCollection } from '../src/collect-garbage';
import type { Agents } from './agents';
import { CollectionStage } from './collecting-stage';
import { contextOf, waitingOf } from './job-line';
import { COLLECTOR, REGISTRY_SERVICE, registrySpec } from './registry-in-swarm';

jest.setTimeout(300_000);

let stage: CollectionStage;
let agents: Agents;
beforeAll(async () => {
  stage = await CollectionStage.start();
  agents = stage.agents;
});
afterAll(() => agents.stop());
beforeEach(() => stage.clear());
afterEach(() => armFailpoints(''));

const isReadOnly = () => agents.registry.store.isReadOnly;

async function erased(): Promise<string[]> {
  const { id, rev } = await agents.asleep();
  const layers = [...agents.registry.store.repository(`vibe-session-${id}`)!.blobs];
  await agents.store.move({ id, rev, to: 'deleting', actor: 'test' });
  await agents.line.add('swarm', swarmJobs.erase, { session_id: id, rev: rev + 1 });
  await agents.drain();
  return layers;
}

describe('collecting the registry', () => {
  it('frees what erased sessions left and keeps what sleeps, read-only meanwhile, and says what it freed and how long it took', async () => {
    const gone = await erased();
    const kept = await agents.asleep();
    const before = gone.filter((digest) => agents.registry.store.blobs.has(digest)).length;
    await stage.ask();
    await agents.drain();
    await stage.expectResumed();
    expect(stage.seenByCollectors).toEqual([false]);
    expect(gone.filter((digest) => agents.registry.store.blobs.has(digest)).length).toBeLessThan(before);
    expect(await stage.collection.last()).toMatchObject({ outcome: 'collected', freed_bytes: expect.any(Number) as number, ms_draining: expect.any(Number) as number, ms_closing: expect.any(Number) as number, ms_collecting: expect.any(Number) as number, ms_opening: expect.any(Number) as number });
    await agents.wake(kept.id);
  });

  it('is the registry without network, secret and restart, and has no task before the registry refuses pushes', async () => {
    armFailpoints('collect.after-prepare=throw');
    await stage.ask();
    await stage.collectUntil(() => stage.services(COLLECTOR).length > 0);
    const [{ spec } = { spec: null }] = stage.services(COLLECTOR);
    expect(spec).toMatchObject({ Mode: { Replicated: { Replicas: 0 } }, TaskTemplate: { RestartPolicy: { Condition: 'none' }, Placement: registrySpec.TaskTemplate.Placement } });
    const { Mounts, Configs, User, Image } = registrySpec.TaskTemplate.ContainerSpec;
    expect(spec?.TaskTemplate.ContainerSpec).toMatchObject({ Mounts, Configs, User, Image, Secrets: [] });
    expect(spec?.TaskTemplate).not.toHaveProperty('Networks');
    await agents.drain();
    await stage.expectResumed();
  });

  it('waits for what is falling asleep, lets nothing begin to, and goes on when a return cancels (F10)', async () => {
    const first = await agents.running();
    const second = await agents.running();
    await agents.claimSleep(first.record);
    const hibernate = agents.line.waiting.splice(0);
    await stage.ask();
    await stage.collectUntil(async () => (await stage.collection.current())?.step === 'draining');
    const { id, rev } = await agents.require(second.record.id);
    expect(await agents.store.move({ id, rev, to: 'hibernating', actor: 'test' })).toMatchObject({ outcome: 'collecting' });
    expect(await agents.require(id)).toMatchObject({ state: 'running', rev });
    for (let look = 0; look < 5; look++) await agents.take(agents.line.waiting[0]!, contextOf()).catch(() => undefined);
    expect(await stage.collection.current()).toMatchObject({ step: 'draining' });
    expect(isReadOnly()).toBe(false);

    const falling = await agents.require(first.record.id);
    await agents.store.move({ id: falling.id, rev: falling.rev, to: 'running', actor: 'test' });
    await agents.drain();
    await stage.expectResumed();
    expect(hibernate.map(({ name }) => name)).toEqual([nodeJobs.hibernate.name]);
    await agents.claimSleep(second.record);
    await agents.drain();
    await agents.until(id, 'hibernated');
  });

  it('wakes what sleeps while the registry is read-only (F10)', async () => {
    const asleep = await agents.asleep();
    stage.collectorPlan = 'hangs';
    await stage.ask();
    await stage.collectUntil(() => stage.seenByCollectors.length > 0);
    expect(isReadOnly()).toBe(true);
    const [job] = agents.line.waiting.splice(0);
    await agents.wake(asleep.id);
    agents.line.waiting.push(job!);
    await agents.skipClock(READ_ONLY_LIMIT_MS);
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'given_up', reason: expect.stringContaining('collecting') as string });
  });

  it('lets a session that is deleted meanwhile be erased afterwards', async () => {
    const { id, rev } = await agents.asleep();
    stage.collectorPlan = 'hangs';
    await stage.ask();
    await stage.collectUntil(() => stage.seenByCollectors.length > 0);
    const moved = await agents.store.move({ id, rev, to: 'deleting', actor: 'test' });
    expect(moved.outcome).toBe('moved');
    const erase = { queue: 'swarm', id: 'erase', name: swarmJobs.erase.name, payload: { session_id: id, rev: rev + 1 } };
    await expect(agents.take(erase, contextOf())).rejects.toMatchObject({ code: 'registry_error' });
    await agents.skipClock(READ_ONLY_LIMIT_MS);
    await agents.drain();
    agents.line.waiting.push(erase);
    await agents.drain();
    expect(await agents.store.get(id)).toBeNull();
    expect(await agents.tagsOf(id)).toEqual([]);
  });

  it('gives up when sessions never cease to fall asleep, and lets them', async () => {
    const { record } = await agents.running();
    await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    await stage.ask();
    await stage.collectUntil(async () => (await stage.collection.current())?.step === 'draining');
    await agents.skipClock(DRAIN_LIMIT_MS);
    await agents.drain();
    await stage.expectResumed();
    expect(stage.seenByCollectors).toEqual([]);
    expect(await stage.collection.last()).toMatchObject({ outcome: 'given_up' });
    const falling = await agents.require(record.id);
    await agents.store.move({ id: falling.id, rev: falling.rev, to: 'running', actor: 'test' });
  });

  it('believes what the registry answers, not that Swarm took an update', async () => {
    const { store } = agents.registry;
    const look = async (times: number) => {
      for (let looks = 0; looks < times; looks++) await agents.take(agents.line.waiting[0]!, contextOf()).catch(() => undefined);
    };
    stage.isLagging = true;
    await stage.ask();
    await stage.collectUntil(() => stage.parts().engine.isRegistryAskedReadOnly(REGISTRY_SERVICE));
    await look(5);
    expect([stage.seenByCollectors, (await stage.collection.current())?.step]).toEqual([[], 'closing']);
    store.isReadOnly = true;
    await stage.collectUntil(async () => (await stage.collection.current())?.step === 'opening');
    await look(5);
    expect(await stage.collection.current()).toMatchObject({ step: 'opening', outcome: 'collected' });
    store.isReadOnly = false;
    await agents.drain();
    await stage.expectResumed();
  });

  it('ends writable when the collector fails', async () => {
    stage.collectorPlan = 'fails';
    await stage.ask();
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('failed') as string });
  });

  it('fails at once where the Swarm has no such service', async () => {
    await collectGarbage({ ...stage.parts(), registryService: 'elsewhere' }, { run: newCollectionRun() }, contextOf()).catch(() => undefined);
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('REGISTRY_SERVICE') as string });
  });

  it('stops the collector when somebody else makes the registry writable', async () => {
    stage.collectorPlan = 'hangs';
    await stage.ask();
    await stage.collectUntil(() => stage.seenByCollectors.length > 0);
    await stage.parts().engine.setRegistryReadOnly(REGISTRY_SERVICE, false, { isStillWanted: () => Promise.resolve(true) });
    await agents.fake.swarm.when('it takes pushes', () => !isReadOnly());
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'failed' });
  });

  it('begins nothing when its job comes again after its end, and goes on with the one under way whichever job comes', async () => {
    const run = newCollectionRun();
    await stage.ask(run);
    await agents.drain();
    await stage.ask(run);
    await agents.drain();
    expect(stage.seenByCollectors).toHaveLength(1);
    await stage.ask();
    await stage.collectUntil(() => stage.collection.current());
    agents.line.waiting.length = 0;
    await stage.ask();
    await agents.drain();
    expect(stage.seenByCollectors).toHaveLength(2);
    await stage.expectResumed();
  });

  it('puts right what an emptied Redis has forgotten', async () => {
    stage.collectorPlan = 'hangs';
    await stage.ask();
    await stage.collectUntil(() => stage.seenByCollectors.length > 0);
    agents.line.waiting.length = 0;
    await agents.redis.del('registry:collection', 'registry:collected');
    await putRightForgottenCollection(stage.parts());
    await putRightForgottenCollection(stage.parts());
    expect(waitingOf(agents.line, swarmJobs.collect)).toHaveLength(1);
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'put_right' });
    await putRightForgottenCollection(stage.parts());
    expect(agents.line.waiting).toEqual([]);
  });

  it('never starts a collector late: whoever saw it before it was removed starts nothing', async () => {
    await stage.ask();
    await stage.collectUntil(() => stage.services(COLLECTOR).length > 0);
    const late = await stage.parts().engine.findCollector();
    await agents.drain();
    await expect(stage.parts().engine.startCollector(late!)).rejects.toMatchObject({ details: { status: 404 } });
    expect(stage.seenByCollectors).toEqual([false]);
  });

  it.each([
    ['before it looked', /^GET \/services\/vibe-state_registry/],
    ['after it looked', /^POST \/services\/[^/]+\/update/],
  ])('is not made writable by an agent that hung at the end of an earlier one, %s', async (_, call) => {
    const endCollector = () => agents.fake.swarm.node('manager').containers.forEach((container) => container.name.startsWith(COLLECTOR) && container.end(0));
    const hangingCollector = async (runs: number) => {
      stage.collectorPlan = 'hangs';
      await stage.ask();
      await stage.collectUntil(() => stage.seenByCollectors.length === runs);
    };
    await hangingCollector(1);
    endCollector();
    armFailpoints('collect.after-removal=throw');
    await stage.collectUntil(async () => (await stage.collection.current())?.step === 'opening' && stage.services(COLLECTOR).length === 0 && isReadOnly());
    const held = agents.fake.engine('manager').http.hold(call);
    const late = agents.take(agents.line.waiting[0]!, contextOf()).catch(() => undefined);
    await held.reached;
    await agents.drain();
    await stage.expectResumed();

    await hangingCollector(2);
    held.release();
    await late;
    expect(await stage.parts().engine.isRegistryAskedReadOnly(REGISTRY_SERVICE)).toBe(true);
    expect(isReadOnly()).toBe(true);
    endCollector();
    await agents.drain();
    await stage.expectResumed();
    expect(await stage.collection.last()).toMatchObject({ outcome: 'collected' });
  });
});
