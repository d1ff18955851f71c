import { type SessionRecord, newSessionId, stateTable } from '@vibe/contracts';
import type { Identity } from '@vibe/identity';
import { requireRoom } from './admission';
import { type ApiParts, actorOf, apiError } from './api-parts';

/** `Terminal 1`, or the first number that none of these sessions has. */
export function nextName(sessions: readonly Pick<SessionRecord, 'name'>[]): string {
  const taken = new Set(sessions.map(({ name }) => name));
  let number = 1;
  while (taken.has(`Terminal ${number}`)) number += 1;
  return `Terminal ${number}`;
}

export interface QuotaExceeded {
  readonly outcome: 'quota_exceeded';
  /** All of the user's sessions, so that they can choose which to delete. */
  readonly sessions: SessionRecord[];
}

/**
 * Claims a new session and asks for its start. The quota is decided with the claim, in one Lua call; looking before only
 * decides which of two refusals is told. Throws `no_capacity`, `rebuilding`.
 */
export async function createSession(parts: ApiParts, identity: Identity, name: string | undefined): Promise<{ outcome: 'created'; record: SessionRecord } | QuotaExceeded> {
  const { store, settings, jobs } = parts;
  const sessions = await store.listByUser(identity.userId);
  const held = sessions.filter(({ state }) => stateTable[state].countsInQuota).length;
  if (held >= settings.MAX_SESSIONS_PER_USER) return { outcome: 'quota_exceeded', sessions };
  await requireRoom(parts);

  const created = await store.create({
    id: newSessionId(),
    userId: identity.userId,
    name: name ?? nextName(sessions),
    baseImage: settings.BASE_IMAGE,
    maxPerUser: settings.MAX_SESSIONS_PER_USER,
    actor: actorOf(identity),
  });
  if (created.outcome === 'rebuilding') throw apiError('rebuilding', 'the list of sessions is being put together; try again in a moment', { retryable: true, retryAfterS: 5 });
  if (created.outcome === 'created') await jobs.start(created.record);
  return created;
}
