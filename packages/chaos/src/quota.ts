import { type SessionState, stateTable } from '@vibe/contracts';
import { type AuditEntry, keys } from '@vibe/session-store';
import { BrokenPromise } from './broken';
import { SESSIONS_PER_USER } from './installation';
import type { World } from './world';

/**
 * I4, whatever became of Redis: the sets that the quota is counted from name exactly the sessions that have a record, and nobody
 * was ever given a session who already held as many as they may. Only a rebuild leads beyond that: it gives back what was there.
 * @param entries of the audit stream, the oldest first @throws BrokenPromise
 */
export async function holdQuota(entries: readonly AuditEntry[], world: World): Promise<void> {
  await holdSets(world);
  holdCreations(entries);
}

async function holdSets({ ground: { redis }, store }: World): Promise<void> {
  const records = await store.getMany(await store.allIds());
  const wanted = records.map(({ user_id, id }) => `${keys.userSessions(user_id)} ${id}`);
  const names = await redis.keys(keys.userSessions('*'));
  const held = (await Promise.all(names.map(async (name) => (await redis.smembers(name)).map((id) => `${name} ${id}`)))).flat();
  const missing = wanted.filter((entry) => !held.includes(entry));
  const strange = held.filter((entry) => !wanted.includes(entry));
  if (missing.length > 0) throw new BrokenPromise('broken', `I4: the quota does not count ${missing.join(', ')}`);
  if (strange.length > 0) throw new BrokenPromise('broken', `I4: the quota counts what has no record: ${strange.join(', ')}`);
}

function holdCreations(entries: readonly AuditEntry[]): void {
  const counted = new Map<string, Set<string>>();
  for (const { action, session, user, to } of entries) {
    const mine = counted.get(user) ?? new Set<string>();
    counted.set(user, mine);
    if (action === 'create' && mine.size >= SESSIONS_PER_USER) throw new BrokenPromise('broken', `I4: ${user} was given session ${session}, and held ${mine.size} already`);
    if (action !== 'remove' && stateTable[to as SessionState].countsInQuota) mine.add(session);
    else mine.delete(session);
  }
}
