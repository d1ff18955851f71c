import type { SessionRecord } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { type ApiParts, actorOf, apiError } from './api-parts';
import { type Decision, decideUntilItHolds, ownSession } from './own-session';

/**
 * The user asks that the session sleeps now. Repeating it is fine: a session that sleeps or falls asleep stays as it is.
 * Throws `wrong_state` where there is nothing to put to sleep.
 */
export async function hibernateSession(parts: ApiParts, identity: Identity, id: string): Promise<SessionRecord> {
  return decideUntilItHolds(await ownSession(parts, identity, id), async (record): Promise<Decision<SessionRecord>> => {
    if (record.state === 'hibernating' || record.state === 'hibernated') return { done: record };
    if (record.state !== 'running') throw apiError('wrong_state', `a session that is ${record.state} cannot be put to sleep`, { details: { state: record.state } });
    const moved = await parts.store.move({ id, rev: record.rev, to: 'hibernating', actor: actorOf(identity), set: { hibernate_reason: 'asked', step: 'queued' } });
    if (moved.outcome === 'stale') return { stale: moved.record };
    await parts.jobs.hibernate(moved.record);
    return { done: moved.record };
  });
}
