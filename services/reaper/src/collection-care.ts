import { SWARM_QUEUE, newCollectionRun, swarmJobs } from '@vibe/contracts';
import type { ReaperParts } from './reaper-parts';
import type { TickStats } from './tick-stats';

const HOUR_MS = 3_600_000;
/** After this long beyond its deadline a collection that is still not over is an alarm. */
const OVERDUE_ALARM_MS = 60_000;
/** Making the registry writable again takes seconds. Its deadline is that of the steps before it, and may be an hour away. */
const OPENING_MAX_MS = 5 * 60_000;

/**
 * Asks for the registry's garbage collection when it is due, and again, under the same id, for the one that is under way: a
 * collection whose agent died goes on, and past its deadline it ends. Every round may be repeated.
 */
export async function careForCollection({ collection, store, queues, settings, metrics, logger }: ReaperParts): Promise<TickStats> {
  await tellOfFailure({ collection, metrics, logger });
  const at = await collection.current();
  if (at) {
    const now = await store.now();
    const isOpeningOverdue = at.step === 'opening' && now - at.step_since > OPENING_MAX_MS;
    if (isOpeningOverdue || now - at.deadline_at > OVERDUE_ALARM_MS) {
      metrics.raise('collection_overdue');
      logger.error('the registry does not come back from its collection; nothing can fall asleep', { ...at });
    }
    await queues.add(SWARM_QUEUE, swarmJobs.collect, { run: at.run });
    return { collections: 0 };
  }
  if (settings.REGISTRY_COLLECT_HOURS === 0 || !(await collection.isDue(settings.REGISTRY_COLLECT_HOURS * HOUR_MS))) return { collections: 0 };
  await queues.add(SWARM_QUEUE, swarmJobs.collect, { run: newCollectionRun() });
  return { collections: 1 };
}

/** A collection that came to nothing is an alarm, once: what was deleted goes on filling the disk until one succeeds. */
async function tellOfFailure({ collection, metrics, logger }: Pick<ReaperParts, 'collection' | 'metrics' | 'logger'>): Promise<void> {
  const last = await collection.last();
  if (!last || last.told === last.run || (last.outcome !== 'given_up' && last.outcome !== 'failed')) return;
  metrics.raise('collection_failed');
  logger.error('the last collection of the registry came to nothing', { run: last.run, outcome: last.outcome, reason: last.reason });
  await collection.tell(last.run);
}
