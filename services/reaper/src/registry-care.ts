import { oneByOne } from './one-by-one';
import { performRipe, performStep } from './perform-steps';
import type { ReaperParts } from './reaper-parts';
import { planDroppable, takeRegistrySnapshot } from './registry-look';
import { planRegistry } from './registry-plan';
import type { TickStats } from './tick-stats';

export const DROPS_MAX = 200;
/** The registry walks its whole disk to name its repositories, and what has no record there is in nobody's way. */
const WHOLE_EVERY_ROUNDS = 10;

/**
 * Sees to it that the registry holds the snapshots that records name, and nothing else: what is due every round, the whole of
 * it every tenth, and the very next round while something waits for its second sighting or could not be done. Every round may be repeated.
 */
export class RegistryCare {
  private rounds = 0;
  private isSomethingWaiting = false;

  async round(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
    const stats = await dropDue(parts, signal);
    const isWholeDue = this.isSomethingWaiting || this.rounds % WHOLE_EVERY_ROUNDS === 0;
    if (!isWholeDue) {
      this.rounds += 1;
      return stats;
    }
    const whole = await performRipe(parts, 'registry', planRegistry(await takeRegistrySnapshot(parts, signal)), signal);
    this.isSomethingWaiting = (whole.unripe ?? 0) + (whole.failed ?? 0) > 0;
    this.rounds += 1;
    return { ...stats, ...whole };
  }
}

/** Deletes what was never proven or has been replaced. What a record calls its snapshot is never deleted here. */
async function dropDue(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { care, logger } = parts;
  let dropped = 0;
  const due = await care.due(DROPS_MAX);
  const failed = await oneByOne(due, { signal, logger, failure: 'a snapshot could not be dropped from the registry', fieldsOf: (droppable) => ({ ...droppable }) }, async (droppable) => {
    const step = await planDroppable(parts, droppable);
    if (step === 'wait') return;
    if (!step) return care.settle(droppable);
    await performStep(parts, 'registry', step);
    dropped += 1;
  });
  return { dropped, drop_failed: failed };
}
