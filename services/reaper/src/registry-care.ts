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
    const whole = isWholeDue ? await this.holdAgainstRecords(parts, signal) : {};
    this.rounds += 1;
    return { ...stats, ...whole };
  }

  private async holdAgainstRecords(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
    const snapshot = await takeRegistrySnapshot(parts, signal);
    if (!snapshot) {
      parts.metrics.raise('base_image_missing');
      parts.logger.error('the registry does not have the base image: it is not held against the records', { base_image: parts.settings.BASE_IMAGE });
      this.isSomethingWaiting = true;
      return {};
    }
    const whole = await performRipe(parts, 'registry', planRegistry(snapshot), signal);
    this.isSomethingWaiting = (whole.unripe ?? 0) + (whole.failed ?? 0) > 0;
    return whole;
  }
}

/** Deletes what was never proven or has been replaced. What a record calls its snapshot is never deleted here. */
async function dropDue(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { care, logger } = parts;
  let dropped = 0;
  const due = await care.due(DROPS_MAX);
  // What has to wait, or fails, stays due: first in line for ever, two hundred of one session would hide everybody else's.
  await care.putBehind(due);
  const failed = await oneByOne(due, { signal, logger, failure: 'a snapshot could not be dropped from the registry', fieldsOf: (droppable) => ({ ...droppable }) }, async (droppable) => {
    const step = await planDroppable(parts, droppable);
    if (step === 'wait') return;
    if (!step) return care.settle(droppable);
    await performStep(parts, 'registry', step);
    dropped += 1;
  });
  return { dropped, drop_failed: failed };
}
