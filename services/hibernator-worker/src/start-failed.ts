import { SWARM_QUEUE, type SessionRecord, leavesContainer, retirementOf, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { ACTOR, type AgentParts } from './agent-parts';

const RETRY_FIRST_MS = 5_000;
const RETRY_LONGEST_MS = 60_000;

/** Two looks at a snapshot that is not there must be this far apart before its session is lost, in ms. */
export const MISSING_LOOKS_APART_MS = 60_000;

type Parts = Pick<AgentParts, 'store' | 'queues' | 'settings' | 'logger'>;

/**
 * A generation that never became a terminal: `creating → failed`, `waking → hibernated` (its snapshot is untouched), and its
 * service is retired. Nothing wakes it again but the page the person looks at. A late call finds another rev.
 */
export async function startFailed(parts: Parts, record: SessionRecord, reason: string): Promise<void> {
  if (record.state === 'creating') return leave(parts, record, { to: 'failed', reason });
  const failures = record.failures + 1;
  const waitMs = Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_LONGEST_MS);
  await leave(parts, record, { to: 'hibernated', reason, set: { failures, retry_after: (await parts.store.now()) + waitMs } });
}

/**
 * The registry itself says that the snapshot is not there, or it is another session's. The first look only notes it; a
 * second one far enough apart makes the session lost: never an empty session under an old id.
 */
export async function snapshotIsMissing(parts: Parts, record: SessionRecord, reason: string): Promise<void> {
  const now = await parts.store.now();
  const since = record.missing_since;
  if (since !== undefined && now - since >= MISSING_LOOKS_APART_MS) return leave(parts, record, { to: 'lost', reason: `The session is lost: ${reason}.` });
  const retryAfter = (since ?? now) + MISSING_LOOKS_APART_MS;
  await leave(parts, record, {
    to: 'hibernated',
    reason: `It could not be woken: ${reason}. It is looked for once more.`,
    set: { missing_since: since ?? now, failures: record.failures + 1, retry_after: retryAfter },
  });
}

async function leave(parts: Parts, record: SessionRecord, move: { to: 'failed' | 'hibernated' | 'lost'; reason: string; set?: Partial<Pick<SessionRecord, 'failures' | 'retry_after' | 'missing_since'>> }): Promise<void> {
  const moved = await parts.store.move({
    id: record.id,
    rev: record.rev,
    to: move.to,
    actor: ACTOR,
    reason: move.reason,
    set: { ...move.set, ...leavesContainer },
    ...(move.to === 'hibernated' ? { deadlineMs: parts.settings.HIBERNATED_TTL_DAYS * 86_400_000 } : {}),
  });
  if (moved.outcome === 'stale') return;
  await failpoint('start.after-failed-move');
  parts.logger.warn('start failed', { session_id: record.id, gen: record.gen, rev: record.rev, to: move.to, reason: move.reason });
  await parts.queues.add(SWARM_QUEUE, swarmJobs.retire, retirementOf(record, moved.record.rev));
}
