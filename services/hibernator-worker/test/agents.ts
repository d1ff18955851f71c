import { type SessionRecord, type SessionState, SWARM_QUEUE, newSessionId, nodeJobs, nodeQueueOf, repositoryOf, swarmJobs } from '@vibe/contracts';
import { silentLogger } from '@vibe/platform';
import { RegistryClient } from '@vibe/registry';
import { Epoch, type JobContext, NodeReports, RegistryCollection, SessionStore, SnapshotCare, type TakeJob, jobTaker, keys, subscribeToSessions } from '@vibe/session-store';
import { Engine } from '@vibe/swarm';
import { type FakeContainer, type FakeRegistry, type RunningFakeSwarm, type TestRedis, packLayer, startFakeRegistry, startFakeSwarm, startRedis, uploadImage } from '@vibe/testkit';
import { Redis } from 'ioredis';
import type { AgentParts } from '../src/agent-parts';
import type { AgentAlarm } from '../src/alarms';
import { BaseImage } from '../src/base-image';
import { ContainerWatch } from '../src/container-watch';
import { DiskPromises } from '../src/disk-space';
import { followContainers } from '../src/follow-containers';
import { Freezer } from '../src/freezer';
import { IdleClock } from '../src/idle-clock';
import { nodeHandlers, swarmHandlers } from '../src/job-handlers';
import { createNodeReporter } from '../src/node-reporter';
import type { Settings } from '../src/settings';
import { WorkUnderWay } from '../src/work-under-way';
import { JobLine, type WaitingJob } from './job-line';

const REGISTRY = 'registry:5000';
const login = { username: 'vibe', password: 'test-password' };
const FACT_LIMIT_MS = 120_000;
const LOOK_EVERY_MS = 10;

export interface Agent {
  readonly parts: AgentParts;
  readonly watch: ContainerWatch;
  readonly take: TakeJob;
}

/** The agents of a fake Swarm of three nodes on a real Redis, and a fake registry. Jobs wait in a line until `drain`. */
export class Agents {
  readonly line = new JobLine();
  /** Every alarm of every agent. */
  readonly raised: AgentAlarm[] = [];
  readonly byName = new Map<string, Agent>();
  /** How each agent that lives ends: its handlers may hang on, it hears and says nothing more. */
  /** Whether agents have watched Redis for long enough to call a session lost. */
  areRested = true;
  private readonly ends: (() => void)[] = [];
  private readonly connections: Redis[] = [];

  private constructor(
    readonly redisServer: TestRedis,
    readonly redis: Redis,
    readonly store: SessionStore,
    readonly registry: FakeRegistry,
    readonly fake: RunningFakeSwarm,
  ) {
    this.connections.push(redis);
  }

  static async start(): Promise<Agents> {
    const redisServer = await startRedis();
    const redis = new Redis(redisServer.url);
    const registry = await startFakeRegistry({ login });
    const fake = await startFakeSwarm({ registries: { [REGISTRY]: { url: registry.url } } });
    const base = { layers: [await packLayer(new Map([['/etc/base', 'base']]))], config: { Labels: {}, Env: [] } };
    await uploadImage({ url: registry.url, login }, { repository: 'vibe-terminal', tag: 'test' }, base);
    const agents = new Agents(redisServer, redis, new SessionStore(redis), registry, fake);
    await new Epoch(redis).open();
    for (const name of ['manager', 'worker1', 'worker2']) await agents.startAgent(name);
    return agents;
  }

  /** New agents on every node, as after a crash: the old ones may still hang somewhere. */
  async replaceAll(): Promise<void> {
    for (const end of this.ends.splice(0)) end();
    for (const name of [...this.byName.keys()]) await this.startAgent(name);
  }

  private async startAgent(name: string): Promise<void> {
    const { node, address } = this.fake.engine(name);
    const { redis, store } = this;
    const settings = { ...settingsOfTest, HOST_PROC: node.hostProc };
    const engine = await Engine.connect({ ...address, registryUrl: REGISTRY, registryLogin: login });
    const registry = new RegistryClient({ url: this.registry.url, login });
    const freezer = new Freezer({ engine, store, logger: silentLogger });
    const parts: AgentParts = {
      nodeId: node.id,
      isManager: node.role === 'manager',
      settings,
      engine,
      registry,
      baseImage: new BaseImage({ registry, settings }),
      store,
      reports: new NodeReports(redis),
      care: new SnapshotCare(redis),
      collection: new RegistryCollection(redis),
      epoch: new Epoch(redis),
      isRested: () => this.areRested,
      queues: this.line,
      freezer,
      idleClock: new IdleClock({ engine, store, settings, logger: silentLogger }),
      disk: () => Promise.resolve({ totalBytes: 1e12, freeBytes: 1e12 }),
      diskPromises: new DiskPromises(),
      underWay: new WorkUnderWay(),
      alarms: { raise: (alarm) => void this.raised.push(alarm) },
      logger: silentLogger,
    };
    const stopping = new AbortController();
    const watch = new ContainerWatch(parts, stopping.signal);
    const events = new Redis(this.redisServer.url);
    this.ends.push(() => {
      stopping.abort();
      events.disconnect();
    });
    await subscribeToSessions(events, (event) => {
      parts.underWay.noticed(event);
      if (event.kind === 'move' && event.state === 'running' && event.node_id === node.id) void watch.thaw(event.session_id).catch(() => undefined);
    }, () => undefined);
    followContainers(parts, watch, stopping.signal, async () => void (await watch.resync()));
    await createNodeReporter(parts)();
    const collecting = { ...parts, registryService: 'vibe-state_registry' };
    this.byName.set(name, { parts, watch, take: jobTaker({ ...nodeJobs, ...swarmJobs }, { ...nodeHandlers(parts), ...swarmHandlers(parts, collecting) }) });
  }

  agent(name: string): Agent {
    const found = this.byName.get(name);
    if (!found) throw new Error(`there is no agent on ${name}`);
    return found;
  }

  agentOn(nodeId: string | undefined): Agent {
    const found = [...this.byName.values()].find(({ parts }) => parts.nodeId === nodeId);
    if (!found) throw new Error(`there is no agent on the node ${nodeId}`);
    return found;
  }

  /** Does one job as the agent would that takes it. */
  take = async ({ queue, name, payload }: WaitingJob, context: JobContext): Promise<void> => {
    const agent = queue === SWARM_QUEUE ? this.agent('manager') : [...this.byName.values()].find(({ parts }) => nodeQueueOf(parts.nodeId) === queue);
    return (agent ?? this.agent('manager')).take({ name, data: payload }, context);
  };

  drain(): Promise<void> {
    return this.line.drain(this.take);
  }

  /** Does the jobs that wait and those that come, until it is so. */
  async drainUntil(isSo: () => boolean): Promise<void> {
    for (const end = Date.now() + FACT_LIMIT_MS; !isSo(); await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))) {
      if (Date.now() > end) throw new Error('the jobs never lead there');
      await this.drain();
    }
  }

  /** Waits for the record to be in a state. */
  async until(id: string, state: SessionState, isSo: (record: SessionRecord) => boolean = () => true): Promise<SessionRecord> {
    const end = Date.now() + FACT_LIMIT_MS;
    for (;;) {
      const record = await this.store.get(id);
      if (record?.state === state && isSo(record)) return record;
      if (Date.now() > end) throw new Error(`the session is ${record?.state ?? 'gone'} (${record?.reason ?? ''}), not ${state}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Claims a new session and adds its job. */
  async claimCreate(userId = 'ann'): Promise<SessionRecord> {
    const made = await this.store.create({ id: newSessionId(), userId, name: 'one', baseImage: settingsOfTest.BASE_IMAGE, maxPerUser: 1_000, actor: 'test' });
    if (made.outcome !== 'created') throw new Error(made.outcome);
    await this.line.add(SWARM_QUEUE, swarmJobs.start, { session_id: made.record.id, rev: made.record.rev });
    return made.record;
  }

  /** A session that runs, and its container. */
  async running(userId = 'ann'): Promise<{ record: SessionRecord; container: FakeContainer }> {
    const { id } = await this.claimCreate(userId);
    await this.drain();
    const record = await this.until(id, 'running');
    return { record, container: this.containerOf(id) };
  }

  /** The living container of a session. */
  containerOf(id: string): FakeContainer {
    const [only, ...more] = this.fake.swarm.containersOf(id);
    if (!only || more.length > 0) throw new Error(`the session has ${more.length + (only ? 1 : 0)} living containers`);
    return only.container;
  }

  /** Claims sleep and adds the job to its node's queue. */
  async claimSleep(record: SessionRecord, reason: 'idle' | 'asked' = 'asked'): Promise<SessionRecord> {
    const now = await this.require(record.id);
    const moved = await this.store.move({ id: now.id, rev: now.rev, to: 'hibernating', actor: 'test', set: { hibernate_reason: reason } });
    if (moved.outcome !== 'moved' || moved.record.node_id === undefined) throw new Error('it cannot be put to sleep');
    await this.line.add(nodeQueueOf(moved.record.node_id), nodeJobs.hibernate, { session_id: now.id, rev: moved.record.rev });
    return moved.record;
  }

  async asleep(userId = 'ann'): Promise<SessionRecord> {
    const { record, container } = await this.running(userId);
    container.type('kept');
    // No two sessions have the same layer.
    container.write('/home/vibe/whose', record.id);
    await this.claimSleep(record);
    await this.drain();
    return this.until(record.id, 'hibernated');
  }

  /** Claims the wake, as the API does. */
  async claimWake(id: string, wishNode?: string): Promise<SessionRecord> {
    const now = await this.require(id);
    const moved = await this.store.move({ id, rev: now.rev, to: 'waking', actor: 'test', set: { gen: now.gen + 1, ...(wishNode === undefined ? {} : { wish_node: wishNode }) } });
    if (moved.outcome !== 'moved') throw new Error('it cannot be woken');
    await this.line.add(SWARM_QUEUE, swarmJobs.start, { session_id: id, rev: moved.record.rev });
    return moved.record;
  }

  /** Wakes it, and waits until its terminal is open. */
  async wake(id: string): Promise<SessionRecord> {
    await this.claimWake(id);
    await this.drain();
    return this.until(id, 'running');
  }

  async require(id: string): Promise<SessionRecord> {
    const record = await this.store.get(id);
    if (!record) throw new Error('the session has no record');
    return record;
  }

  tagsOf(id: string): Promise<string[]> {
    return this.agent('manager').parts.registry.listTags(repositoryOf(id));
  }

  skipClock(ms: number): Promise<number> {
    return this.redis.incrby(keys.clockOffset, ms);
  }

  async stop(): Promise<void> {
    for (const end of this.ends.splice(0)) end();
    for (const { parts } of this.byName.values()) await parts.registry.close();
    for (const connection of this.connections) connection.disconnect();
    await this.fake.stop();
    await this.registry.stop();
    await this.redisServer.stop();
  }
}

export const settingsOfTest: Settings = {
  PORT: 0,
  LOG_LEVEL: 'error',
  VIBE_FAILPOINTS: '',
  REDIS_URL: '',
  DOCKER_SOCKET: '',
  HOST_PROC: '',
  REGISTRY_URL: REGISTRY,
  REGISTRY_LOGIN_FILE: login,
  REGISTRY_CA_FILE: '',
  REGISTRY_SERVICE: 'vibe-state_registry',
  TTYD_KEY_FILE: 'key-of-the-test',
  BASE_IMAGE: `${REGISTRY}/vibe-terminal:test`,
  OVERLAY_NETWORK: 'vibe-overlay',
  SESSION_CONSTRAINT: 'node.role==worker',
  SESSION_MEMORY_LIMIT_MIB: 2048,
  SESSION_MEMORY_RESERVED_MIB: 512,
  SESSION_CPU_LIMIT: 1,
  SESSION_PIDS_LIMIT: 512,
  SESSION_EGRESS_ALLOW: [],
  STARTS_IN_FLIGHT_PER_NODE: 4,
  HIBERNATIONS_PER_NODE: 2,
  IDLE_TIMEOUT_MINUTES: 120,
  IDLE_CPU_PERCENT: 5,
  HIBERNATED_TTL_DAYS: 7,
};
