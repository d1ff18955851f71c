import type { SessionRecord } from '@vibe/contracts';
import type { ReaperParts } from './reaper-parts';

/**
 * The records of these sessions; absent ones are left out. One that cannot be read is said, and does not stop the work on the
 * others: nothing that there is of its session may be taken for an orphan.
 */
export async function readRecords({ store, logger }: Pick<ReaperParts, 'store' | 'logger'>, ids: readonly string[]): Promise<{ records: SessionRecord[]; isUnreadable: (id: string) => boolean }> {
  const { records, unreadable } = await store.readMany(ids);
  if (unreadable.length > 0) logger.error('records cannot be read: their sessions are left alone', { session_ids: unreadable });
  const left = new Set(unreadable);
  return { records, isUnreadable: (id) => left.has(id) };
}
