import type { Engine } from '@vibe/swarm';
import type { FakeContainer, FakeNode, FakeSwarm, RegistryStore, StartPlan } from '@vibe/testkit';

export const REGISTRY_SERVICE = 'vibe-state_registry';
export const COLLECTOR = 'vibe-registry-collector';
const READ_ONLY = 'REGISTRY_STORAGE_MAINTENANCE_READONLY={"enabled":true}';

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

const isOf = (container: FakeContainer, service: string) => container.name.startsWith(`${service}.`);

/** A registry that is a Swarm service: read-only as its settings say, collected by what its collector runs. */
export class RegistryInSwarm {
  /** Whether the registry took pushes whenever a collector began. */
  seenByCollectors: boolean[] = [];
  /** Whether the registry ever began to take pushes while a collector ran: what was pushed then could be lost. */
  wasOpenedTooEarly = false;
  collectorPlan: 'ends' | 'hangs' | 'fails' = 'ends';
  /** While true the registry does not do what its service's settings ask. */
  isLagging = false;

  constructor(
    private readonly swarm: FakeSwarm,
    private readonly store: RegistryStore,
  ) {}

  /** Makes the service, on the one node that may have it. */
  async deploy(node: FakeNode, engine: Pick<Engine, 'createService'>): Promise<void> {
    node.labels.set('vibe.state', 'true');
    await node.load('registry:2', new Map([['/bin/registry', 'it']]));
    this.swarm.startPlan = (container) => this.begin(container);
    await engine.createService(registrySpec as unknown as Parameters<Engine['createService']>[0]);
    await this.swarm.when('the registry runs', () => this.swarm.tasks.some(({ state }) => state === 'running'));
  }

  services(name: string) {
    return this.swarm.services.filter(({ spec }) => spec.Name === name);
  }

  /** Lets a collector that hangs do its work and end, and those that come do so at once. */
  letCollectorsEnd(): void {
    this.collectorPlan = 'ends';
    for (const container of this.collectors()) container.end(this.collect(container));
  }

  /** What is not as it always is: writable, as it was set up, no collector. */
  leftovers(): string[] {
    const env = this.services(REGISTRY_SERVICE)[0]?.spec.TaskTemplate.ContainerSpec.Env;
    return [
      ...(this.store.isReadOnly ? ['the registry is read-only'] : []),
      ...(JSON.stringify(env) === JSON.stringify(registrySpec.TaskTemplate.ContainerSpec.Env) ? [] : [`the registry is set up as ${JSON.stringify(env)}`]),
      ...this.services(COLLECTOR).map(() => 'a collector is there'),
    ];
  }

  private begin(container: FakeContainer): StartPlan {
    const isCollector = isOf(container, COLLECTOR);
    if (isOf(container, REGISTRY_SERVICE) && !this.isLagging) {
      this.store.isReadOnly = container.env.includes(READ_ONLY);
      if (!this.store.isReadOnly && this.collectors().length > 0) this.wasOpenedTooEarly = true;
    }
    if (!isCollector) return 'listens';
    this.seenByCollectors.push(!this.store.isReadOnly);
    if (this.collectorPlan === 'hangs') return 'hangs';
    return { exitCode: this.collectorPlan === 'fails' ? 1 : this.collect(container) };
  }

  private collect(container: FakeContainer): number {
    container.printed = `vibe-freed-kib ${Math.ceil(this.store.collectGarbage() / 1024)}\n`;
    return 0;
  }

  private collectors(): FakeContainer[] {
    return this.swarm.nodes.flatMap(({ containers }) => [...containers.values()]).filter((container) => container.isAlive && isOf(container, COLLECTOR));
  }
}
