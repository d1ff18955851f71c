import type { SessionRecord } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { type ApiParts, actorOf } from './api-parts';
import { type Decision, decideUntilItHolds, ownSession } from './own-session';

/**
 * The user gives the session up, whatever its state: claims `deleting` and asks for everything of it to be erased. Repeating
 * it is fine. The record is there until the last node has confirmed.
 */
export async function deleteSession(parts: ApiParts, identity: Identity, id: string): Promise<SessionRecord> {
  return decideUntilItHolds(await ownSession(parts, identity, id), async (record): Promise<Decision<SessionRecord>> => {
    if (record.state === 'deleting') return { done: record };
    const moved = await parts.store.move({ id, rev: record.rev, to: 'deleting', actor: actorOf(identity), set: { step: 'queued' } });
    if (moved.outcome === 'stale') return { stale: moved.record };
    await parts.jobs.erase(moved.record);
    return { done: moved.record };
  });
}
