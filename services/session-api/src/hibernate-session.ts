import type { SessionRecord } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { type ApiParts, actorOf, apiError } from './api-parts';
import { type Decision, decideUntilItHolds, ownSession } from './own-session';

const CLEANING_RETRY_S = 30;

/** Nothing can be stored while the registry's garbage is collected. The session simply goes on. */
function storeIsCleaned(sinceMs: number) {
  const sinceS = Math.round(sinceMs / 1_000);
  const message = `the store of sleeping sessions is being cleaned (begun ${sinceS} s ago); your session goes on running, try again in a minute`;
  return apiError('unavailable', message, { details: { cleaning_since_s: sinceS }, retryable: true, retryAfterS: CLEANING_RETRY_S });
}

/**
 * The user asks that the session sleeps now. Repeating it is fine: a session that sleeps or falls asleep stays as it is.
 * Throws `wrong_state` where there is nothing to put to sleep, `unavailable` while
 * the store of sleeping sessions is being cleaned.
 */
export async function hibernateSession(parts: ApiParts, identity: Identity, id: string): Promise<SessionRecord> {
  return decideUntilItHolds(await ownSession(parts, identity, id), async (record): Promise<Decision<SessionRecord>> => {
    if (record.state === 'hibernating' || record.state === 'hibernated') return { done: record };
    if (record.state !== 'running') throw apiError('wrong_state', `a session that is ${record.state} cannot be put to sleep`, { details: { state: record.state } });
    const moved = await parts.store.move({ id, rev: record.rev, to: 'hibernating', actor: actorOf(identity), set: { hibernate_reason: 'asked', step: 'queued' } });
    if (moved.outcome === 'collecting') throw storeIsCleaned(moved.sinceMs);
    if (moved.outcome === 'stale') return { stale: moved.record };
    await parts.jobs.hibernate(moved.record);
    return { done: moved.record };
  });
}
