import { performance } from 'node:perf_hooks';
import { failpoint } from '@vibe/platform';
import type { ReaperParts } from './reaper-parts';
import type { Alarm } from './reaper-metrics';
import { tryRebuild } from './rebuild';

const REMIND_EVERY_MS = 30_000;

/** Sees to it that Redis is the truth: notices that it is new, was lost or rewound, and rebuilds it. */
export class EpochWatch {
  private rebuild: { readonly startedAt: number; remindedAt: number } | null = null;
  /** Since when every look has found an epoch; long ago where this process rebuilt it; null when the last look found none, or no Redis. */
  private openSince: number | null = null;

  /** @param now ms of a monotonic clock */
  constructor(
    private readonly parts: ReaperParts,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How long Redis has been seen to be the truth without a break, in ms: for ever, when this process itself rebuilt it. */
  get openForMs(): number {
    return this.openSince === null ? 0 : this.now() - this.openSince;
  }

  /** One look, and one try at rebuilding where that is due. True when the records may be believed. Safe to repeat. */
  async look(signal: AbortSignal): Promise<boolean> {
    let isOpen = false;
    try {
      isOpen = await this.openOrRebuild(signal);
    } finally {
      if (!isOpen) this.openSince = null;
    }
    return isOpen;
  }

  private async openOrRebuild(signal: AbortSignal): Promise<boolean> {
    const { epoch, logger, metrics } = this.parts;
    const seen = await epoch.look();
    if (seen === 'open') {
      this.openSince ??= this.now();
      this.rebuild = null;
      metrics.setRebuilding(false);
      return true;
    }
    if (seen === 'rewound') {
      await epoch.close();
      await failpoint('rebuild.after-close');
    }
    this.rebuild ??= await this.begin(seen);
    const outcome = await tryRebuild(this.parts, signal, this.now() - this.rebuild.startedAt);
    if (outcome.outcome === 'opened') {
      logger.info('rebuilt', { adopted: outcome.adopted, ms: Math.round(this.now() - this.rebuild.startedAt) });
      metrics.setRebuilding(false);
      this.rebuild = null;
      this.openSince = -Infinity;
      return true;
    }
    this.remind(outcome);
    return false;
  }

  /** What agents said before the loss does not count: only a Redis in which nothing ever happened holds no such thing. */
  private async begin(seen: 'absent' | 'rewound'): Promise<{ startedAt: number; remindedAt: number }> {
    const { epoch, reports, logger, metrics } = this.parts;
    const isBlank = await epoch.isBlank();
    if (!isBlank) await reports.clear();
    await failpoint('rebuild.after-clear');
    if (seen === 'rewound' || !isBlank) {
      metrics.raise('rewound');
      const what = seen === 'rewound' ? 'Redis was rewound' : 'Redis holds records and no epoch (another process saw that it was rewound, or a rebuild was broken off)';
      logger.error(`${what}: it is filled from what the nodes and the registry hold`);
    } else logger.warn('Redis is empty: it is filled from what the nodes and the registry hold');
    metrics.setRebuilding(true);
    return { startedAt: this.now(), remindedAt: -Infinity };
  }

  private remind({ forWhat, alarm }: { forWhat: string; alarm?: Alarm }): void {
    const now = this.now();
    if (!this.rebuild || now - this.rebuild.remindedAt < REMIND_EVERY_MS) return;
    this.rebuild.remindedAt = now;
    if (alarm !== undefined) this.parts.metrics.raise(alarm);
    this.parts.logger[alarm === undefined ? 'warn' : 'error']('the rebuild waits', { for_what: forWhat, since_ms: Math.round(now - this.rebuild.startedAt) });
  }
}
