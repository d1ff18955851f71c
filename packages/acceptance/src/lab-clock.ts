import type { Lab } from './lab';

const OFFSET = 'vibe:clock-offset-ms';

/** Asks the lab's Redis something and returns its answer as text. */
export async function redis(lab: Lab, ...command: string[]): Promise<string> {
  return lab.execInService('manager', 'vibe-state_redis', 'redis-cli', ...command);
}

/** Moves the lab's clock forward: every decision about time reads Redis' clock plus this offset. Adds up. */
export async function moveClock(lab: Lab, aheadMs: number): Promise<void> {
  await redis(lab, 'INCRBY', OFFSET, String(Math.round(aheadMs)));
}

/** Puts the lab's clock right. Meant for the end of a test, when what it made is deleted. */
export async function resetClock(lab: Lab): Promise<void> {
  await redis(lab, 'DEL', OFFSET);
}

/** Takes away everything Redis holds, as a lost volume would. */
export async function emptyRedis(lab: Lab): Promise<void> {
  await redis(lab, 'FLUSHALL');
}
