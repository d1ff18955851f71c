import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProcessEntry, descendantsOf } from './process-table';

/** How tmux names the process that a person's socket sits on. Every reconnect makes a new one, with a fresh access time. */
const TMUX_CLIENT = 'tmux: client';

/**
 * When a key was last read by what runs in a session, in ms of this node's clock: the latest access time of its terminals,
 * those of tmux clients left out. The kernel moves it in steps of 8 s. Null when there is no pane.
 *
 * Throws when the terminals cannot be read: what cannot be measured must not look idle.
 */
export async function lastKeyAt(hostProc: string, pid: number, processes: readonly ProcessEntry[]): Promise<number | null> {
  const clients = new Set(descendantsOf(pid, processes).flatMap((entry) => (entry.name === TMUX_CLIENT && entry.terminal !== null ? [entry.terminal] : [])));
  const directory = join(hostProc, String(pid), 'root/dev/pts');
  const panes = (await readdir(directory)).filter((name) => /^\d+$/.test(name) && !clients.has(Number(name)));
  const times = await Promise.all(panes.map(async (name) => (await stat(join(directory, name)).catch(() => null))?.atimeMs ?? 0));
  return times.length === 0 ? null : Math.max(...times);
}
