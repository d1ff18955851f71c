import { REST_MS } from '@vibe/contracts';
import { isRedisAway } from '@vibe/platform';
import type { Queue } from 'bullmq';
import { EpochWatch } from './epoch-watch';
import { Pulse } from './pulse';
import type { ReaperParts } from './reaper-parts';
import { type TickName, ensureSchedules, renewSchedules } from './schedules';

const ENSURE_EVERY_MS = 10_000;

/**
 * What must go on even when Redis has lost the ticks themselves: the look at the epoch, the rebuild, the schedules, and the
 * look at whether ticks come.
 */
export class Watch {
  private readonly epochWatch: EpochWatch;
  private readonly pulse: Pulse;
  private ensuredAt = -Infinity;
  private lastFailure = '';

  /** @param options.onStuck called when no tick comes whatever is done: the process must end */
  constructor(
    private readonly options: {
      parts: ReaperParts;
      queue: () => Promise<Queue>;
      everyMs: Record<TickName, number>;
      onStuck: () => void;
      /** ms of a monotonic clock */
      now: () => number;
    },
  ) {
    this.epochWatch = new EpochWatch(options.parts, options.now);
    this.pulse = new Pulse(options.now());
  }

  /** A tick came. */
  ticked(): void {
    this.pulse.beat(this.options.now());
  }

  /** Whether ticks may act: not before somebody who remembers Redis would have closed it, had it gone back. */
  mayAct(): boolean {
    return this.epochWatch.openForMs >= REST_MS;
  }

  /** One round. Never rejects: what fails is told when it starts to fail, and the next round comes. */
  async round(signal: AbortSignal): Promise<void> {
    const { parts, now } = this.options;
    try {
      if (await this.epochWatch.look(signal)) await this.seeToTicks(now());
      else {
        this.pulse.excuse(now());
        this.ensuredAt = -Infinity;
      }
      this.lastFailure = '';
    } catch (error) {
      this.pulse.excuse(now());
      // The connection tells itself when Redis goes and comes.
      const failure = isRedisAway(error) ? this.lastFailure : String(error);
      if (failure !== this.lastFailure && !signal.aborted) parts.logger.warn('the watch over Redis failed', { error });
      this.lastFailure = failure;
    }
  }

  private async seeToTicks(now: number): Promise<void> {
    const { parts, queue, everyMs, onStuck } = this.options;
    if (now - this.ensuredAt >= ENSURE_EVERY_MS) {
      await ensureSchedules(await queue(), everyMs);
      this.ensuredAt = now;
    }
    const pulse = this.pulse.check(now);
    if (pulse === 'end') return onStuck();
    if (pulse === 'fine') return;
    parts.logger.error('no tick has come for a minute: the schedules are set up anew');
    await renewSchedules(await queue(), everyMs);
  }
}
