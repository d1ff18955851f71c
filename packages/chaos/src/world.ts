import { setTimeout as sleep } from 'node:timers/promises';
import { newAttempt, newSessionId, repositoryOf, secretNameOf, snapshotTagOf, writeSnapshotLabels } from '@vibe/contracts';
import { Epoch, SessionStore, keys } from '@vibe/session-store';
import { type FakeContainer, type FakeNode, type FakeRegistry, type RunningFakeSwarm, type TestRedis, packLayer, startFakeRegistry, startFakeSwarm, startRedis, uploadImage } from '@vibe/testkit';
import { Redis } from 'ioredis';
import { AgentProcess } from './agent-process';
import { ApiProcess } from './api-process';
import { LOGIN, NODES, type NodeName, REGISTRY } from './installation';
import { type Job, JobLine } from './job-line';
import { WHOSE } from './life';
import { ReaperProcess } from './reaper-process';
import { RedisImages } from './redis-images';
import { type Weakening, unweakened } from './weakenings';

const QUIET_TURNS = 3;
const TURN_MS = 1;
/** Work that goes on for longer than this hangs on something that no history asked for. */
const QUIET_LIMIT_MS = 60_000;

/** What lasts from history to history: a Redis server and a registry. */
export class Ground {
  private constructor(
    readonly redisServer: TestRedis,
    readonly redis: Redis,
    readonly registry: FakeRegistry,
  ) {}

  static async lay(): Promise<Ground> {
    const redisServer = await startRedis();
    const redis = new Redis(redisServer.url);
    redis.on('error', () => undefined); // it is killed on purpose
    return new Ground(redisServer, redis, await startFakeRegistry({ login: LOGIN }));
  }

  async clear(): Promise<void> {
    this.registry.clearFaults();
    await this.registry.up();
    this.registry.store.clear();
    const base = { layers: [await packLayer(new Map([['/etc/base', 'base']]))], config: { Labels: {}, Env: [] } };
    await uploadImage({ url: this.registry.url, login: LOGIN }, { repository: 'vibe-terminal', tag: 'base' }, base);
    await this.redis.flushall();
  }

  async remove(): Promise<void> {
    this.redis.disconnect();
    await this.registry.stop();
    await this.redisServer.stop();
  }
}

/** The world of one history: three nodes, their agents, the reaper, one API, a queue. */
export class World {
  readonly line = new JobLine();
  readonly agents: AgentProcess[] = [];
  /** What each kind of fault came to in this history. */
  readonly faults = new Map<string, number>();
  readonly images: RedisImages;
  readonly store: SessionStore;
  /** True once Redis lost or went back on what it had acknowledged: what was refused or deleted may be back. */
  isRedisDoubtful = false;
  private reaperNow: ReaperProcess | null = null;
  private apiNow: ApiProcess | null = null;
  /** Reapers and replicas that were replaced: one that only hung lives on, and may go on. */
  private readonly replaced: (ReaperProcess | ApiProcess)[] = [];

  private constructor(
    readonly ground: Ground,
    readonly fake: RunningFakeSwarm,
    private readonly weaken: Weakening,
    private readonly mayRewind: boolean,
  ) {
    this.store = new SessionStore(ground.redis);
    this.images = new RedisImages(ground.redis, this.line);
  }

  /** @param options.mayRewind whether what Redis held at each moment is kept: it costs time */
  static async begin(ground: Ground, { weaken = unweakened, mayRewind = false }: { weaken?: Weakening; mayRewind?: boolean } = {}): Promise<World> {
    await ground.clear();
    const world = new World(ground, await startFakeSwarm({ registries: { [REGISTRY]: { url: ground.registry.url } } }), weaken, mayRewind);
    world.fake.swarm.startPlan = (container) => world.born(container);
    await new Epoch(ground.redis).open();
    // As the agents had it brought long ago.
    await Promise.all(world.fake.swarm.nodes.map((node) => node.pull(`${REGISTRY}/vibe-terminal`, 'base', LOGIN)));
    await Promise.all(NODES.map((name) => world.startAgent(name)));
    await Promise.all(world.agents.map((agent) => agent.report()));
    await world.startReaper();
    await world.startApi();
    await world.quiet();
    world.vouch();
    return world;
  }

  get reaper(): ReaperProcess {
    if (!this.reaperNow) throw new Error('there is no reaper');
    return this.reaperNow;
  }

  get api(): ApiProcess {
    if (!this.apiNow) throw new Error('there is no API');
    return this.apiNow;
  }

  private get surroundings() {
    return { redisUrl: this.ground.redisServer.url, registryUrl: this.ground.registry.url, line: this.line, weaken: this.weaken, vouch: () => this.vouch() };
  }

  /** Each session keeps a secret of its own from its first moment. */
  private born(container: FakeContainer): 'listens' {
    const id = container.labels['vibe.session'];
    if (id !== undefined && !container.files.has(WHOSE)) container.write(WHOSE, id);
    return 'listens';
  }

  node(name: NodeName): FakeNode {
    return this.fake.engine(name).node;
  }

  /** The living agents of a node, the newest last. */
  agentsOn(name: NodeName): AgentProcess[] {
    return this.agents.filter((agent) => !agent.gate.isDead && agent.gate.name === name);
  }

  async startAgent(name: NodeName): Promise<void> {
    this.agents.push(await AgentProcess.start(this.fake.engine(name), this.surroundings));
  }

  /** Whoever lives has by now heard from somebody who remembers Redis that it has not gone back, or time enough has passed. */
  vouch(): void {
    for (const process of [...this.agents, ...(this.reaperNow ? [this.reaperNow] : [])]) process.isRested = true;
  }

  async startReaper(): Promise<void> {
    if (this.reaperNow) this.replaced.push(this.reaperNow);
    this.reaperNow = await ReaperProcess.start(this.surroundings);
  }

  async startApi(): Promise<void> {
    if (this.apiNow) this.replaced.push(this.apiNow);
    this.apiNow = await ApiProcess.start(this.surroundings);
  }

  private get gates() {
    return [...this.agents, ...this.replaced, ...(this.reaperNow ? [this.reaperNow] : []), ...(this.apiNow ? [this.apiNow] : [])].map(({ gate }) => gate);
  }

  /** What hangs in any living process goes on. */
  wakeStalled(): void {
    for (const gate of this.gates) gate.wake();
  }

  get stalledCalls(): number {
    return this.gates.reduce((sum, gate) => sum + gate.stalledCalls, 0);
  }

  hangsAfter(call: string, times: number): boolean {
    return this.gates.some((gate) => gate.hangsAfter(call, times));
  }

  /** Redis was away: everybody's connection is back before the history goes on. */
  async redisIsBack(): Promise<void> {
    const until = Date.now() + QUIET_LIMIT_MS;
    while (this.ground.redis.status !== 'ready' || !(await this.everybodyIsConnected())) {
      if (Date.now() > until) throw new Error('somebody never finds Redis again');
      await sleep(TURN_MS);
    }
  }

  private async everybodyIsConnected(): Promise<boolean> {
    const living = [...this.agents, ...(this.reaperNow ? [this.reaperNow] : []), ...(this.apiNow ? [this.apiNow] : [])].filter(({ gate }) => !gate.isDead);
    const looks = await Promise.all(living.map(({ parts }) => parts.store.now().then(() => true, () => false)));
    return looks.every((isThere) => isThere);
  }

  /** What a rewind may go back to. */
  remember(): Promise<void> {
    return this.mayRewind ? this.images.keep() : Promise.resolve();
  }

  /** Something with our labels of which there is no record. False when nobody can be asked for it now. */
  async makeOrphan(kind: 'image' | 'repository' | 'secret'): Promise<boolean> {
    const id = newSessionId();
    const labels = writeSnapshotLabels({ session_id: id, user_id: 'nobody', gen: 1, name: 'orphan', created_at: 1, rev: 1, last_activity: 1, taken: 1 });
    const image = { layers: [await packLayer(new Map([[WHOSE, id]]))], config: { Labels: labels, Env: [] } };
    const tag = snapshotTagOf(1, 1, newAttempt());
    if (kind === 'image') this.node('worker1').images.put(image, { tag: `${REGISTRY}/${repositoryOf(id)}:${tag}` });
    if (kind === 'secret') this.fake.swarm.createSecret({ name: secretNameOf(id, 1), labels, data: '' });
    if (kind !== 'repository') return true;
    return uploadImage({ url: this.ground.registry.url, login: LOGIN }, { repository: repositoryOf(id), tag }, image).then(() => true, () => false);
  }

  /** Waits until nobody is on a call: events were heard, what they led to was done. */
  async quiet(): Promise<void> {
    const until = Date.now() + QUIET_LIMIT_MS;
    for (let turns = 0; turns < QUIET_TURNS; turns = this.isBusy ? 0 : turns + 1) {
      if (Date.now() > until) throw new Error('the world never gets quiet');
      await sleep(TURN_MS);
    }
  }

  private get isBusy(): boolean {
    return this.gates.some((gate) => gate.isBusy) || this.fake.swarm.tasks.some(({ state }) => state === 'preparing');
  }

  noteFault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  /** Takes the n-th waiting job (of one session, where it is named) for an agent that can have it. */
  jobFor(n: number, sessionId?: string): { job: Job; agent: AgentProcess } | null {
    const living = this.agents.filter(({ gate }) => !gate.isDead);
    const isWanted = ({ payload }: Job): boolean => sessionId === undefined || (payload as { session_id?: string }).session_id === sessionId;
    const job = this.line.take(n, (candidate) => isWanted(candidate) && living.some((agent) => agent.takes(candidate)));
    if (!job) return null;
    const takers = living.filter((agent) => agent.takes(job));
    return { job, agent: takers[n % takers.length] as AgentProcess };
  }

  async skipClock(ms: number): Promise<void> {
    await this.ground.redis.incrby(keys.clockOffset, ms);
  }

  /** All containers of a session, on any node, ended ones included. */
  containersOf(id: string): { container: FakeContainer; node: FakeNode }[] {
    return this.fake.swarm.nodes.flatMap((node) => [...node.containers.values()].filter((container) => container.labels['vibe.session'] === id).map((container) => ({ container, node })));
  }

  async end(): Promise<void> {
    for (const process of [...this.agents, ...this.replaced]) process.kill();
    this.reaperNow?.kill();
    this.apiNow?.kill();
    await this.fake.stop();
  }
}
