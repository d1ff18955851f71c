import { type SessionRecord, nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { ACTOR, type AgentParts } from './agent-parts';

/** What ended is not in use and cannot be given up: it is tried at this pace until it is saved, in ms. */
export const RETRY_ENDED_MS = 2 * 60_000;
const REASON = 'Its machine stopped it while it was falling asleep. All of it is being saved; then it can be opened again.';

type Parts = Pick<AgentParts, 'store' | 'queues' | 'nodeId' | 'logger'>;

/**
 * A container ended while it was frozen, and its user came back before it was saved: it cannot be thawed any more, and its layer
 * holds all there is. So it is put to sleep after all, and this sleep cannot be cancelled. While the registry's garbage is
 * collected nothing falls asleep: the next resync comes here again. Safe to repeat; a late call changes nothing.
 */
export async function saveEnded({ store, queues, nodeId, logger }: Parts, record: SessionRecord): Promise<void> {
  const moved = await store.move({ id: record.id, rev: record.rev, to: 'hibernating', actor: ACTOR, reason: REASON, set: { hibernate_reason: 'ended', step: 'queued', retry_after: null } });
  if (moved.outcome !== 'moved') return;
  await failpoint('ended.after-claim');
  logger.warn('ended while it was frozen', { session_id: record.id, gen: record.gen, rev: moved.record.rev });
  await queues.add(nodeQueueOf(nodeId), nodeJobs.hibernate, { session_id: record.id, rev: moved.record.rev });
}

/** True while a sleep that cannot be cancelled waits for another try: its last one failed, and none is under way. Pure. */
export const isPutOff = ({ hibernate_reason, retry_after = 0 }: SessionRecord, nowMs: number): boolean => hibernate_reason === 'ended' && retry_after > nowMs;

/**
 * Whether a sleep that cannot be cancelled, and whose last attempt failed, is not to be tried yet: before its time, or while the
 * registry's garbage is collected. A collection does not wait for it, and nothing may be pushed beside one: it is put off again.
 */
export async function hasToWait({ store, collection }: Pick<AgentParts, 'store' | 'collection'>, record: SessionRecord): Promise<boolean> {
  if (record.retry_after === undefined) return false;
  const nowMs = await store.now();
  if (isPutOff(record, nowMs)) return true;
  if ((await collection.current()) === null) return false;
  await store.progress({ id: record.id, rev: record.rev, set: { retry_after: nowMs + RETRY_ENDED_MS } });
  return true;
}

/**
 * A container ended while its session is falling asleep, frozen or still in line: from now on that sleep cannot be cancelled, for
 * there is nothing to go back to. Its user may have come back since the record was read: nothing has run since, so it is put to
 * sleep after all. Safe to repeat.
 */
export async function keepAsleep(parts: Parts, record: SessionRecord): Promise<void> {
  const { id, gen, rev, container_id, hibernate_reason } = record;
  if (container_id === undefined || hibernate_reason === 'ended') return;
  if (await parts.store.progress({ id, rev, set: { hibernate_reason: 'ended', frozen_container: container_id, retry_after: null, reason: REASON } })) {
    return void parts.logger.warn('ended while it was falling asleep', { session_id: id, gen, rev });
  }
  const now = await parts.store.get(id);
  if (now?.state === 'running' && now.container_id === container_id) await saveEnded(parts, now);
}
