import { type NodeReport, type SessionRecord, nodeJobs, nodeQueueOf } from '@vibe/contracts';
import { failpoint } from '@vibe/platform';
import { oneByOne } from './one-by-one';
import { ACTOR, type ReaperParts } from './reaper-parts';
import { type Settings, idleEveryMs, idleTimeoutMs } from './settings';
import type { TickStats } from './tick-stats';

/** More than any Swarm has sessions: however many cannot be put to sleep, they hide no other. */
const CANDIDATES_MAX = 10_000;
/** Claims of one sweep for one node, as a multiple of what it puts to sleep at once: what is claimed waits in its line. */
const CLAIMS_PER_PLACE = 10;
/** A look at the idle clock counts for so many of its intervals, and at least for a minute. */
const LOOKS_COUNT_FOR = 3;

export type SleepDecision = 'sleep' | 'not_running' | 'used' | 'not_measured' | 'agent_silent' | 'later' | 'node_busy';

/**
 * Whether a session that the index calls idle is put to sleep now. What was not measured lately is not idle. Pure.
 * @param options.claimed how many this sweep claimed for each node so far
 */
export function decideSleep(options: {
  record: SessionRecord | null;
  nowMs: number;
  reports: ReadonlyMap<string, NodeReport>;
  claimed: ReadonlyMap<string, number>;
  settings: Pick<Settings, 'IDLE_TIMEOUT_MINUTES' | 'HIBERNATIONS_PER_NODE'>;
}): SleepDecision {
  const { record, nowMs, reports, claimed, settings } = options;
  if (record?.state !== 'running' || record.node_id === undefined) return 'not_running';
  if (nowMs - record.last_activity < idleTimeoutMs(settings)) return 'used';
  const looksCountForMs = Math.max(60_000, LOOKS_COUNT_FOR * idleEveryMs(settings));
  if (record.looked_at === undefined || nowMs - record.looked_at > looksCountForMs) return 'not_measured';
  if (!reports.has(record.node_id)) return 'agent_silent';
  if (record.retry_after !== undefined && record.retry_after > nowMs) return 'later';
  if ((claimed.get(record.node_id) ?? 0) >= settings.HIBERNATIONS_PER_NODE * CLAIMS_PER_PLACE) return 'node_busy';
  return 'sleep';
}

/** Claims what nobody has used for the idle time, the longest idle first, and asks the nodes to put it to sleep. */
export async function sweepIdle(parts: ReaperParts, signal: AbortSignal): Promise<TickStats> {
  const { store, settings, queues, logger } = parts;
  const ids = await store.idleSince(idleTimeoutMs(settings), CANDIDATES_MAX);
  if (ids.length === 0) return { idle: 0, claimed: 0, failed: 0 };
  const reports = new Map((await parts.reports.all()).map((report) => [report.node_id, report]));
  const claimed = new Map<string, number>();

  const failed = await oneByOne(ids, { signal, logger, failure: 'an idle session could not be put to sleep', fieldsOf: (id) => ({ session_id: id }) }, async (id) => {
    const record = await store.get(id);
    const decision = decideSleep({ record, nowMs: await store.now(), reports, claimed, settings });
    if (decision !== 'sleep' || record?.node_id === undefined) return logger.debug('idle session left alone', { session_id: id, decision });
    const moved = await store.move({ id, rev: record.rev, to: 'hibernating', actor: ACTOR, set: { hibernate_reason: 'idle', step: 'queued' }, unusedSince: record.last_activity });
    // While the registry's garbage is collected nothing falls asleep; a later sweep finds it as idle as it is now.
    if (moved.outcome !== 'moved') return;
    await failpoint('idle.after-claim');
    claimed.set(record.node_id, (claimed.get(record.node_id) ?? 0) + 1);
    await queues.add(nodeQueueOf(record.node_id), nodeJobs.hibernate, { session_id: id, rev: moved.record.rev });
  });
  return { idle: ids.length, claimed: [...claimed.values()].reduce((sum, count) => sum + count, 0), failed };
}
