import { SWARM_QUEUE, type SessionRecord, retirementOf, swarmJobs } from '@vibe/contracts';
import { CodedError, failpoint } from '@vibe/platform';
import { ACTOR, type AgentParts } from './agent-parts';

/**
 * The data of a session is gone: its record says so from now on, with the reason, and its service is retired. Only where the
 * records can be believed: a Redis that was rewound may name a container that was retired since, and not the snapshot that took
 * its place. There it throws `rebuilding`, and whoever came to this looks again after the rebuild. Safe to repeat; a late call changes nothing.
 */
export async function loseSession({ store, epoch, queues, logger }: Pick<AgentParts, 'store' | 'epoch' | 'queues' | 'logger'>, record: SessionRecord, reason: string): Promise<void> {
  const seen = await epoch.look();
  if (seen === 'rewound') await epoch.close();
  if (seen !== 'open') throw new CodedError('rebuilding', 'no session is called lost while the records cannot be believed', { retryable: true });
  const moved = await store.move({ id: record.id, rev: record.rev, to: 'lost', actor: ACTOR, reason, set: { container_id: null, task_name: null, service_id: null } });
  if (moved.outcome === 'stale') return;
  await failpoint('lose.after-move');
  logger.warn('session lost', { session_id: record.id, gen: record.gen, reason });
  await queues.add(SWARM_QUEUE, swarmJobs.retire, retirementOf(record, moved.record.rev));
}
