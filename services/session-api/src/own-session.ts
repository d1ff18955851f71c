import { type SessionRecord, sessionIdSchema } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { type ApiParts, apiError } from './api-parts';

/** How often a decision is taken anew when the record moved meanwhile. More than that is no race any more. */
const DECISIONS_MAX = 8;

/** One answer for an unknown id, a malformed one and somebody else's: nobody learns which ids exist. */
const notFound = () => apiError('not_found', 'there is no such session');

/** The user's own session. Throws `not_found`, the same for every id that is not one of theirs. */
export async function ownSession(parts: Pick<ApiParts, 'store'>, identity: Identity, id: string): Promise<SessionRecord> {
  if (!sessionIdSchema.safeParse(id).success) throw notFound();
  const record = await parts.store.get(id);
  if (record?.user_id !== identity.userId) throw notFound();
  return record;
}

/** What a decision led to: it is done, or the record had moved and is now this one (null: gone). */
export type Decision<T> = { readonly done: T } | { readonly stale: SessionRecord | null };

/**
 * Decides on a record, and again on its successor when somebody else moved it first.
 * Throws `not_found` when the record went away, `unavailable` when it never stands still.
 */
export async function decideUntilItHolds<T>(first: SessionRecord, decide: (record: SessionRecord) => Promise<Decision<T>>): Promise<T> {
  let record = first;
  for (let decisions = 0; decisions < DECISIONS_MAX; decisions += 1) {
    const decision = await decide(record);
    if ('done' in decision) return decision.done;
    if (decision.stale === null) throw notFound();
    record = decision.stale;
  }
  throw apiError('unavailable', 'the session is changing too fast; try again', { retryable: true, retryAfterS: 1 });
}
