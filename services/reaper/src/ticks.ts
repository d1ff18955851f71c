import { performance } from 'node:perf_hooks';
import type { reaperJobs } from '@vibe/contracts';
import type { HandlersOf } from '@vibe/session-store';
import { careForCollection } from './collection-care';
import { watchDeadlines } from './deadlines';
import { sweepIdle } from './idle-sweep';
import { addLostJobs } from './lost-jobs';
import type { ReaperParts } from './reaper-parts';
import { reconcile } from './reconcile';
import { RegistryCare } from './registry-care';
import type { TickName } from './schedules';
import type { TickStats } from './tick-stats';

type Tick = (parts: ReaperParts, signal: AbortSignal) => Promise<TickStats>;

/** Parts of a tick, one after the other: one that fails keeps no other from its turn. @throws the first failure, at the end */
const inTurn =
  (...steps: readonly Tick[]): Tick =>
  async (parts, signal) => {
    const failures: unknown[] = [];
    let stats: TickStats = {};
    for (const step of steps) {
      try {
        stats = { ...stats, ...(await step(parts, signal)) };
      } catch (error) {
        failures.push(error);
        parts.logger.warn('a part of a tick failed', { error });
      }
    }
    if (failures.length > 0) throw failures[0];
    return stats;
  };

function createTicks(): Record<TickName, Tick> {
  const registryCare = new RegistryCare();
  return {
    idle: sweepIdle,
    deadlines: watchDeadlines,
    reconcile: inTurn(addLostJobs, careForCollection, reconcile),
    // A registry that is collected is read-only, or just away.
    registryCare: async (parts, signal) => ((await parts.collection.current()) ? {} : registryCare.round(parts, signal)),
  };
}

/**
 * The handlers of the reaper's queue. A tick does nothing while the records cannot be believed, and never overtakes itself:
 * one that takes longer than its pace lets the next one pass.
 * @param options.onTick a tick came, whatever is done about it
 * @param options.mayAct false while the process has not watched Redis for long enough to believe what it says
 */
export function createTickHandlers(parts: ReaperParts, { onTick, mayAct }: { onTick: (tick: TickName) => void; mayAct: () => boolean }): HandlersOf<typeof reaperJobs> {
  const ticks = createTicks();
  const underWay = new Set<TickName>();
  const run = async (tick: TickName, signal: AbortSignal): Promise<void> => {
    if (!mayAct() || (await parts.epoch.look()) !== 'open') return;
    const startedAt = performance.now();
    let outcome: 'done' | 'failed' = 'failed';
    try {
      const stats = await ticks[tick](parts, signal);
      outcome = 'done';
      const didSomething = Object.values(stats).some((count) => count > 0);
      parts.logger[didSomething ? 'info' : 'debug']('tick', { tick, ms: Math.round(performance.now() - startedAt), ...stats });
    } finally {
      parts.metrics.tickEnded(tick, outcome, performance.now() - startedAt);
    }
  };
  const handlerOf =
    (tick: TickName) =>
    async (_payload: unknown, { signal }: { signal: AbortSignal }): Promise<void> => {
      onTick(tick);
      if (underWay.has(tick)) return;
      underWay.add(tick);
      await run(tick, signal).finally(() => underWay.delete(tick));
    };
  return { idle: handlerOf('idle'), deadlines: handlerOf('deadlines'), reconcile: handlerOf('reconcile'), registryCare: handlerOf('registryCare') };
}
