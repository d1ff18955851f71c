import { SWARM_QUEUE, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import type { AgentParts } from '@vibe/hibernator-worker/agent-parts';
import { BaseImage } from '@vibe/hibernator-worker/base-image';
import { ContainerWatch } from '@vibe/hibernator-worker/container-watch';
import { DiskPromises } from '@vibe/hibernator-worker/disk-space';
import { followContainers } from '@vibe/hibernator-worker/follow-containers';
import { Freezer } from '@vibe/hibernator-worker/freezer';
import { IdleClock, type RunningContainer } from '@vibe/hibernator-worker/idle-clock';
import { nodeHandlers, swarmHandlers } from '@vibe/hibernator-worker/job-handlers';
import { createNodeReporter } from '@vibe/hibernator-worker/node-reporter';
import { lookAtSlowStarts } from '@vibe/hibernator-worker/start-watch';
import { WorkUnderWay } from '@vibe/hibernator-worker/work-under-way';
import { connectRedis, silentLogger, whenReady } from '@vibe/platform';
import { RegistryClient } from '@vibe/registry';
import { Epoch, type JobContext, NodeReports, RegistryCollection, SessionStore, SnapshotCare, type TakeJob, jobTaker, subscribeToSessions } from '@vibe/session-store';
import { Engine } from '@vibe/swarm';
import type { FakeEngine } from '@vibe/testkit';
import { GatedProcess } from './gate';
import { LOGIN, REGISTRY, agentSettings } from './installation';
import type { Job, JobLine } from './job-line';
import type { Weakening } from './weakenings';

export interface AgentSurroundings {
  readonly redisUrl: string;
  readonly registryUrl: string;
  readonly line: JobLine;
  readonly weaken: Weakening;
  /** Somebody who remembers Redis has looked at it, and it has not gone back. */
  readonly vouch: () => void;
}

/** One agent of one node: the real handlers, every call to the outside gated. Put together as by `main.ts`, but for BullMQ. */
export class AgentProcess {
  /** Since this agent started somebody who remembers has looked: in a history that stands for the time that it rests. */
  isRested = false;

  private constructor(
    readonly gate: GatedProcess,
    readonly parts: AgentParts,
    private readonly take: TakeJob,
    private readonly watch: ContainerWatch,
    private readonly reportNode: () => Promise<void>,
    private readonly vouch: () => void,
    private readonly close: () => void,
  ) {}

  static async start({ node, address }: FakeEngine, { redisUrl, registryUrl, line, weaken, vouch }: AgentSurroundings): Promise<AgentProcess> {
    const commands = connectRedis(redisUrl, { purpose: 'requests', name: node.name, logger: silentLogger });
    const events = connectRedis(redisUrl, { purpose: 'workers', name: node.name, logger: silentLogger });
    await whenReady(commands);
    const client = new RegistryClient({ url: registryUrl, login: LOGIN });
    const settings = { ...agentSettings, HOST_PROC: node.hostProc };
    const gate = new GatedProcess(node.name);
    const memory = new Epoch(commands);
    const { engine, registry, store, care, epoch } = weaken({
      engine: gate.gate('engine', await Engine.connect({ ...address, registryUrl: REGISTRY, registryLogin: LOGIN })),
      registry: gate.gate('registry', client),
      store: gate.gate('redis', new SessionStore(commands, memory)),
      care: gate.gate('redis', new SnapshotCare(commands)),
      epoch: gate.gate('redis', memory),
    });
    let agent: AgentProcess | null = null;
    const parts: AgentParts = {
      nodeId: node.id,
      isManager: node.role === 'manager',
      settings,
      engine,
      registry,
      baseImage: new BaseImage({ registry, settings }),
      store,
      reports: gate.gate('redis', new NodeReports(commands)),
      care,
      collection: gate.gate('redis', new RegistryCollection(commands)),
      epoch,
      isRested: () => agent?.isRested ?? false,
      queues: gate.gate('redis', line),
      freezer: new Freezer({ engine, store, logger: silentLogger }),
      idleClock: new IdleClock({ engine, store, settings, logger: silentLogger }),
      disk: () => Promise.resolve({ totalBytes: 1e12, freeBytes: 9e11 }),
      diskPromises: new DiskPromises(),
      underWay: new WorkUnderWay(),
      alarms: { raise: () => undefined },
      logger: silentLogger,
    };
    const collecting = { ...parts, registryService: 'vibe-state_registry' };
    const take = jobTaker({ ...nodeJobs, ...swarmJobs }, { ...nodeHandlers(parts), ...swarmHandlers(parts, collecting) });
    const stopping = new AbortController();
    const watch = new ContainerWatch(parts, stopping.signal);
    const close = (): void => {
      stopping.abort();
      commands.disconnect();
      events.disconnect();
      void client.close().catch(() => undefined);
    };
    const started = new AgentProcess(gate, parts, take, watch, createNodeReporter(parts), vouch, close);
    agent = started;
    await subscribeToSessions(
      events,
      (event) => {
        if (gate.isDead) return;
        parts.underWay.noticed(event);
        void parts.epoch.hear(event).catch(() => undefined);
        if (event.kind === 'move' && event.state === 'running' && event.node_id === node.id) void watch.thaw(event.session_id).catch(() => undefined);
      },
      () => void watch.recall().then(() => watch.resync()).catch(() => undefined),
    );
    await watch.recall();
    followContainers(parts, watch, stopping.signal, async () => void (await watch.resync()));
    return started;
  }

  /** True for the jobs of the queues that this agent takes from. */
  takes({ queue }: Job): boolean {
    return queue === nodeQueueOf(this.parts.nodeId) || (queue === SWARM_QUEUE && this.parts.isManager);
  }

  /** Does one job as its worker would. */
  handle({ name, payload }: Job, context: JobContext): Promise<void> {
    return this.take({ name, data: payload }, context);
  }

  /** The rounds that come by themselves: report, resync, idle clock, slow starts. */
  async report(): Promise<void> {
    const seen = await this.parts.epoch.look();
    if (seen === 'rewound') await this.parts.epoch.close();
    if (seen === 'open' && this.isRested) this.vouch();
    await this.reportNode();
  }

  async resync({ isIdleClockRead = true } = {}): Promise<void> {
    await this.watch.recall();
    const running: RunningContainer[] = await this.watch.resync();
    if (isIdleClockRead) await this.parts.idleClock.lookAtAll(running);
    if (this.parts.isManager) await lookAtSlowStarts(this.parts);
  }

  /** kill -9 */
  kill(): void {
    this.gate.die();
    this.close();
  }
}
