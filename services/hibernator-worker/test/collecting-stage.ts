import { newCollectionRun, swarmJobs } from '@vibe/contracts';
import { RegistryCollection } from '@vibe/session-store';
import type { FakeContainer } from '@vibe/testkit';
import { type CollectParts, collectGarbage } from '../src/collect-garbage';
import { Agents } from './agents';
import { contextOf } from './job-line';

export const REGISTRY_SERVICE = 'vibe-state_registry';
export const COLLECTOR = 'vibe-registry-collector';

/** As a stack file makes it, as far as the fake knows such things. */
export const registrySpec = {
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

const TURNS_MAX = 2_000;

const isOf = (container: FakeContainer, service: string) => container.name.startsWith(`${service}.`);

/** Agents with a registry that is a Swarm service: read-only as its settings say, collected by what its collector runs. */
export class CollectionStage {
  /** Whether the registry took pushes whenever a collector ran. */
  seenByCollectors: boolean[] = [];
  collectorPlan: 'ends' | 'hangs' | 'fails' = 'ends';
  /** While true the registry does not do what its service's settings ask. */
  isLagging = false;
  readonly collection: RegistryCollection;

  private constructor(readonly agents: Agents) {
    this.collection = new RegistryCollection(agents.redis);
  }

  static async start(): Promise<CollectionStage> {
    const agents = await Agents.start();
    const stage = new CollectionStage(agents);
    const takeOther = agents.take;
    agents.take = (job, context) => (job.name === swarmJobs.collect.name ? collectGarbage(stage.parts(), swarmJobs.collect.payload.parse(job.payload), context) : takeOther(job, context));
    const { node } = agents.fake.engine('manager');
    node.labels.set('vibe.state', 'true');
    await node.load('registry:2', new Map([['/bin/registry', 'it']]));
    agents.fake.swarm.startPlan = (container) => stage.begin(container);
    await stage.parts().engine.createService(registrySpec as unknown as Parameters<CollectParts['engine']['createService']>[0]);
    await agents.fake.swarm.when('the registry runs', () => agents.fake.swarm.tasks.some(({ state }) => state === 'running'));
    return stage;
  }

  /** Nothing waits, nothing was seen. */
  clear(): void {
    this.agents.line.waiting.length = 0;
    this.seenByCollectors = [];
    this.collectorPlan = 'ends';
    this.isLagging = false;
  }

  private begin(container: FakeContainer): 'listens' | 'hangs' | { exitCode: number } {
    const { store } = this.agents.registry;
    if (isOf(container, REGISTRY_SERVICE) && !this.isLagging) store.isReadOnly = container.env.includes('REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled":true}');
    if (!isOf(container, COLLECTOR)) return 'listens';
    this.seenByCollectors.push(!store.isReadOnly);
    if (this.collectorPlan === 'hangs') return 'hangs';
    if (this.collectorPlan === 'fails') return { exitCode: 1 };
    container.printed = `vibe-freed-kib ${Math.ceil(store.collectGarbage() / 1024)}\n`;
    return { exitCode: 0 };
  }

  parts(): CollectParts {
    return { ...this.agents.agent('manager').parts, registryService: REGISTRY_SERVICE };
  }

  services(name: string) {
    return this.agents.fake.swarm.services.filter(({ spec }) => spec.Name === name);
  }

  /** Asks for a collection, as the reaper does. */
  ask(run = newCollectionRun()): Promise<void> {
    return this.agents.line.add('swarm', swarmJobs.collect, { run });
  }

  /** Takes the collection's job until `look` sees what it waits for: it puts itself off again and again. */
  async collectUntil(look: () => unknown): Promise<void> {
    const { line } = this.agents;
    for (let turns = 0; !(await look()); turns++) {
      if (turns > TURNS_MAX) throw new Error('the collection never came to this');
      const job = line.waiting.shift();
      if (job) await this.agents.take(job, contextOf()).catch(() => line.waiting.push(job));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** All is as it always is: writable, no collector, no flag. */
  async expectResumed(): Promise<void> {
    expect(this.agents.registry.store.isReadOnly).toBe(false);
    expect(this.services(COLLECTOR)).toEqual([]);
    expect(await this.collection.current()).toBeNull();
    expect(this.services(REGISTRY_SERVICE)[0]?.spec.TaskTemplate.ContainerSpec.Env).toEqual(['OTHER=kept']);
    expect(this.seenByCollectors).not.toContain(true);
  }
}
