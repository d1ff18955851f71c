import { performance } from 'node:perf_hooks';
import type { Logger } from './logging';

interface StopStep {
  readonly name: string;
  readonly limitMs: number;
  readonly act: () => Promise<unknown> | void;
}

/**
 * What was opened is closed once, in named steps, the last opened first. A step that hangs costs its own limit and never
 * the time of the others; the sum of the limits must stay below the service's stop_grace_period.
 */
export class Lifecycle {
  private readonly steps: StopStep[] = [];
  private readonly aborter = new AbortController();
  private stopped: Promise<boolean> | undefined;

  constructor(private readonly logger: Logger) {}

  /** Aborted the moment a stop begins, before anything closes: readiness and running work listen to it. */
  get stopping(): AbortSignal {
    return this.aborter.signal;
  }

  /** Registers how to close what was just opened. */
  onStop(name: string, limitMs: number, act: StopStep['act']): void {
    this.steps.push({ name, limitMs, act });
  }

  /** Runs all steps; true when each ended well. Repeating it gives the same stop. Never rejects. */
  stop(): Promise<boolean> {
    this.stopped ??= this.runSteps();
    return this.stopped;
  }

  private async runSteps(): Promise<boolean> {
    this.aborter.abort();
    let isClean = true;
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      if (!(await this.runStep(step))) isClean = false;
    }
    return isClean;
  }

  private async runStep(step: StopStep): Promise<boolean> {
    const startedAt = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<'overdue'>((resolve) => {
      timer = setTimeout(() => resolve('overdue'), step.limitMs);
    });
    try {
      const outcome = await Promise.race([Promise.resolve(step.act()).then(() => 'done' as const), limit]);
      const fields = { step: step.name, ms: Math.round(performance.now() - startedAt) };
      if (outcome === 'done') this.logger.debug('stop step done', fields);
      else this.logger.warn('stop step passed its limit', fields);
      return outcome === 'done';
    } catch (error) {
      this.logger.warn('stop step failed', { step: step.name, error });
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
