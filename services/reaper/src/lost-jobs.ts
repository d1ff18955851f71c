import { SWARM_QUEUE, type SessionRecord, nodeJobs, nodeQueueOf, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { oneByOne } from './one-by-one';
import type { ReaperParts } from './reaper-parts';

/** A claim that is this old should have its job; adding it again changes nothing where it has. */
const OLDER_THAN_MS = 10_000;
/** More than any Swarm has sessions: however many cannot be worked on, they hide no other. */
const AT_ONCE_MAX = 10_000;

/** Adds again, under the same id, the job that each state says should be under way. The queue is a hint; the record decides. */
export async function addLostJobs(parts: ReaperParts, signal: AbortSignal): Promise<{ in_work_failed: number }> {
  const { store, logger } = parts;
  const ids = await store.inWork(OLDER_THAN_MS, AT_ONCE_MAX);
  const failed = await oneByOne(ids, { signal, logger, failure: 'a job could not be added again', fieldsOf: (id) => ({ session_id: id }) }, async (id) => {
    const record = await store.get(id);
    await failpoint('reconcile.before-lost-job');
    if (record) await addJobOf(parts, record);
  });
  return { in_work_failed: failed };
}

async function addJobOf({ queues, logger }: ReaperParts, record: SessionRecord): Promise<void> {
  const work = { session_id: record.id, rev: record.rev };
  switch (record.state) {
    case 'creating':
    case 'waking':
      return queues.add(SWARM_QUEUE, swarmJobs.start, work);
    case 'deleting':
      return queues.add(SWARM_QUEUE, swarmJobs.erase, work);
    case 'hibernating':
      if (record.node_id !== undefined) return queues.add(nodeQueueOf(record.node_id), nodeJobs.hibernate, work);
      return logger.warn('a session is falling asleep on no node; its deadline ends that', work);
    case 'running':
    case 'hibernated':
    case 'failed':
    case 'lost':
      // It moved on since the index was read.
      return;
  }
}
