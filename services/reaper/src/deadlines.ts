import { type RecordFields, SWARM_QUEUE, type SessionRecord, type SessionState, leavesContainer, leavesSleep, retirementOf, stateTable, swarmJobs } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { oneByOne } from './one-by-one';
import { ACTOR, type ReaperParts } from './reaper-parts';
import { hibernatedTtlMs } from './settings';
import type { TickStats } from './tick-stats';

/** More than any Swarm has sessions: however many cannot be dealt with, they hide no other. */
const OVERDUE_MAX = 10_000;
const SLEEP_AGAIN_AFTER_MS = 10 * 60_000;
const WAKE_AGAIN_AFTER_MS = 20_000;
/** A session whose wake failed or was refused so lately is not expired: its user is trying to get it back. */
const EXPIRY_SPARES_MS = 60 * 60_000;
const EXPIRY_LOOKS_AGAIN_MS = 10 * 60_000;
/**
 * An end of sleep that is noticed this late (all machines were off for days, Redis' clock was set forward) was no chance for its
 * user: there is one more hour.
 */
const EXPIRY_LATE_MS = 10 * 60_000;
const EXPIRY_ONCE_MORE_MS = 60 * 60_000;

/** What is done about a session that is overdue. */
export type OverdueAction =
  | { readonly kind: 'move'; readonly to: SessionState; readonly reason: string; readonly set: RecordFields; readonly isRetired: boolean; readonly isErased: boolean }
  | { readonly kind: 'postpone'; readonly ms: number | null }
  | { readonly kind: 'alarm' };

const toldReasons: Partial<Record<SessionState, string>> = {
  creating: 'It did not start in time.',
  hibernating: 'Putting it to sleep took too long; it goes on running and is tried again.',
  waking: 'It did not wake in time; it sleeps on and is safe.',
};

/** What the table says about a record whose deadline passed `lateMs` ago. Pure. */
export function decideOverdue(record: SessionRecord, { nowMs, lateMs }: { nowMs: number; lateMs: number }): OverdueAction {
  const to = stateTable[record.state].onDeadline;
  if (to === null) return { kind: 'alarm' };
  if (record.state === 'hibernated' && lateMs > EXPIRY_LATE_MS) return { kind: 'postpone', ms: EXPIRY_ONCE_MORE_MS };
  if (record.state === 'hibernated' && nowMs - lastTryAt(record) < EXPIRY_SPARES_MS) return { kind: 'postpone', ms: EXPIRY_LOOKS_AGAIN_MS };
  // Its container cannot run again: it is tried until it is saved.
  if (record.state === 'hibernating' && record.hibernate_reason === 'ended') return { kind: 'postpone', ms: stateTable.hibernating.deadlineMs };
  const failures = record.failures + 1;
  const set: Partial<Record<SessionState, RecordFields>> = {
    creating: leavesContainer,
    waking: { ...leavesContainer, failures, retry_after: nowMs + WAKE_AGAIN_AFTER_MS },
    hibernating: { ...leavesSleep(record), failures, retry_after: nowMs + SLEEP_AGAIN_AFTER_MS },
  };
  return {
    kind: 'move',
    to,
    reason: toldReasons[record.state] ?? '',
    set: set[record.state] ?? { step: 'queued' },
    // What leaves `creating` or `waking` other than to `running` has a service that nobody wants any more.
    isRetired: record.state === 'creating' || record.state === 'waking',
    isErased: to === 'deleting',
  };
}

/** When the user of a sleeping session last tried to get it back; 0 when not since it fell asleep. A wake that is refused moves nothing. */
const lastTryAt = ({ retry_after = 0, last_activity, state_since }: SessionRecord): number => Math.max(retry_after, last_activity > state_since ? last_activity : 0);

/** Moves every overdue session where the table says. A move that comes too late finds another rev. */
export async function watchDeadlines(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { store, logger, metrics } = parts;
  const ids = await store.overdue(OVERDUE_MAX);
  metrics.setOverdue(ids.length);
  if (ids.length === 0) return { overdue: 0, failed: 0 };
  const failed = await oneByOne(ids, { signal, logger, failure: 'an overdue session could not be dealt with', fieldsOf: (id) => ({ session_id: id }) }, async (id) => {
    // The record first: a deadline that is older than the record it is held against may be that of a sleep before.
    const record = await store.get(id);
    const [deadlineAt, nowMs] = await Promise.all([store.deadlineOf(id), store.now()]);
    // Progress renews a deadline without another rev.
    if (record && deadlineAt !== null && deadlineAt <= nowMs) await dealWith(parts, record, decideOverdue(record, { nowMs, lateMs: nowMs - deadlineAt }));
  });
  return { overdue: ids.length, failed };
}

async function dealWith(parts: ReaperParts, record: SessionRecord, action: OverdueAction): Promise<void> {
  const { store, queues, settings, metrics, logger } = parts;
  const { id, rev, state } = record;
  switch (action.kind) {
    case 'postpone':
      await store.progress({ id, rev, set: {}, deadlineMs: action.ms });
      return;
    case 'alarm':
      metrics.raise('deleting_overdue');
      logger.error('a session cannot be erased', { session_id: id, rev, state, nodes: record.nodes });
      await store.progress({ id, rev, set: {}, deadlineMs: stateTable[state].deadlineMs });
      return queues.add(SWARM_QUEUE, swarmJobs.erase, { session_id: id, rev });
    case 'move': {
      const deadline = action.to === 'hibernated' ? { deadlineMs: hibernatedTtlMs(settings) } : {};
      const moved = await store.move({ id, rev, to: action.to, actor: ACTOR, reason: action.reason, set: action.set, ...deadline });
      if (moved.outcome !== 'moved') return;
      await failpoint('overdue.after-move');
      logger.info('overdue', { session_id: id, gen: record.gen, rev, from: state, to: action.to });
      if (action.isRetired) await queues.add(SWARM_QUEUE, swarmJobs.retire, retirementOf(record, moved.record.rev));
      if (action.isErased) await queues.add(SWARM_QUEUE, swarmJobs.erase, { session_id: id, rev: moved.record.rev });
    }
  }
}
