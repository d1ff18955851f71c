import { SWARM_QUEUE, type SessionRecord, leavesContainer, retirementOf, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { ACTOR, type AgentParts } from './agent-parts';

/**
 * The data of a session is gone: its record says so from now on, with the reason, and its service is retired. Safe to repeat; a
 * late call changes nothing. Throws `rebuilding` where the records cannot be believed, as every move does: they may name a
 * container that was retired since. So it is as long as this agent has just started: it could not tell that Redis went back.
 * Whoever came to this looks again.
 */
export async function loseSession({ store, queues, epoch, isRested, logger }: Pick<AgentParts, 'store' | 'queues' | 'epoch' | 'isRested' | 'logger'>, record: SessionRecord, reason: string): Promise<void> {
  if (!isRested()) await epoch.refuse('absent');
  const moved = await store.move({ id: record.id, rev: record.rev, to: 'lost', actor: ACTOR, reason, set: leavesContainer });
  if (moved.outcome === 'stale') return;
  await failpoint('lose.after-move');
  logger.warn('session lost', { session_id: record.id, gen: record.gen, reason });
  await queues.add(SWARM_QUEUE, swarmJobs.retire, retirementOf(record, moved.record.rev));
}
