import { isCoded } from '@vibe/platform';

/** How distribution answers for a manifest or link that its disk has and it cannot read (cut off by a crash; measured on 2.8.3). */
const INTERNAL_ERROR = 500;

/** What `read` gives; `unreadable` where the registry answers that it cannot read what it has: that is damaged, and all else may be well. */
export async function orUnreadable<T>(read: () => Promise<T>): Promise<T | 'unreadable'> {
  try {
    return await read();
  } catch (error) {
    if (isCoded(error, 'registry_unreachable') && (error.details as { status?: unknown } | undefined)?.status === INTERNAL_ERROR) return 'unreadable';
    throw error;
  }
}
