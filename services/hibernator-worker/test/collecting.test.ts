import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newCollectionRun, nodeJobs, swarmJobs } from '@vibe/contracts';
import { armFailpoints, hitFailpoints } from '@vibe/platform';
import { RegistryCollection } from '@vibe/session-store';
import type { FakeContainer } from '@vibe/testkit';
import { type CollectParts, DRAIN_LIMIT_MS, READ_ONLY_LIMIT_MS, collectGarbage, putRightForgottenCollection } from '../src/collect-garbage';
import { Agents } from './agents';
import { contextOf, waitingOf } from './job-line';

jest.setTimeout(120_000);

const source = readFileSync(join(__dirname, '../src/collect-garbage.ts'), 'utf8');
const failpoints = [...source.matchAll(/failpoint\('([a-z.-]+)'\)/g)].map((match) => match[1] as string);

const REGISTRY_SERVICE = 'vibe-state_registry';
const COLLECTOR = 'vibe-registry-collector';

/** As a stack file makes it, as far as the fake knows such things. */
const registrySpec = {
  Name: REGISTRY_SERVICE,
  Labels: { 'com.docker.stack.namespace': 'vibe-state' },
  TaskTemplate: {
    ContainerSpec: {
      Image: 'registry:2',
      Env: ['OTHER=kept'],
      User: '1000:1000',
      ReadOnly: true,
      CapabilityDrop: ['ALL'],
      Mounts: [{ Type: 'volume', Source: 'vibe-registry', Target: '/var/lib/registry', VolumeOptions: { NoCopy: true } }],
      Configs: [{ ConfigID: 'c', ConfigName: 'vibe-registry-config', File: { Name: '/etc/docker/registry/config.yml', UID: '0', GID: '0', Mode: 0o444 } }],
    },
    RestartPolicy: { Condition: 'any' },
    Placement: { Constraints: ['node.labels.vibe.state == true'] },
  },
  Mode: { Replicated: { Replicas: 1 } },
};

let agents: Agents;
let collection: RegistryCollection;
/** Whether the registry took pushes whenever a collector ran. */
let seenByCollectors: boolean[];
let collectorPlan: 'ends' | 'hangs' | 'fails';

const isOf = (container: FakeContainer, service: string) => container.name.startsWith(`${service}.`);
const services = (name: string) => agents.fake.swarm.services.filter(({ spec }) => spec.Name === name);
const isReadOnly = () => agents.registry.store.isReadOnly;
const parts = (): CollectParts => ({ ...agents.agent('manager').parts, collection, registryService: REGISTRY_SERVICE });

beforeAll(async () => {
  agents = await Agents.start();
  collection = new RegistryCollection(agents.redis);
  const takeOther = agents.take;
  agents.take = (job, context) => (job.name === swarmJobs.collect.name ? collectGarbage(parts(), swarmJobs.collect.payload.parse(job.payload), context) : takeOther(job, context));
  const { node } = agents.fake.engine('manager');
  node.labels.set('vibe.state', 'true');
  await node.load('registry:2', new Map([['/bin/registry', 'it']]));
  agents.fake.swarm.startPlan = (container) => {
    if (isOf(container, REGISTRY_SERVICE)) agents.registry.store.isReadOnly = container.env.some((line) => line === 'REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled":true}');
    if (!isOf(container, COLLECTOR)) return 'listens';
    seenByCollectors.push(!isReadOnly());
    if (collectorPlan === 'hangs') return 'hangs';
    if (collectorPlan === 'fails') return { exitCode: 1 };
    container.printed = `vibe-freed-kib ${Math.ceil(agents.registry.store.collectGarbage() / 1024)}\n`;
    return { exitCode: 0 };
  };
  await parts().engine.createService(registrySpec as unknown as Parameters<CollectParts['engine']['createService']>[0]);
  await agents.fake.swarm.when('the registry runs', () => agents.fake.swarm.tasks.some(({ state }) => state === 'running'));
});
afterAll(() => agents.stop());
beforeEach(() => {
  agents.line.waiting.length = 0;
  seenByCollectors = [];
  collectorPlan = 'ends';
});
afterEach(() => armFailpoints(''));

const ask = (run = newCollectionRun()) => agents.line.add('swarm', swarmJobs.collect, { run });

/** Takes the collection's job until `look` sees what it waits for: it puts itself off again and again. */
async function collectUntil(look: () => unknown): Promise<void> {
  for (let turns = 0; !(await look()); turns++) {
    if (turns > 2_000) throw new Error('the collection never came to this');
    const job = agents.line.waiting.shift();
    if (job) await agents.take(job, contextOf()).catch(() => agents.line.waiting.push(job));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** All is as it always is: writable, no collector, no flag. */
async function expectResumed(): Promise<void> {
  expect(isReadOnly()).toBe(false);
  expect(services(COLLECTOR)).toEqual([]);
  expect(await collection.current()).toBeNull();
  expect(services(REGISTRY_SERVICE)[0]?.spec.TaskTemplate.ContainerSpec.Env).toEqual(['OTHER=kept']);
  expect(seenByCollectors).not.toContain(true);
}

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
    await ask();
    await agents.drain();
    await expectResumed();
    expect(seenByCollectors).toEqual([false]);
    expect(gone.filter((digest) => agents.registry.store.blobs.has(digest)).length).toBeLessThan(before);
    expect(await collection.last()).toMatchObject({ outcome: 'collected', freed_bytes: expect.any(Number) as number, ms_draining: expect.any(Number) as number, ms_closing: expect.any(Number) as number, ms_collecting: expect.any(Number) as number, ms_opening: expect.any(Number) as number });
    await agents.claimWake(kept.id);
    await agents.drain();
    await agents.until(kept.id, 'running');
  });

  it('is the registry without network, secret and restart, and has no task before the registry refuses pushes', async () => {
    armFailpoints('collect.after-prepare=throw');
    await ask();
    await collectUntil(() => services(COLLECTOR).length > 0);
    const [{ spec } = { spec: null }] = services(COLLECTOR);
    expect(spec).toMatchObject({ Mode: { Replicated: { Replicas: 0 } }, TaskTemplate: { RestartPolicy: { Condition: 'none' }, Placement: registrySpec.TaskTemplate.Placement } });
    const { Mounts, Configs, User, Image } = registrySpec.TaskTemplate.ContainerSpec;
    expect(spec?.TaskTemplate.ContainerSpec).toMatchObject({ Mounts, Configs, User, Image, Secrets: [] });
    expect(spec?.TaskTemplate).not.toHaveProperty('Networks');
    await agents.drain();
    await expectResumed();
  });

  it('waits for what is falling asleep, lets nothing begin to, and goes on when a return cancels (F10)', async () => {
    const first = await agents.running();
    const second = await agents.running();
    await agents.claimSleep(first.record);
    const hibernate = agents.line.waiting.splice(0);
    await ask();
    await collectUntil(async () => (await collection.current())?.step === 'draining');
    const { id, rev } = await agents.require(second.record.id);
    expect(await agents.store.move({ id, rev, to: 'hibernating', actor: 'test' })).toMatchObject({ outcome: 'collecting' });
    expect(await agents.require(id)).toMatchObject({ state: 'running', rev });
    for (let look = 0; look < 5; look++) await agents.take(agents.line.waiting[0]!, contextOf()).catch(() => undefined);
    expect(await collection.current()).toMatchObject({ step: 'draining' });
    expect(isReadOnly()).toBe(false);

    const falling = await agents.require(first.record.id);
    await agents.store.move({ id: falling.id, rev: falling.rev, to: 'running', actor: 'test' });
    await agents.drain();
    await expectResumed();
    expect(hibernate.map(({ name }) => name)).toEqual([nodeJobs.hibernate.name]);
    await agents.claimSleep(second.record);
    await agents.drain();
    await agents.until(id, 'hibernated');
  });

  it('wakes what sleeps while the registry is read-only (F10)', async () => {
    const asleep = await agents.asleep();
    collectorPlan = 'hangs';
    await ask();
    await collectUntil(() => seenByCollectors.length > 0);
    expect(isReadOnly()).toBe(true);
    const [job] = agents.line.waiting.splice(0);
    await agents.claimWake(asleep.id);
    await agents.drain();
    await agents.until(asleep.id, 'running');
    agents.line.waiting.push(job!);
    await agents.skipClock(READ_ONLY_LIMIT_MS);
    await agents.drain();
    await expectResumed();
    expect(await collection.last()).toMatchObject({ outcome: 'given_up', reason: expect.stringContaining('collecting') as string });
  });

  it('gives up when sessions never cease to fall asleep, and lets them', async () => {
    const { record } = await agents.running();
    await agents.claimSleep(record);
    agents.line.waiting.length = 0;
    await ask();
    await collectUntil(async () => (await collection.current())?.step === 'draining');
    await agents.skipClock(DRAIN_LIMIT_MS);
    await agents.drain();
    await expectResumed();
    expect(seenByCollectors).toEqual([]);
    expect(await collection.last()).toMatchObject({ outcome: 'given_up' });
    const falling = await agents.require(record.id);
    await agents.store.move({ id: falling.id, rev: falling.rev, to: 'running', actor: 'test' });
  });

  it('ends writable when the collector fails', async () => {
    collectorPlan = 'fails';
    await ask();
    await agents.drain();
    await expectResumed();
    expect(await collection.last()).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('failed') as string });
  });

  it('stops the collector when somebody else makes the registry writable', async () => {
    collectorPlan = 'hangs';
    await ask();
    await collectUntil(() => seenByCollectors.length > 0);
    await parts().engine.setRegistryReadOnly(REGISTRY_SERVICE, false);
    await agents.fake.swarm.when('it takes pushes', () => !isReadOnly());
    await agents.drain();
    await expectResumed();
    expect(await collection.last()).toMatchObject({ outcome: 'failed' });
  });

  it('begins nothing when its job comes again after its end, and goes on with the one under way whichever job comes', async () => {
    const run = newCollectionRun();
    await ask(run);
    await agents.drain();
    await ask(run);
    await agents.drain();
    expect(seenByCollectors).toHaveLength(1);
    await ask();
    await collectUntil(() => collection.current());
    agents.line.waiting.length = 0;
    await ask();
    await agents.drain();
    expect(seenByCollectors).toHaveLength(2);
    await expectResumed();
  });

  it('puts right what an emptied Redis has forgotten', async () => {
    collectorPlan = 'hangs';
    await ask();
    await collectUntil(() => seenByCollectors.length > 0);
    agents.line.waiting.length = 0;
    await agents.redis.del('registry:collection', 'registry:collected');
    await putRightForgottenCollection(parts());
    await putRightForgottenCollection(parts());
    expect(waitingOf(agents.line, swarmJobs.collect)).toHaveLength(1);
    await agents.drain();
    await expectResumed();
    expect(await collection.last()).toMatchObject({ outcome: 'put_right' });
    await putRightForgottenCollection(parts());
    expect(agents.line.waiting).toEqual([]);
  });

  it('never starts a collector late: whoever saw it before it was removed starts nothing', async () => {
    await ask();
    await collectUntil(() => services(COLLECTOR).length > 0);
    const late = await parts().engine.findCollector();
    await agents.drain();
    await expect(parts().engine.startCollector(late!)).rejects.toMatchObject({ details: { status: 404 } });
    expect(seenByCollectors).toEqual([false]);
  });

  it('knows its failpoints', () => expect(failpoints.length).toBeGreaterThan(6));

  describe.each(['throw', 'hang'] as const)('an agent that meets its end by a %s', (action) => {
    it.each(failpoints)('at %s ends writable and resumed', async (name) => {
      await ask();
      armFailpoints(`${name}=${action}`);
      while (!hitFailpoints().has(name) && agents.line.waiting.length > 0) {
        const job = agents.line.waiting.shift()!;
        let hasEnded = false;
        void agents.take(job, contextOf()).then(() => (hasEnded = true), () => (hasEnded = true));
        while (!hasEnded && !hitFailpoints().has(name)) await new Promise((resolve) => setImmediate(resolve));
        if (hasEnded && !hitFailpoints().has(name)) agents.line.waiting.push(job);
      }
      expect(hitFailpoints()).toContain(name);
      armFailpoints('');
      // What the reaper does about a flag whose job is gone.
      const at = await collection.current();
      if (at) await ask(at.run);
      await agents.drain();
      await expectResumed();
      expect(seenByCollectors).toEqual([false]);
    });
  });
});
