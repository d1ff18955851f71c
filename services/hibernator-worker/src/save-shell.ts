import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentParts } from './agent-parts';

/** How long a session may take to save its screens, in ms; the launcher's own limit is the same. */
const SAVE_LIMIT_MS = 2_000;
const LOOK_EVERY_MS = 25;

/**
 * Asks the launcher to save what a shell cannot keep through a sleep, and waits until it says done or the limit has passed.
 * Best effort: never throws. The launcher's mark is a new file each time, in a directory that only root can replace; it is
 * looked at by lstat, never followed, never opened.
 */
export async function saveShell({ engine, settings, logger }: Pick<AgentParts, 'engine' | 'settings' | 'logger'>, containerId: string, pid: number): Promise<void> {
  const mark = join(settings.HOST_PROC, String(pid), 'root/run/vibe/saved');
  const inodeOfMark = () => lstat(mark).then(({ ino, mtimeMs }) => `${ino} ${mtimeMs}`, () => 'none');
  try {
    const before = await inodeOfMark();
    await engine.signalContainer(containerId, 'SIGUSR1');
    const until = Date.now() + SAVE_LIMIT_MS;
    while (Date.now() < until && (await inodeOfMark()) === before) await sleep(LOOK_EVERY_MS);
  } catch (error) {
    logger.warn('the shell was not saved', { container_id: containerId, error });
  }
}
