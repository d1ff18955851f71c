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
