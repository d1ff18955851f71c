import { REAPER_QUEUE, SWARM_QUEUE, nodeQueueOf, repositoryOf, sessionLabel } from '@vibe/contracts';
import { Epoch, JobQueues, RegistryCollection, SessionStore, keys } from '@vibe/session-store';
import { Engine } from '@vibe/swarm';
import { type EngineHttp, type FakeContainer, type FakeNode, type FakeRegistry, type RegistryAccess, type RunningFakeSwarm, type TestRedis, packLayer, startFakeRegistry, startFakeSwarm, startRedis, uploadImage } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { join } from 'node:path';
import type { ServiceName } from './failpoints-list';
import { ServiceProcess } from './process-child';
import type { Ground } from './process-ground';
import { RegistryInSwarm } from './registry-in-swarm';

const NODE = 'node';
const SESSION = sessionLabel.session;

/**
 * A Swarm of one node (a manager that takes sessions) with a registry over TLS that is a service of it, and a real Redis; agents and reapers are
 * processes of their own. Any number of them may run beside each other: an update starts the new one before the old one ends.
 */
export class Stage {
  /** Sessions that were seen with two living containers at once (I3). */
  readonly doubled = new Set<string>();
  readonly store: SessionStore;
  readonly epoch: Epoch;
  readonly queues: JobQueues;
  readonly collection: RegistryCollection;
  readonly registryInSwarm: RegistryInSwarm;
  private readonly processes: ServiceProcess[] = [];
  private readonly standing = new Map<ServiceName, ServiceProcess>();

  private constructor(
    private readonly ground: Ground,
    readonly redisServer: TestRedis,
    readonly redis: Redis,
    readonly registry: FakeRegistry,
    private readonly fake: RunningFakeSwarm,
  ) {
    this.store = new SessionStore(redis);
    this.epoch = new Epoch(redis);
    this.queues = new JobQueues(redis);
    this.collection = new RegistryCollection(redis);
    this.registryInSwarm = new RegistryInSwarm(fake.swarm, registry.store);
    this.node.events.on('event', ({ action, container }) => {
      const id = container.labels[SESSION];
      if (action === 'start' && id !== undefined && fake.swarm.containersOf(id).length > 1) this.doubled.add(id);
    });
  }

  static async start(ground: Ground): Promise<Stage> {
    const redisServer = await startRedis();
    const registry = await startFakeRegistry({ login: ground.login, tls: ground.tls });
    const access = { url: registry.url, ca: ground.tls.cert };
    const fake = await startFakeSwarm({ nodes: [{ name: NODE, role: 'manager' }], registries: { [registry.host]: access } });
    const base = { layers: [await packLayer(new Map([['/etc/base', 'base']]))], config: { Labels: {}, Env: [] } };
    await uploadImage({ ...access, login: ground.login }, { repository: 'vibe-terminal', tag: 'test' }, base);
    const stage = new Stage(ground, redisServer, new Redis(redisServer.url), registry, fake);
    const { socketPath } = fake.engine(NODE);
    await stage.registryInSwarm.deploy(stage.node, await Engine.connect({ socketPath, registryUrl: registry.host, registryLogin: ground.login }));
    await stage.epoch.open();
    return stage;
  }

  get swarm() {
    return this.fake.swarm;
  }

  get node(): FakeNode {
    return this.fake.engine(NODE).node;
  }

  /** The node's Engine, to hold its calls and lose its replies. */
  get engine(): EngineHttp {
    return this.fake.engine(NODE).http;
  }

  /** Starts a process. @param options.redisUrl the way it takes to Redis, when not the straight one */
  async startProcess(service: ServiceName, options: { failpoints?: string; redisUrl?: string } = {}): Promise<ServiceProcess> {
    const { dir, programs } = this.ground;
    const started = await ServiceProcess.start(`${service} ${options.failpoints ?? ''}`, programs[service], {
      PORT: '0',
      LOG_LEVEL: 'info',
      VIBE_FAILPOINTS: options.failpoints ?? '',
      REDIS_URL: options.redisUrl ?? this.redisServer.url,
      DOCKER_SOCKET: this.fake.engine(NODE).socketPath,
      HOST_PROC: this.node.hostProc,
      REGISTRY_URL: this.registry.host,
      REGISTRY_LOGIN_FILE: join(dir, 'registry-login'),
      REGISTRY_CA_FILE: join(dir, 'registry-ca'),
      TTYD_KEY_FILE: join(dir, 'ttyd-key'),
      BASE_IMAGE: this.baseImage,
      SESSION_CONSTRAINT: '',
      SESSION_MEMORY_RESERVED_MIB: '1',
      // Lives skip hours: only what asks for a collection gets one.
      REGISTRY_COLLECT_HOURS: '0',
      NODE_COMPILE_CACHE: join(dir, 'compiled'),
    });
    this.processes.push(started);
    return started;
  }

  /** How to lay an image into the registry by hand. */
  get access(): RegistryAccess {
    return { url: this.registry.url, ca: this.ground.tls.cert, login: this.ground.login };
  }

  get baseImage(): string {
    return `${this.registry.host}/vibe-terminal:test`;
  }

  /** Sees to it that an unbroken process of the service runs. */
  async stand(service: ServiceName): Promise<ServiceProcess> {
    const there = this.standing.get(service);
    if (there && there.breaks === 0) return there;
    const started = await this.startProcess(service);
    this.standing.set(service, started);
    return started;
  }

  /** Sees to it that no unbroken process of the service runs. */
  async standDown(service: ServiceName): Promise<void> {
    await this.standing.get(service)?.kill();
    this.standing.delete(service);
  }

  /** The only living container of a session. */
  containerOf(id: string): FakeContainer {
    const living = this.swarm.containersOf(id);
    if (living.length !== 1 || !living[0]) throw new Error(`the session has ${living.length} living containers`);
    return living[0].container;
  }

  /** What is left of a session in Redis, in the Swarm, on the node, in the registry: nothing, when it is gone. */
  async traces(id: string): Promise<string[]> {
    const record = await this.store.get(id);
    const containers = [...this.node.containers.values()].filter(({ labels }) => labels[SESSION] === id);
    const images = this.node.images.listed().filter(({ config }) => config.Labels[SESSION] === id);
    const tags = this.registry.store.repository(repositoryOf(id))?.tags ?? new Map<string, string>();
    return [
      ...(record ? [`record ${record.state}`] : []),
      ...this.swarm.services.filter(({ spec }) => spec.Name.includes(id)).map(() => 'service'),
      ...this.swarm.secrets.filter(({ name }) => name.includes(id)).map(({ name }) => `secret ${name}`),
      ...containers.map(({ status }) => `container ${status}`),
      ...images.map((image) => `image ${[...image.tags, ...image.digests].join(' ')}`),
      ...[...tags.keys()].map((tag) => `tag ${tag}`),
    ];
  }

  /** Takes a session's images from the node, as reconcile does after a day: the next wake asks the registry. */
  dropLocalImages(id: string): void {
    const { images } = this.node;
    for (const image of images.all().filter(({ config }) => config.Labels[SESSION] === id)) {
      for (const name of [...image.tags, ...image.digests]) images.remove(name, (used) => this.node.isUsed(used));
    }
  }

  /** Ended jobs that were kept: such a one would swallow the next job of its id (F5). */
  async keptJobs(): Promise<string[]> {
    const queues = [SWARM_QUEUE, REAPER_QUEUE, nodeQueueOf(this.node.id)];
    const kept = await Promise.all(queues.map(async (name) => (await this.queues.ready(name)).getJobs(['failed', 'completed'])));
    return kept.flat().map(({ id, failedReason }) => `${id}: ${failedReason}`);
  }

  skipClock(ms: number): Promise<number> {
    return this.redis.incrby(keys.clockOffset, ms);
  }

  /** What all processes said last. */
  get said(): string {
    return this.processes.filter(({ endedBy }) => endedBy === null).map(({ said }) => said).join('\n\n');
  }

  /** Ends all of it, whatever fails on the way. @throws the first failure */
  async stop(): Promise<void> {
    const steps = [
      () => Promise.all(this.processes.map((child) => child.kill())),
      () => this.queues.close(),
      () => this.redis.disconnect(),
      () => this.fake.stop(),
      () => this.registry.stop(),
      () => this.redisServer.stop(),
    ];
    const failures: unknown[] = [];
    for (const step of steps) await Promise.resolve().then(step).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}
