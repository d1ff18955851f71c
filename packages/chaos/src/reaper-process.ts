import { Registry, connectRedis, silentLogger, whenReady } from '@vibe/platform';
import { EpochWatch } from '@vibe/reaper/epoch-watch';
import { createReaperMetrics } from '@vibe/reaper/reaper-metrics';
import type { ReaperParts } from '@vibe/reaper/reaper-parts';
import { takeReconcileSnapshot } from '@vibe/reaper/reconcile';
import { type Step, planReconcile } from '@vibe/reaper/reconcile-plan';
import { type TickName } from '@vibe/reaper/schedules';
import { createTickHandlers } from '@vibe/reaper/ticks';
import { RegistryClient } from '@vibe/registry';
import { Epoch, type JobContext, NodeReports, RegistryCollection, SessionStore, SnapshotCare } from '@vibe/session-store';
import type { Engine } from '@vibe/swarm';
import { GatedProcess } from './gate';
import { LOGIN, reaperSettings } from './installation';
import type { JobLine } from './job-line';
import type { Weakening } from './weakenings';

const never = new AbortController().signal;
/** In a history agents look when it says so: time alone has nobody notice that Redis went back. */
const withoutRest = { onTick: () => undefined, mayAct: () => true };

/** The reaper, its ticks called one by one, every call to the outside gated. */
export class ReaperProcess {
  /** As an agent's. */
  isRested = false;

  private constructor(
    readonly gate: GatedProcess,
    readonly parts: ReaperParts,
    private readonly epochWatch: EpochWatch,
    private readonly ticks: ReturnType<typeof createTickHandlers>,
    private readonly vouch: () => void,
    private readonly close: () => void,
  ) {}

  static async start(options: { redisUrl: string; registryUrl: string; line: JobLine; weaken: Weakening; vouch: () => void }): Promise<ReaperProcess> {
    const commands = connectRedis(options.redisUrl, { purpose: 'requests', name: 'reaper', logger: silentLogger });
    await whenReady(commands);
    const client = new RegistryClient({ url: options.registryUrl, login: LOGIN });
    const gate = new GatedProcess('reaper');
    const memory = new Epoch(commands);
    const { registry, store, care, epoch } = options.weaken({
      engine: {} as Engine, // the reaper has no hands
      registry: gate.gate('registry', client),
      store: gate.gate('redis', new SessionStore(commands, memory)),
      care: gate.gate('redis', new SnapshotCare(commands)),
      epoch: gate.gate('redis', memory),
    });
    const parts: ReaperParts = {
      settings: reaperSettings,
      store,
      epoch,
      reports: gate.gate('redis', new NodeReports(commands)),
      care,
      collection: gate.gate('redis', new RegistryCollection(commands)),
      queues: gate.gate('redis', options.line),
      registry,
      metrics: createReaperMetrics({ registry: new Registry(), countSessions: () => store.counts() }),
      logger: silentLogger,
    };
    const close = (): void => {
      commands.disconnect();
      void client.close().catch(() => undefined);
    };
    return new ReaperProcess(gate, parts, new EpochWatch(parts), createTickHandlers(parts, withoutRest), options.vouch, close);
  }

  /** One look at the epoch; true when the records may be believed. */
  async look(): Promise<boolean> {
    const isOpen = await this.epochWatch.look(never);
    if (isOpen && this.isRested) this.vouch();
    return isOpen;
  }

  tick(name: TickName): Promise<void> {
    return this.ticks[name]({}, { signal: never } as JobContext);
  }

  /** What a reconcile round would do now; null while nothing can be decided. */
  async plan(): Promise<Step[] | null> {
    const snapshot = await takeReconcileSnapshot(this.parts);
    return snapshot && planReconcile(snapshot);
  }

  kill(): void {
    this.gate.die();
    this.close();
  }
}
