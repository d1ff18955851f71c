import { type SessionRecord, nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { ACTOR, type AgentParts } from './agent-parts';

/**
 * A container ended while it was frozen, and its user came back before it was saved: it cannot be thawed any more, and its layer
 * holds all there is. So it is put to sleep after all, and this sleep cannot be cancelled. While the registry's garbage is
 * collected nothing falls asleep: the next resync comes here again. Safe to repeat; a late call changes nothing.
 */
export async function saveEnded({ store, queues, nodeId, logger }: Pick<AgentParts, 'store' | 'queues' | 'nodeId' | 'logger'>, record: SessionRecord): Promise<void> {
  const reason = 'Its machine stopped it while it was falling asleep. All of it is being saved; then it can be opened again.';
  const moved = await store.move({ id: record.id, rev: record.rev, to: 'hibernating', actor: ACTOR, reason, set: { hibernate_reason: 'ended', step: 'queued' } });
  if (moved.outcome !== 'moved') return;
  await failpoint('ended.after-claim');
  logger.warn('ended while it was frozen', { session_id: record.id, gen: record.gen, rev: moved.record.rev });
  await queues.add(nodeQueueOf(nodeId), nodeJobs.hibernate, { session_id: record.id, rev: moved.record.rev });
}
