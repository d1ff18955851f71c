import { statfs } from 'node:fs/promises';

export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/**
 * The disk that the Engine keeps its layers on. The agent's own root is an overlay on that very disk, and an overlay
 * answers statfs with what lies below it.
 */
export async function diskOfEngine(): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs('/');
  return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
}

/** What one attempt to take a snapshot counts on. */
export interface DiskShare {
  /**
   * Promises it so many bytes, in place of what it was promised before, if `spareBytes` hold them beside what all others were
   * promised. False when they do not: nothing is promised then.
   */
  readonly promise: (bytes: number, spareBytes: number) => boolean;
  readonly end: () => void;
}

/** The bytes of this node's disk that attempts under way are about to write: two at once must not count on the same ones. */
export class DiskPromises {
  private readonly promises = new Map<string, { bytes: number }>();

  /** Begins an attempt; another one of the same container takes its place. Call `end` when it is over, whatever way. */
  begin(containerId: string): DiskShare {
    const mine = { bytes: 0 };
    this.promises.set(containerId, mine);
    return {
      promise: (bytes, spareBytes) => {
        const others = [...this.promises.values()].reduce((sum, promised) => sum + (promised === mine ? 0 : promised.bytes), 0);
        if (bytes > spareBytes - others) return false;
        mine.bytes = bytes;
        return true;
      },
      end: () => {
        if (this.promises.get(containerId) === mine) this.promises.delete(containerId);
      },
    };
  }
}
