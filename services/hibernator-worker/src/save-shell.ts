import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentParts } from './agent-parts';
import { CannotSleep } from './cannot-sleep';

/** How long the launcher may take to answer, in ms: its own limit for a save is 2 s, and it may have to wait for its turn. */
const ANSWER_LIMIT_MS = 5_000;
const LOOK_EVERY_MS = 25;

/** From its answer on ttyd stands still for this long, in ms: the launcher's `HOLD_S`. */
const HELD_MS = 1_500;

/** The file that is the launcher's answer: a new one each time, so its inode tells. */
interface Answer {
  readonly inode: number;
  /** ms of this node's clock. */
  readonly at: number;
}

/**
 * Asks the launcher to save what a shell cannot keep through a sleep and then to let ttyd stand still, and waits for its answer.
 * How much was saved is best effort; that ttyd stands still is not. The answer is a file in a directory that only root can
 * replace; it is looked at by lstat, never followed, never opened.
 * @returns when it answered, in ms of this node's clock, for `requireStandstill`
 * @throws CannotSleep when no answer came: nobody knows then what is told after the freeze
 */
export async function saveShell({ engine, settings, logger }: Pick<AgentParts, 'engine' | 'settings' | 'logger'>, containerId: string, pid: number): Promise<number> {
  const path = join(settings.HOST_PROC, String(pid), 'root/run/vibe/saved');
  const look = (): Promise<Answer | null> => lstat(path).then(({ ino, mtimeMs }) => ({ inode: ino, at: mtimeMs }), () => null);
  const before = await look();
  try {
    await engine.signalContainer(containerId, 'SIGUSR1');
  } catch (error) {
    logger.warn('the launcher could not be asked to save the shell', { container_id: containerId, error });
    throw noAnswer();
  }
  const until = performance.now() + ANSWER_LIMIT_MS;
  while (performance.now() < until) {
    const now = await look();
    if (now && (now.inode !== before?.inode || now.at !== before.at)) return now.at;
    await sleep(LOOK_EVERY_MS);
  }
  throw noAnswer();
}

const noAnswer = (): CannotSleep => new CannotSleep('hibernation_failed', 'its terminal did not answer when it was asked to stand still');

/**
 * To be called when the container is frozen. What is frozen is thawed as it is killed, and may get a turn: ttyd must not, or what it
 * tells its user then is in no snapshot (docs/decisions/ttyd-stands-still.md).
 * @throws CannotSleep when ttyd may have gone on before the freeze
 */
export function requireStandstill(answeredAt: number): void {
  if (Date.now() - answeredAt >= HELD_MS) throw new CannotSleep('hibernation_failed', 'its machine was too busy to freeze it in time');
}
