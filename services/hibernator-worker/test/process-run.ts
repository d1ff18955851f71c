import type { NamedFailpoint } from './failpoints-list';
import type { ServiceProcess } from './process-child';
import { Drive } from './process-drive';
import { journeys } from './process-journeys';
import { RedisProxy } from './process-redis-proxy';
import type { Stage } from './process-stage';
import { whenTrue } from './process-when';

export interface Run {
  /** Some of one service on one journey. */
  readonly failpoints: readonly NamedFailpoint[];
  /**
   * `kill`: a process dies at the first, the next process at the second, and so on. `stop`: one process stands still at each for
   * longer than its lock on the job, and then goes on where it was. `throw`: its work fails at each, and it lives on. `deafen`: what
   * Redis answers next about its records is lost, with the connection. Alone, one process lives on with that, at each; beside
   * another one, which stands still until it comes there, it dies of that, and the next process is armed with the next.
   */
  readonly action: 'kill' | 'stop' | 'throw' | 'deafen';
  /** Who takes the work up: a process that runs beside it, or nobody but itself (after a kill: started again). */
  readonly retriedBy: 'same' | 'other';
}

/** A lock lapses after 700 ms here (process-ground.ts). */
const LONGER_THAN_A_LOCK_MS = 1_200;
const LIVES_MAX = 40;

/** A word about records or a collection, as it is on the wire. Not one about the queues: BullMQ then lets its worker rest for 15 s. */
const ABOUT_RECORDS = /^(?![\s\S]*bull:)[\s\S]*\r\n((session|user|vibe|node|starts|snapshots|swarm|orphans|registry)s?:|(draining|closing|collecting|opening)\r\n)/;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Lets sessions live on the stage, one after the other, while a process is armed, until it was broken at each of the
 * failpoints and those lives came to their end. @throws when anything is lost or left, or a failpoint was never met
 */
export async function breakAt(stage: Stage, run: Run): Promise<void> {
  const { service, journey } = run.failpoints[0] as NamedFailpoint;
  const isAlone = run.retriedBy === 'same';
  await stage.stand(service === 'reaper' ? 'hibernator-worker' : 'reaper');
  await (isAlone ? stage.standDown(service) : stage.stand(service));

  const over = new AbortController();
  const faults = new Faults(stage, run, over.signal);
  const live = async () => {
    for (let lives = 0; !faults.areOver; lives++) {
      if (lives === LIVES_MAX) throw new Error(`never hit: ${faults.waitsFor}`);
      await journeys[journey](new Drive(stage), faults.wakeLate);
      // Whoever is late at the end of a collection can do harm only in the middle of the next one.
      if (journey !== 'a collection of the registry') await faults.wakeLate();
    }
  };
  const struck = faults.strike();
  try {
    await Promise.all([live(), struck]);
    if (stage.doubled.size > 0) throw new Error(`two living containers at once: ${[...stage.doubled].join(', ')}`);
    if (stage.registryInSwarm.wasOpenedTooEarly || stage.registryInSwarm.seenByCollectors.includes(true)) throw new Error('a collector ran beside a registry that took pushes');
    const kept = await stage.keptJobs();
    if (kept.length > 0) throw new Error(`ended jobs were kept: ${kept.join(', ')}`);
  } finally {
    over.abort();
    await struck.catch(() => undefined);
    await faults.end();
  }
}

/** The faults of one run, as they come. */
class Faults {
  areOver = false;
  private victim: ServiceProcess | null = null;
  private proxy: RedisProxy | null = null;
  private armed = '';

  constructor(
    private readonly stage: Stage,
    private readonly run: Run,
    private readonly signal: AbortSignal,
  ) {}

  get waitsFor(): string {
    return `${this.armed}, ${this.victim?.breaks ?? 0} times broken, met ${[...(this.victim?.met ?? [])].join(', ') || 'none'}\n${this.victim?.said ?? ''}`;
  }

  /** Where another process does the work, the one that stood still goes on when that is done. */
  readonly wakeLate = async (): Promise<void> => {
    if (this.run.action === 'stop' && this.run.retriedBy === 'other' && this.victim?.isStopped === true) this.victim.continue();
  };

  /** Breaks processes until every failpoint was met. */
  async strike(): Promise<void> {
    const { failpoints, action, retriedBy } = this.run;
    if (action === 'kill') await this.killAtEach();
    else if (action === 'deafen') await (retriedBy === 'other' ? this.dieDeafAtEach() : this.liveOnDeafAtEach());
    else if (action === 'throw') await this.throwAtEach();
    else await this.stopAtEach();
    if (retriedBy === 'same' && action === 'kill' && !this.signal.aborted) await this.stage.stand((failpoints[0] as NamedFailpoint).service);
    this.areOver = true;
  }

  /** Ends the process that stood still: it has seen the last life to its end. */
  async end(): Promise<void> {
    await this.victim?.kill();
    await this.proxy?.cut();
  }

  private async arm(failpoints: readonly NamedFailpoint[]): Promise<ServiceProcess> {
    const { action } = this.run;
    this.armed = failpoints.map(({ name }) => `${name}=${action === 'deafen' ? 'stop' : action}`).join(',');
    if (action === 'deafen') this.proxy ??= await RedisProxy.start(this.stage.redisServer.port);
    const redisUrl = this.proxy?.url;
    this.victim = await this.stage.startProcess((failpoints[0] as NamedFailpoint).service, { failpoints: this.armed, ...(redisUrl === undefined ? {} : { redisUrl }) });
    return this.victim;
  }

  private async killAtEach(): Promise<void> {
    for (const failpoint of this.run.failpoints) {
      if (this.signal.aborted) return;
      const victim = await this.arm([failpoint]);
      await whenTrue(`${failpoint.name} is met`, () => victim.breaks > 0 || this.signal.aborted, { limitMs: Infinity });
      if (victim.endedBy !== 'SIGKILL' && !this.signal.aborted) throw new Error(`it was not killed but ended by ${victim.endedBy}\n${victim.said}`);
    }
  }

  private async dieDeafAtEach(): Promise<void> {
    for (const failpoint of this.run.failpoints) {
      if (this.signal.aborted) return;
      const victim = await this.arm([failpoint]);
      // Which of two comes to a failpoint is left to chance: the other one takes nothing until this one is there.
      const beside = await this.stage.stand(failpoint.service);
      beside.stop();
      await whenTrue(`${failpoint.name} is met`, () => victim.isStopped || victim.endedBy !== null || this.signal.aborted, { limitMs: Infinity });
      beside.continue();
      if (victim.endedBy === null && this.proxy && !this.signal.aborted) await this.goOnDeaf(victim, this.proxy, () => void victim.kill());
      await whenTrue('it dies of a lost answer', () => victim.endedBy !== null || this.signal.aborted, { limitMs: Infinity });
      if (victim.endedBy !== 'SIGKILL' && !this.signal.aborted) throw new Error(`it was not killed but ended by ${victim.endedBy}\n${victim.said}`);
    }
  }

  /** Where a process met its next failpoint before it said a word to Redis, no answer was lost: that one is armed again, without the next. */
  private async liveOnDeafAtEach(): Promise<void> {
    let left = this.run.failpoints;
    while (left.length > 0 && !this.signal.aborted) {
      await this.victim?.kill();
      left = await this.deafenAtEach(left);
    }
  }

  /** Returns those at which no answer was lost: fewer than there were, because nothing comes after the last. */
  private async deafenAtEach(failpoints: readonly NamedFailpoint[]): Promise<readonly NamedFailpoint[]> {
    const victim = await this.arm(failpoints);
    const unheard: string[] = [];
    const isOver = () => victim.endedBy !== null || this.signal.aborted;
    for (let met = 1; met <= failpoints.length; met++) {
      await whenTrue('it stands still', () => (victim.met.size === met && victim.isStopped) || isOver(), { limitMs: Infinity });
      if (this.signal.aborted || !this.proxy) return [];
      const reply = await this.goOnDeaf(victim, this.proxy);
      await whenTrue('an answer is lost', () => reply.isLost || victim.met.size > met || isOver(), { limitMs: Infinity });
      if (victim.endedBy !== null) throw new Error(`it ended by ${victim.endedBy}\n${victim.said}`);
      if (!reply.isLost) unheard.push([...victim.met][met - 1] as string);
    }
    return failpoints.filter(({ name }) => unheard.includes(name));
  }

  private async throwAtEach(): Promise<void> {
    const victim = await this.arm(this.run.failpoints);
    const areMet = () => this.run.failpoints.every(({ name }) => victim.met.has(name));
    await whenTrue('its work fails at each', () => areMet() || victim.endedBy !== null || this.signal.aborted, { limitMs: Infinity });
    if (victim.endedBy !== null) throw new Error(`it ended by ${victim.endedBy}\n${victim.said}`);
  }

  private async stopAtEach(): Promise<void> {
    const { failpoints, retriedBy } = this.run;
    const victim = await this.arm(failpoints);
    const areMet = () => victim.breaks >= failpoints.length && !victim.isStopped;
    while (!areMet() && !this.signal.aborted) {
      await whenTrue('it stands still', () => victim.isStopped || areMet() || victim.endedBy !== null || this.signal.aborted, { limitMs: Infinity });
      if (victim.endedBy !== null) throw new Error(`it ended by ${victim.endedBy}\n${victim.said}`);
      if (retriedBy === 'same' && victim.isStopped) {
        await pause(LONGER_THAN_A_LOCK_MS);
        victim.continue();
        // It may stand still at the next one before anybody has seen it go on.
        continue;
      }
      await whenTrue('it goes on', () => !victim.isStopped || this.signal.aborted, { limitMs: Infinity });
    }
  }

  /** Redis hears what the process says next and does it; the process never hears the answer. */
  private async goOnDeaf(victim: ServiceProcess, proxy: RedisProxy, whenLost?: () => void): Promise<{ isLost: boolean }> {
    // What it said before it stood still may be on its way yet.
    await new Promise((resolve) => setImmediate(resolve));
    const reply = proxy.loseReply(ABOUT_RECORDS, { whenLost });
    victim.continue();
    return reply;
  }
}
